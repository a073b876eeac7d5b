import gossamer.probe.v1.Probe.EchoRequest;
import gossamer.probe.v1.Probe.EchoResponse;
import gossamer.probe.v1.Probe.Hop;
import gossamer.probe.v1.Probe.RelayRequest;
import gossamer.probe.v1.Probe.RelayResponse;
import gossamer.probe.v1.ProbeServiceGrpc;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.stub.StreamObserver;

/** A gRPC client and server that know no kit. */
public final class Main {
  private static final Hop HOP =
      Hop.newBuilder().setService("foreign").setInstance("foreign").setLanguage("java").build();

  public static void main(String[] arguments) throws Exception {
    if (arguments[0].equals("serve")) {
      serve();
    } else {
      call(arguments[1]);
    }
  }

  private static void serve() throws Exception {
    var server =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
            .addService(new Probe())
            .build();
    System.out.println("127.0.0.1:" + server.start().getPort());
    server.awaitTermination();
  }

  private static void call(String address) {
    var channel = Grpc.newChannelBuilder(address, InsecureChannelCredentials.create()).build();
    var answer = ProbeServiceGrpc.newBlockingStub(channel).echo(EchoRequest.getDefaultInstance());
    System.out.println(answer.getHop().getInstance());
    channel.shutdownNow();
  }

  private static final class Probe extends ProbeServiceGrpc.ProbeServiceImplBase {
    @Override
    public void echo(EchoRequest request, StreamObserver<EchoResponse> answer) {
      answer.onNext(EchoResponse.newBuilder().setPayload(request.getPayload()).setHop(HOP).build());
      answer.onCompleted();
    }

    @Override
    public void relay(RelayRequest request, StreamObserver<RelayResponse> answer) {
      answer.onNext(RelayResponse.newBuilder().addHops(HOP).build());
      answer.onCompleted();
    }
  }
}
