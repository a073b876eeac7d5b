package dev.gossamer.kit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import dev.gossamer.kit.Rules.Rule;
import gossamer.mesh.v1.Traffic.CallRule;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RulesTest {
  private static final Path CASES =
      Path.of("../../tests/conformance/call_rules.json"); // of all kits
  private static final long SECOND = 1_000_000_000;

  private static CallRule parse(String text) throws InvalidProtocolBufferException {
    var rule = CallRule.newBuilder();
    JsonFormat.parser().merge(text, rule);
    return rule.build();
  }

  private static Rule only(String text, boolean carriesRetries)
      throws InvalidProtocolBufferException {
    return new Rules(List.of(parse(text)), carriesRetries)
        .find("/shop.v1.Shop/Buy", new Metadata());
  }

  private static Stream<JsonElement> stream(JsonElement of, String name) {
    var found = of.getAsJsonObject().getAsJsonArray(name);
    return found == null ? Stream.empty() : StreamSupport.stream(found.spliterator(), false);
  }

  @TestFactory
  Stream<DynamicTest> aCallFallsUnderItsRule() throws IOException {
    var cases = JsonParser.parseString(Files.readString(CASES)).getAsJsonArray().asList();
    assertTrue(cases.size() > 10, "the cases are there");
    return cases.stream()
        .map(
            one ->
                DynamicTest.dynamicTest(
                    one.getAsJsonObject().get("name").getAsString(), () -> checkCalls(one)));
  }

  private static void checkCalls(JsonElement one) throws InvalidProtocolBufferException {
    var said = new ArrayList<CallRule>();
    for (var text : stream(one, "rules").toList()) {
      var rule = parse(text.toString()).toBuilder();
      rule.getTimeoutBuilder().setSeconds(said.size() + 1); // which tells it from the others
      said.add(rule.build());
    }
    var rules = new Rules(said, true);
    stream(one, "calls")
        .map(JsonElement::getAsJsonObject)
        .forEach(
            call -> {
              var metadata = new Metadata();
              stream(call, "metadata")
                  .map(JsonElement::getAsJsonArray)
                  .forEach(pair -> put(metadata, pair.asList()));
              var expected =
                  call.get("rule").isJsonNull() ? 0 : (call.get("rule").getAsInt() + 1) * SECOND;
              assertEquals(
                  expected,
                  rules.find(call.get("path").getAsString(), metadata).timeout(),
                  call.toString());
            });
  }

  private static void put(Metadata metadata, List<JsonElement> pair) {
    var name = pair.get(0).getAsString();
    var value = pair.get(1).getAsString();
    if (name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
      metadata.put(Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER), value.getBytes());
    } else {
      metadata.put(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"pathComparison\": \"COMPARISON_UNSPECIFIED\"}",
        "{\"pathComparison\": \"COMPARISON_REGEX\", \"path\": \"(\"}",
        "{\"pathComparison\": \"COMPARISON_PREFIX\", \"headers\": [{\"name\": \"tier\"}]}"
      })
  void whatNoCallCanBeComparedWithIsRefused(String match) throws InvalidProtocolBufferException {
    var said = List.of(parse("{\"match\": " + match + "}"));
    assertThrows(IllegalArgumentException.class, () -> new Rules(said, true));
  }

  private static final String EVERYTHING =
      "{\"match\": {\"pathComparison\": \"COMPARISON_PREFIX\"}, \"timeout\": \"3s\", \"attemptTimeout\": \"0.5s\","
          + " \"retry\": {\"times\": 2, \"statuses\": [\"UNAVAILABLE\", \"NEW_ONE\"]}}";

  @Test
  void anAttemptThatTookTooLongIsFollowedByAnother() throws InvalidProtocolBufferException {
    var statuses = EnumSet.of(Status.Code.UNAVAILABLE, Status.Code.DEADLINE_EXCEEDED);
    assertEquals(new Rule(3 * SECOND, SECOND / 2, 2, statuses), only(EVERYTHING, true));
  }

  @Test
  void whereGrpcTriesAgainTheKitDoesNot() throws InvalidProtocolBufferException {
    assertEquals(
        new Rule(3 * SECOND, 0, 0, EnumSet.noneOf(Status.Code.class)), only(EVERYTHING, false));
  }
}
