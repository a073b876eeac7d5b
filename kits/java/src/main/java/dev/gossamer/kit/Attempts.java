package dev.gossamer.kit;

import dev.gossamer.kit.Rules.Rule;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * A unary call that may take several attempts, as its rule says. gRPC's own retries know neither a
 * limit for one attempt nor a budget. Pauses and pushback are as theirs (gRFC A6, A44).
 */
final class Attempts<Q, R> extends ClientCall<Q, R> {
  private static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);
  private static final long FIRST_PAUSE_MS = 25;
  private static final long LONGEST_PAUSE_MS = 250;
  private static final int BOTH =
      2; // a second message of a unary call is an error, which gRPC finds

  private final MethodDescriptor<Q, R> method;
  private final CallOptions options;
  private final Channel channel;
  private final Rule rule;
  private final Budget budget;
  private final Observer.Call observed;
  private final ScheduledExecutorService timer;

  private Listener<R> listener;
  private Metadata headers;
  private Q request;
  private int tried;
  private ClientCall<Q, R> attempt;
  private boolean over;

  Attempts(
      MethodDescriptor<Q, R> method,
      CallOptions options,
      Channel channel,
      Rule rule,
      Budget budget,
      Observer.Call observed,
      ScheduledExecutorService timer) {
    this.method = method;
    this.options = options;
    this.channel = channel;
    this.rule = rule;
    this.budget = budget;
    this.observed = observed;
    this.timer = timer;
  }

  @Override
  public void start(Listener<R> listener, Metadata headers) {
    this.listener = listener;
    this.headers = headers;
  }

  @Override
  public void request(int messages) {
    // an answer is taken in whole before it is passed on
  }

  @Override
  public void sendMessage(Q message) {
    request = message;
  }

  @Override
  public void halfClose() {
    begin();
  }

  @Override
  public void cancel(String message, Throwable cause) {
    ClientCall<Q, R> running;
    synchronized (this) {
      if (over) {
        return;
      }
      over = true;
      running = attempt;
    }
    if (running != null) {
      running.cancel(message, cause); // which ends the call, by its listener
    } else {
      listener.onClose(Status.CANCELLED.withDescription(message).withCause(cause), new Metadata());
    }
  }

  private void begin() {
    var limited = options;
    if (rule.attemptTimeout() > 0) {
      var end = Deadline.after(rule.attemptTimeout(), TimeUnit.NANOSECONDS);
      limited = options.withDeadline(Outgoing.least(options.getDeadline(), end));
    }
    var call = channel.newCall(method, limited);
    synchronized (this) {
      if (over) {
        return;
      }
      attempt = call;
    }
    var sent = new Metadata();
    sent.merge(headers);
    call.start(new Answer(), sent);
    call.request(BOTH);
    call.sendMessage(request);
    call.halfClose();
  }

  /** What one attempt is answered: held until it is known to be the call's. */
  private final class Answer extends Listener<R> {
    private Metadata first;
    private R message;

    @Override
    public void onHeaders(Metadata headers) {
      first = headers;
    }

    @Override
    public void onMessage(R message) {
      this.message = message;
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      var pause = pause(status, trailers);
      synchronized (Attempts.this) {
        if (pause >= 0 && !over) {
          tried++;
          attempt = null;
          timer.schedule(Attempts.this::begin, pause, TimeUnit.MILLISECONDS);
          return;
        }
        over = true;
      }
      if (first != null) {
        listener.onHeaders(first);
      }
      if (message != null) {
        listener.onMessage(message);
      }
      listener.onClose(status, trailers);
    }
  }

  /** Gives the milliseconds until the next attempt; below zero where there is to be none. */
  private long pause(Status status, Metadata trailers) {
    if (tried >= rule.retries() || !rule.statuses().contains(status.getCode())) {
      return -1;
    }
    var asked = trailers.get(PUSHBACK);
    var pause = asked == null ? ownPause() : askedPause(asked);
    var left = options.getDeadline().timeRemaining(TimeUnit.MILLISECONDS);
    if (pause < 0 || pause >= left) {
      return -1;
    }
    if (!budget.spend()) {
      observed.event("retry budget spent", status.getCode(), tried + 1);
      return -1;
    }
    observed.event("retry", status.getCode(), tried + 1);
    return pause;
  }

  private long ownPause() {
    var longest = Math.min(FIRST_PAUSE_MS << Math.min(tried, 4), LONGEST_PAUSE_MS);
    return (long) (longest * ThreadLocalRandom.current().nextDouble(0.8, 1.2));
  }

  private static long askedPause(String text) {
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException wrong) {
      return -1;
    }
  }
}
