package dev.gossamer.probe;

import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;

/** Sending as fast as the other side takes it. */
final class Streams {
  private static final long LOOKS_EVERY_MS = 2;

  private Streams() {}

  /** Sends one message, and waits while there is no room for it. */
  static <R> void send(StreamObserver<R> answer, R message) {
    var stream = (ServerCallStreamObserver<R>) answer;
    try {
      while (!stream.isReady()) {
        if (stream.isCancelled()) {
          throw Status.CANCELLED.asRuntimeException();
        }
        Thread.sleep(LOOKS_EVERY_MS);
      }
    } catch (InterruptedException gone) {
      throw Status.CANCELLED.asRuntimeException();
    }
    stream.onNext(message);
  }
}
