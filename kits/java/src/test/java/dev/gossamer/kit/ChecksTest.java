package dev.gossamer.kit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import build.buf.validate.FieldPath;
import org.junit.jupiter.api.Test;

class ChecksTest {
  @Test
  void aFieldIsNamedByItsPath() {
    var path = FieldPath.newBuilder();
    path.addElementsBuilder().setFieldName("items").setIndex(2);
    path.addElementsBuilder().setFieldName("labels").setStringKey("color");
    path.addElementsBuilder().setFieldName("name");
    assertEquals("items[2].labels[\"color\"].name", Checks.path(path.build()));
  }
}
