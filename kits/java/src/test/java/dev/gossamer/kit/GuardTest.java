package dev.gossamer.kit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import dev.gossamer.kit.ServiceException.Field;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GuardTest {
  private static final String METHOD = "shop.catalog.v1.CatalogService/GetProduct";

  private final ByteArrayOutputStream logged = new ByteArrayOutputStream();
  private final Guard guard =
      new Guard(new Log("catalog", "catalog-1", new PrintStream(logged, true)));

  private Status leave(Throwable failure) {
    return guard.leave(METHOD, failure, Context.ROOT).status();
  }

  private String logged() {
    return logged.toString(StandardCharsets.UTF_8);
  }

  private static Throwable answered() {
    var trailers = new Metadata();
    Guard.mark(trailers);
    return Status.UNAVAILABLE.withDescription("secret").asRuntimeException(trailers);
  }

  @Test
  void aFailureThatACallerMayKnowOfKeepsItsWords() {
    var status = leave(new ServiceException(Status.Code.NOT_FOUND, "GONE", "it is gone"));
    assertEquals(Status.Code.NOT_FOUND, status.getCode());
    assertEquals("it is gone", status.getDescription());
    assertEquals("", logged());
  }

  @Test
  void aStatusIsPassedOn() {
    var status = leave(Status.UNIMPLEMENTED.withDescription("not yet").asRuntimeException());
    assertEquals(Status.Code.UNIMPLEMENTED, status.getCode());
    assertEquals("not yet", status.getDescription());
  }

  @Test
  void whatNobodyExpectedIsLoggedAndNotTold() {
    var status = leave(new IllegalStateException("secret"));
    assertEquals(Status.Code.INTERNAL, status.getCode());
    assertEquals("internal error", status.getDescription());
    assertTrue(logged().contains("IllegalStateException: secret"), logged());
  }

  @Test
  void whatAnotherServiceAnsweredIsNotTold() {
    var status = leave(answered());
    assertEquals(Status.Code.INTERNAL, status.getCode());
    assertFalse(status.getDescription().contains("secret"));
  }

  @Test
  void whatFailsAfterTheCallIsOverIsNobodysFault() {
    var over = Context.ROOT.withCancellation();
    over.cancel(null);
    assertEquals(Status.Code.CANCELLED, guard.leave(METHOD, answered(), over).status().getCode());
    assertEquals("", logged());
  }

  @Test
  void aFailureBecomesErrorInfoAndBadRequest() throws InvalidProtocolBufferException {
    var field = new Field("items[0].quantity", "too many");
    var failure =
        new ServiceException(Status.Code.INVALID_ARGUMENT, "BAD", "bad", field)
            .with(Map.of("key", "value"));
    var request = BadRequest.newBuilder();
    request.addFieldViolationsBuilder().setField("items[0].quantity").setDescription("too many");
    var info =
        ErrorInfo.newBuilder()
            .setReason("BAD")
            .setDomain("shop.orders.v1")
            .putMetadata("key", "value");
    assertEquals(
        List.of(Any.pack(info.build()), Any.pack(request.build())),
        failure.toStatus("shop.orders.v1").getDetailsList());
  }
}
