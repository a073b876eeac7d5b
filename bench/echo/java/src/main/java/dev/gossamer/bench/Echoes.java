package dev.gossamer.bench;

import gossamer.probe.v1.Probe.EchoRequest;
import gossamer.probe.v1.Probe.EchoResponse;
import gossamer.probe.v1.ProbeServiceGrpc.ProbeServiceImplBase;
import io.grpc.stub.StreamObserver;

/**
 * The handler that both servers have: it gives back what it gets. The other methods are not called.
 */
final class Echoes extends ProbeServiceImplBase {
  @Override
  public void echo(EchoRequest request, StreamObserver<EchoResponse> answer) {
    answer.onNext(EchoResponse.newBuilder().setPayload(request.getPayload()).build());
    answer.onCompleted();
  }
}
