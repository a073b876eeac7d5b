package dev.gossamer.kit;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.util.concurrent.TimeUnit;

/**
 * Calls a call's end by its deadline DEADLINE_EXCEEDED also where the server was first to notice,
 * which can then but reset the stream. gRPC itself does so only when its own clock says so too, and
 * a server may be a moment early, since it rounds.
 */
final class Expiry implements ClientInterceptor {
  private static final long EARLY_MS = 20;

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    var deadline = options.getDeadline();
    return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
      @Override
      public void start(Listener<R> listener, Metadata headers) {
        super.start(
            new SimpleForwardingClientCallListener<>(listener) {
              @Override
              public void onClose(Status status, Metadata trailers) {
                var isOver =
                    status.getCode() == Status.Code.CANCELLED
                        && deadline != null
                        && deadline.timeRemaining(TimeUnit.MILLISECONDS) < EARLY_MS;
                super.onClose(
                    isOver
                        ? Status.DEADLINE_EXCEEDED.withDescription("reset by the server")
                        : status,
                    trailers);
              }
            },
            headers);
      }
    };
  }
}
