package dev.gossamer.kit;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.opentelemetry.api.trace.Span;
import java.util.concurrent.TimeoutException;

/**
 * The last stop of a failure before it leaves: it logs what no one expected, and lets nothing but a
 * status out.
 */
final class Guard {
  /**
   * In the trailers of what another service answered: that is its word to this one, and not to the
   * caller.
   */
  private static final Metadata.Key<String> ANSWER =
      Metadata.Key.of("gossamer-answer", Metadata.ASCII_STRING_MARSHALLER);

  private static final ServiceException UNEXPECTED =
      new ServiceException(Status.Code.INTERNAL, "INTERNAL", "internal error");

  private final Log log;

  Guard(Log log) {
    this.log = log;
  }

  /** What a call ends with. */
  record End(Status status, Metadata trailers) {}

  /** Marks what another service answered. */
  static void mark(Metadata trailers) {
    trailers.put(ANSWER, "");
  }

  static void unmark(Metadata trailers) {
    trailers.removeAll(ANSWER);
  }

  /** Gives what a caller gets for a failure of a handler. */
  End leave(String method, Throwable failure, Context context) {
    if (failure instanceof ServiceException known) {
      return end(known, method);
    }
    if (context.isCancelled()) {
      return new End(over(context), new Metadata());
    }
    var trailers = Status.trailersFromThrowable(failure);
    var isAnswer = trailers != null && trailers.containsKey(ANSWER);
    var isStatus = failure instanceof StatusRuntimeException || failure instanceof StatusException;
    if (isStatus && !isAnswer) {
      return new End(Status.fromThrowable(failure), trailers == null ? new Metadata() : trailers);
    }
    report(method, failure, context);
    return end(UNEXPECTED, method);
  }

  /** Says how a call ended that is over: by its deadline, or because nobody waits for it. */
  static Status over(Context context) {
    return context.cancellationCause() instanceof TimeoutException
        ? Status.DEADLINE_EXCEEDED.withDescription("the deadline is over")
        : Status.CANCELLED.withDescription("the caller has gone away");
  }

  private static End end(ServiceException failure, String method) {
    var contract = method.substring(0, Math.max(method.indexOf('/'), 0));
    var domain = contract.substring(0, Math.max(contract.lastIndexOf('.'), 0));
    var made = StatusProto.toStatusRuntimeException(failure.toStatus(domain));
    return new End(made.getStatus(), made.getTrailers());
  }

  private void report(String method, Throwable failure, Context context) {
    var before = context.attach(); // for the trace's id
    try {
      log.error("a handler failed unexpectedly", "method", method, "stack", Log.stack(failure));
      Span span = Trace.SPAN.get();
      if (span != null) {
        span.recordException(failure);
      }
    } finally {
      context.detach(before);
    }
  }
}
