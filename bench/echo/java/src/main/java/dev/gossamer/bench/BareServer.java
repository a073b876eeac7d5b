package dev.gossamer.bench;

import io.grpc.InsecureServerCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;

/**
 * Echoes from grpc-java alone. It announces itself like the kit does, and has health, without which
 * it could be in no mesh.
 */
public final class BareServer {
  private BareServer() {}

  /** Runs until the process is ended. */
  public static void main(String[] arguments) throws Exception {
    var server =
        NettyServerBuilder.forPort(0, InsecureServerCredentials.create())
            .addService(new Echoes())
            .addService(new HealthStatusManager().getHealthService())
            .build()
            .start();
    var address = "127.0.0.1:" + server.getPort();
    System.out.println("{\"message\":\"announce\",\"address\":\"" + address + "\"}");
    server.awaitTermination();
  }
}
