package dev.gossamer.kit;

import io.grpc.Status;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.metrics.DoubleHistogram;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.regex.Pattern;

/**
 * What is recorded about a call: one span and one measurement on either side, in all four shapes,
 * named as https://opentelemetry.io/docs/specs/semconv/rpc/grpc/ says.
 */
final class Observer {
  private static final AttributeKey<String> STATUS =
      AttributeKey.stringKey("rpc.response.status_code");
  private static final AttributeKey<String> ERROR = AttributeKey.stringKey("error.type");
  private static final List<Double> BOUNDS =
      List.of(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0);
  private static final Pattern AGENT =
      Pattern.compile("gossamer/([a-z]([a-z0-9-]{0,61}[a-z0-9])?)(?: .*)?");

  /** As many callers of a method have series of their own; the rest share one. */
  private static final int KNOWN_PEERS = 1000;

  /** What a server counts as its own error, and not the caller's. */
  private static final Set<Status.Code> SERVER_FAULTS =
      EnumSet.of(
          Status.Code.UNKNOWN,
          Status.Code.DEADLINE_EXCEEDED,
          Status.Code.UNIMPLEMENTED,
          Status.Code.INTERNAL,
          Status.Code.UNAVAILABLE,
          Status.Code.DATA_LOSS);

  private final Tracer tracer;
  private final DoubleHistogram durations;
  private final SpanKind kind;
  private final Map<Key, Series> all = new ConcurrentHashMap<>();

  private Observer(Tracer tracer, Meter meter, SpanKind kind, String metric, String description) {
    this.tracer = tracer;
    this.kind = kind;
    this.durations =
        meter
            .histogramBuilder(metric)
            .setUnit("s")
            .setDescription(description)
            .setExplicitBucketBoundariesAdvice(BOUNDS)
            .build();
  }

  static Observer ofServer(Tracer tracer, Meter meter) {
    return new Observer(
        tracer,
        meter,
        SpanKind.SERVER,
        "rpc.server.call.duration",
        "How long incoming calls take.");
  }

  static Observer ofClient(Tracer tracer, Meter meter) {
    return new Observer(
        tracer,
        meter,
        SpanKind.CLIENT,
        "rpc.client.call.duration",
        "How long outgoing calls take.");
  }

  /** How a service names itself to those it calls; gRPC adds its own name. */
  static String agentOf(String service) {
    return "gossamer/" + service;
  }

  /** Gives the service that a user agent belongs to; empty if it is none of the mesh. */
  static String callerOf(String agent) {
    var found = AGENT.matcher(agent == null ? "" : agent);
    return found.matches() ? found.group(1) : "";
  }

  /**
   * Begins to observe a call. {@code peer} is the service on the other side; empty if that is not
   * known.
   */
  Call begin(String method, String peer, Context parent) {
    var series = series(new Key(method, peer));
    var span = tracer.spanBuilder(method).setSpanKind(kind).setParent(parent).startSpan();
    if (span.isRecording()) {
      span.setAllAttributes(series.attributes);
    }
    return new Call(series, span);
  }

  private Series series(Key key) {
    var known = all.get(key);
    if (known != null) {
      return known;
    }
    if (!key.peer.isEmpty() && all.size() > KNOWN_PEERS) {
      return series(new Key(key.method, ""));
    }
    return all.computeIfAbsent(key, Series::new);
  }

  private boolean isError(Status.Code code) {
    return kind == SpanKind.SERVER ? SERVER_FAULTS.contains(code) : code != Status.Code.OK;
  }

  private record Key(String method, String peer) {}

  /** What all calls of one kind share, made once. */
  private final class Series {
    private final Attributes attributes;
    private final AtomicReferenceArray<Attributes> outcomes =
        new AtomicReferenceArray<>(Status.Code.values().length);

    Series(Key key) {
      var made = Attributes.builder().put("rpc.system.name", "grpc").put("rpc.method", key.method);
      if (!key.peer.isEmpty()) {
        made.put("service.peer.name", key.peer);
        if (kind == SpanKind.CLIENT) {
          made.put("server.address", key.peer);
        }
      }
      attributes = made.build();
    }

    Attributes of(Status.Code code) {
      var known = outcomes.get(code.value());
      if (known == null) {
        var made = attributes.toBuilder().put(STATUS, code.name());
        known = (isError(code) ? made.put(ERROR, code.name()) : made).build();
        outcomes.set(code.value(), known);
      }
      return known;
    }
  }

  /** One call while it runs. */
  final class Call {
    private final Series series;
    private final long begun = System.nanoTime();
    private final AtomicBoolean ended = new AtomicBoolean();
    final Span span;

    private Call(Series series, Span span) {
      this.series = series;
      this.span = span;
    }

    /** Notes something that happened to the call. */
    void event(String name, Status.Code code, int attempt) {
      span.addEvent(
          name, Attributes.builder().put(STATUS, code.name()).put("attempt", attempt).build());
    }

    /** Records how the call went; only the first time counts. */
    void end(Status status) {
      if (!ended.compareAndSet(false, true)) {
        return;
      }
      var code = status.getCode();
      durations.record((System.nanoTime() - begun) / 1e9, series.of(code));
      if (span.isRecording()) {
        span.setAttribute(STATUS, code.name());
        if (isError(code)) {
          span.setAttribute(ERROR, code.name());
          span.setStatus(
              StatusCode.ERROR, status.getDescription() == null ? "" : status.getDescription());
        }
      }
      span.end();
    }
  }
}
