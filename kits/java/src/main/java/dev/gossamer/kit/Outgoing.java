package dev.gossamer.kit;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * What every outgoing call goes through: it gets its deadline, is observed, and treated as the
 * control plane says.
 */
final class Outgoing implements ClientInterceptor {
  private final Observer observer;
  private final String service;
  private final Policy policy;
  private final Duration deadline;
  private final ScheduledExecutorService timer;

  Outgoing(
      Observer observer,
      String service,
      Policy policy,
      Duration deadline,
      ScheduledExecutorService timer) {
    this.observer = observer;
    this.service = service;
    this.policy = policy;
    this.deadline = deadline;
    this.timer = timer;
  }

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    return new Call<>(method, options, next);
  }

  /** One call, which is made when its metadata is known: what is done to it may depend on that. */
  private final class Call<Q, R> extends ClientCall<Q, R> {
    private final MethodDescriptor<Q, R> method;
    private final CallOptions options;
    private final Channel next;
    private ClientCall<Q, R> call;

    Call(MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
      this.method = method;
      this.options = options;
      this.next = next;
    }

    @Override
    public void start(Listener<R> listener, Metadata headers) {
      var observed = observer.begin(method.getFullMethodName(), service, Trace.parent());
      Trace.send(observed.span, headers);
      var until = least(options.getDeadline(), Context.current().getDeadline());
      if (until == null) {
        until = Deadline.after(deadline.toNanos(), TimeUnit.NANOSECONDS);
      }
      var rule = policy.find("/" + method.getFullMethodName(), headers, until);
      if (rule.timeout() > 0) {
        until = least(until, Deadline.after(rule.timeout(), TimeUnit.NANOSECONDS));
      }
      var limited = options.withDeadline(until);
      if (method.getType() == MethodType.UNARY && !rule.isOneAttempt()) {
        call = new Attempts<>(method, limited, next, rule, policy.budget, observed, timer);
      } else {
        call = next.newCall(method, limited);
      }
      call.start(new Ending<>(listener, observed), headers);
    }

    @Override
    public void request(int messages) {
      call.request(messages);
    }

    @Override
    public void cancel(String message, Throwable cause) {
      if (call != null) {
        call.cancel(message, cause);
      }
    }

    @Override
    public void halfClose() {
      call.halfClose();
    }

    @Override
    public void sendMessage(Q message) {
      call.sendMessage(message);
    }

    @Override
    public boolean isReady() {
      return call.isReady();
    }

    @Override
    public void setMessageCompression(boolean enabled) {
      call.setMessageCompression(enabled);
    }
  }

  private static final class Ending<R> extends SimpleForwardingClientCallListener<R> {
    private final Observer.Call observed;

    Ending(ClientCall.Listener<R> listener, Observer.Call observed) {
      super(listener);
      this.observed = observed;
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      observed.end(status);
      if (!status.isOk()) {
        Guard.mark(trailers);
      }
      super.onClose(status, trailers);
    }
  }

  static Deadline least(Deadline one, Deadline other) {
    if (one == null || other == null) {
      return one == null ? other : one;
    }
    return one.minimum(other);
  }
}
