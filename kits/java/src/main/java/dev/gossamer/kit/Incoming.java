package dev.gossamer.kit;

import build.buf.protovalidate.exceptions.ValidationException;
import com.google.protobuf.MessageLite;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * What an incoming call goes through: it is observed, checked against its contract, and guarded;
 * its handler's thread is interrupted when nobody waits for it any more.
 */
final class Incoming implements ServerInterceptor {
  private static final Metadata.Key<String> AGENT =
      Metadata.Key.of("user-agent", Metadata.ASCII_STRING_MARSHALLER);

  private static final Status TOO_LARGE =
      Status.RESOURCE_EXHAUSTED.withDescription("the answer is larger than 4 MiB");

  /** What a caller sent with the present call. */
  static final Context.Key<Metadata> HEADERS = Context.key("gossamer-headers");

  private final Observer observer;
  private final Checks checks;
  private final Guard guard;

  Incoming(Observer observer, Checks checks, Guard guard) {
    this.observer = observer;
    this.checks = checks;
    this.guard = guard;
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    var method = call.getMethodDescriptor().getFullMethodName();
    if (method.startsWith(
        "grpc.")) { // health and reflection keep the mesh going: nothing is recorded of them
      return next.startCall(call, headers);
    }
    var observed =
        observer.begin(method, Observer.callerOf(headers.get(AGENT)), Trace.received(headers));
    var context =
        Context.current().withValue(Trace.SPAN, observed.span).withValue(HEADERS, headers);
    var guarded = new Guarded<>(call, observed, context);
    try {
      return new Listening<>(Contexts.interceptCall(context, guarded, headers, next), guarded);
    } catch (RuntimeException | Error failure) {
      guarded.fail(failure);
      return new ServerCall.Listener<>() {};
    }
  }

  /** The call as its handler answers it: every failure leaves through the guard, once. */
  private final class Guarded<Q, R> extends SimpleForwardingServerCall<Q, R> {
    private final Observer.Call observed;
    private final Context context;
    private final AtomicBoolean closed = new AtomicBoolean();

    Guarded(ServerCall<Q, R> call, Observer.Call observed, Context context) {
      super(call);
      this.observed = observed;
      this.context = context;
    }

    @Override
    public void sendMessage(R message) {
      if (message instanceof MessageLite sized
          && sized.getSerializedSize() > Kit.MOST_MESSAGE_BYTES) {
        fail(TOO_LARGE.asRuntimeException());
      } else if (!closed.get()) {
        super.sendMessage(message);
      }
    }

    @Override
    public void close(Status status, Metadata trailers) {
      if (status.getCause() == null || status.isOk()) {
        Guard.unmark(trailers);
        end(new Guard.End(status, trailers));
      } else {
        fail(status.getCause());
      }
    }

    void fail(Throwable failure) {
      if (!closed.get()) {
        end(guard.leave(getMethodDescriptor().getFullMethodName(), failure, context));
      }
    }

    private void end(Guard.End end) {
      if (closed.compareAndSet(false, true)) {
        try { // first: what leaves in pieces may be cut short, and an answer that was begun is
          // never asked for again
          super.close(end.status().withCause(null), end.trailers());
        } finally {
          observed.end(end.status());
        }
      }
    }

    void over() {
      if (closed.compareAndSet(false, true)) {
        observed.end(Guard.over(context));
      }
    }
  }

  /** The call as it comes in. */
  private final class Listening<Q> extends SimpleForwardingServerCallListener<Q> {
    private final Guarded<Q, ?> call;
    private Thread handler;

    Listening(ServerCall.Listener<Q> listener, Guarded<Q, ?> call) {
      super(listener);
      this.call = call;
      call.context.addListener(context -> interrupt(), Runnable::run);
    }

    @Override
    public void onMessage(Q message) {
      if ((Object) message instanceof Unreadable unreadable) {
        call.fail(unreadable.failure());
        return;
      }
      try {
        checks.check(message);
      } catch (ValidationException | RuntimeException | Error failure) {
        call.fail(failure);
        return;
      }
      handle(() -> super.onMessage(message));
    }

    @Override
    public void onHalfClose() {
      handle(super::onHalfClose);
    }

    @Override
    public void onReady() {
      handle(super::onReady);
    }

    @Override
    public void onCancel() {
      call.over();
      super.onCancel();
    }

    private void handle(Runnable work) {
      if (call.closed.get()) {
        return;
      }
      begin();
      try {
        work.run();
      } catch (RuntimeException | Error failure) {
        call.fail(failure);
      } finally {
        end();
      }
    }

    private synchronized void begin() {
      handler = Thread.currentThread();
      if (call.context.isCancelled()) {
        handler.interrupt();
      }
    }

    private synchronized void end() {
      handler = null;
      Thread.interrupted(); // of this call, and not of the thread's next
    }

    private synchronized void interrupt() {
      if (handler != null) {
        handler.interrupt();
      }
    }
  }
}
