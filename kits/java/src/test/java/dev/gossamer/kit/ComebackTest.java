package dev.gossamer.kit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.protobuf.services.HealthStatusManager;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What becomes of calls of a server that is away. How soon a whole client is back is seen in
 * tests/network.
 */
class ComebackTest {
  private static final HealthCheckRequest REQUEST = HealthCheckRequest.getDefaultInstance();

  private int port;
  private Server server;
  private ManagedChannel channel;

  @BeforeEach
  void findAPort() throws IOException {
    serve(0);
    port = server.getPort();
    server.shutdownNow();
  }

  @AfterEach
  void end() {
    channel.shutdownNow();
    server.shutdownNow();
  }

  private void serve(int at) throws IOException {
    var health = new HealthStatusManager().getHealthService();
    server =
        Grpc.newServerBuilderForPort(at, InsecureServerCredentials.create())
            .addService(health)
            .build()
            .start();
  }

  private void open(ChannelCredentials credentials) {
    channel = Grpc.newChannelBuilder("127.0.0.1:" + port, credentials).build();
    assertFails();
  }

  private void assertFails() {
    var stub = HealthGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
    var failed = assertThrows(StatusRuntimeException.class, () -> stub.check(REQUEST));
    assertEquals(Status.Code.UNAVAILABLE, failed.getStatus().getCode());
  }

  private Future<HealthCheckResponse> check() {
    return HealthGrpc.newFutureStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS).check(REQUEST);
  }

  private static boolean failsAtOnce(Future<?> call) throws InterruptedException {
    try {
      call.get(200, TimeUnit.MILLISECONDS);
      return false;
    } catch (TimeoutException waits) {
      return false;
    } catch (ExecutionException failed) {
      return true;
    }
  }

  @Test
  @Timeout(60)
  void theFirstCallFailsAndTheNextWaitsUntilTheServerIsBack() throws Exception {
    open(new Comeback().newChannelCredentials(Map.of()));
    var waiting = check();
    while (failsAtOnce(waiting)) { // until the channel has told that its connection broke
      waiting = check();
    }
    serve(port);
    assertEquals(ServingStatus.SERVING, waiting.get().getStatus());
  }

  /** The control of the test above. */
  @Test
  void byItselfTheNextFailsToo() {
    open(InsecureChannelCredentials.create());
    assertFails();
  }
}
