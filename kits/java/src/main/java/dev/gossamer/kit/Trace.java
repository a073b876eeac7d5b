package dev.gossamer.kit;

import io.grpc.Context;
import io.grpc.Metadata;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.propagation.TextMapGetter;
import io.opentelemetry.context.propagation.TextMapSetter;
import java.util.List;

/**
 * The trace that a call belongs to: in its metadata, as https://www.w3.org/TR/trace-context/ has
 * it, and in gRPC's own context, which a handler's calls are made in.
 */
public final class Trace {
  static final Context.Key<Span> SPAN = Context.key("gossamer-span");

  /** See https://www.w3.org/TR/baggage/. */
  private static final Metadata.Key<String> BAGGAGE = key("baggage");

  private static final W3CTraceContextPropagator W3C = W3CTraceContextPropagator.getInstance();

  private Trace() {}

  /** Gives the id of the trace of the present call, in hexadecimal; empty outside of calls. */
  public static String id() {
    return current().isValid() ? current().getTraceId() : "";
  }

  static SpanContext current() {
    return span().getSpanContext();
  }

  private static Span span() {
    var own = Span.current();
    if (own.getSpanContext().isValid()) {
      return own;
    }
    var ofCall = SPAN.get();
    return ofCall == null ? Span.getInvalid() : ofCall;
  }

  /** Gives what a new client span is a child of. */
  static io.opentelemetry.context.Context parent() {
    return io.opentelemetry.context.Context.root().with(span());
  }

  /** Gives what a new server span is a child of. */
  static io.opentelemetry.context.Context received(Metadata headers) {
    return W3C.extract(io.opentelemetry.context.Context.root(), headers, Getter.INSTANCE);
  }

  /**
   * Says in the metadata of an outgoing call which span made it, and what is carried along, as it
   * came, unless the call says so itself.
   */
  static void send(Span span, Metadata headers) {
    var came = Incoming.HEADERS.get();
    var baggage = came == null ? null : came.getAll(BAGGAGE);
    if (baggage != null && !headers.containsKey(BAGGAGE)) {
      headers.put(BAGGAGE, String.join(",", baggage));
    }
    W3C.inject(io.opentelemetry.context.Context.root().with(span), headers, Setter.INSTANCE);
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  private enum Getter implements TextMapGetter<Metadata> {
    INSTANCE;

    @Override
    @SuppressWarnings("deprecation")
    public Iterable<String> keys(Metadata headers) {
      return List.of(); // no propagator of ours asks
    }

    @Override
    public String get(Metadata headers, String name) {
      return headers == null ? null : headers.get(key(name));
    }
  }

  private enum Setter implements TextMapSetter<Metadata> {
    INSTANCE;

    @Override
    public void set(Metadata headers, String name, String value) {
      if (headers != null) {
        var key = key(name);
        headers.removeAll(
            key); // that of the call that came in, where a handler passes on what it got
        headers.put(key, value);
      }
    }
  }
}
