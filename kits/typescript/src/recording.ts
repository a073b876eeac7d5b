/**
 * What one call leaves behind on either side: one span, and its duration in a histogram.
 *
 * Written on OpenTelemetry's API. @opentelemetry/instrumentation-grpc is not used: it patches modules as they are loaded,
 * which needs a loader for ES modules, and has neither metrics nor the names of the current semantic conventions
 * (https://opentelemetry.io/docs/specs/semconv/rpc/grpc/).
 */

import { type Metadata, status } from "@grpc/grpc-js";
import {
  type Context,
  type Histogram,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";

/** As many callers of a method have series of their own; the rest are counted without a name. */
export const KNOWN_PEERS = 1_000;

/** What the conventions count as a server's own failure; a client counts all but OK. */
const SERVER_ERRORS: ReadonlySet<status> = new Set([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

const BAGGAGE = "baggage";
const AGENT = "gossamer/";
const PEER = /^gossamer\/([a-z][a-z0-9-]{0,62})(?: |$)/;

const propagator = new W3CTraceContextPropagator();
const reading = {
  get: (metadata: Metadata, key: string) => metadata.get(key).map(String),
  keys: (metadata: Metadata) => Object.keys(metadata.getMap()),
};
const writing = { set: (metadata: Metadata, key: string, value: string) => metadata.set(key, value) };

/** What all calls of one method on one side have in common. `path` is gRPC's, with the leading slash. */
export class Method {
  private readonly name: string;
  private readonly labels = new Map<string, Readonly<Record<string, string>>>();
  private readonly peers = new Set<string>();

  constructor(
    private readonly side: Side,
    path: string,
    private readonly attributes: Readonly<Record<string, string>> = {},
  ) {
    this.name = path.slice(1);
  }

  /** Begin a call, with the trace it belongs to and the service at its other end, as far as known. */
  start(parent: Context, peer: string): CallRecord {
    const span = this.side.tracer.startSpan(this.name, { kind: this.side.kind }, parent);
    return new CallRecord(this, span, this.counted(peer));
  }

  /** Take note of how a call ended. */
  ended(span: Span, code: status, peer: string, seconds: number, detail: string): void {
    const labels = this.labelled(code, peer);
    this.side.durations.record(seconds, labels);
    if (!span.isRecording()) return;
    span.setAttributes(labels);
    if (this.side.failed(code)) span.setStatus({ code: SpanStatusCode.ERROR, message: detail });
    span.end();
  }

  private labelled(code: status, peer: string): Readonly<Record<string, string>> {
    const key = `${code} ${peer}`;
    let labels = this.labels.get(key);
    if (!labels) {
      labels = {
        "rpc.system.name": "grpc",
        "rpc.method": this.name,
        ...this.attributes,
        "rpc.response.status_code": nameOf(code),
        ...(this.side.failed(code) ? { "error.type": nameOf(code) } : {}),
        ...(peer ? { "service.peer.name": peer } : {}),
      };
      this.labels.set(key, labels);
    }
    return labels;
  }

  /** Give the peer's name if calls are counted by it, since callers name themselves as they like. */
  private counted(peer: string): string {
    if (peer && !this.peers.has(peer)) {
      if (this.peers.size >= KNOWN_PEERS) return "";
      this.peers.add(peer);
    }
    return peer;
  }
}

/** The side of a call that an instance is on, and where it records that. */
export class Side {
  constructor(
    readonly tracer: Tracer,
    readonly durations: Histogram,
    readonly kind: SpanKind.SERVER | SpanKind.CLIENT,
  ) {}

  /** Tell whether a status is an error, on this side. */
  failed(code: status): boolean {
    return this.kind === SpanKind.SERVER ? SERVER_ERRORS.has(code) : code !== status.OK;
  }
}

/** One call. It ends once, whatever ends it first. */
export class CallRecord {
  private readonly started = performance.now();
  private over = false;

  constructor(
    private readonly method: Method,
    readonly span: Span,
    private readonly peer: string,
  ) {}

  /** Say what became of one attempt of the call; the first one has the number 1. */
  event(name: string, code: status, attempt: number): void {
    this.span.addEvent(name, { "rpc.response.status_code": nameOf(code), attempt });
  }

  /** Say how the call ended. `detail` becomes the span's description when the status is an error. */
  end(code: status, detail = ""): void {
    if (this.over) return;
    this.over = true;
    this.method.ended(this.span, code, this.peer, (performance.now() - this.started) / 1_000, detail);
  }
}

/** What incoming metadata tells of a caller. */
export interface Caller {
  /** The trace that the call belongs to. */
  readonly parent: Context;
  /** The caller's service, where it is one of the mesh; else empty. */
  readonly peer: string;
  /** What the caller has carried along, as https://www.w3.org/TR/baggage/ writes it. */
  readonly baggage: string;
}

/** Read what incoming metadata tells of the caller. */
export function caller(metadata: Metadata): Caller {
  const agent = metadata.get("user-agent")[0];
  const peer = typeof agent === "string" ? (PEER.exec(agent)?.[1] ?? "") : "";
  const parent = propagator.extract(ROOT_CONTEXT, metadata, reading);
  return { parent, peer, baggage: metadata.get(BAGGAGE).join() };
}

/** The trace that a span's children belong to. */
export function within(span: Span | undefined): Context {
  return span ? trace.setSpan(ROOT_CONTEXT, span) : ROOT_CONTEXT;
}

/** Write a span's trace into the metadata of an outgoing call, and what is carried along unless the call says so itself. */
export function inject(span: Span, baggage: string, metadata: Metadata): void {
  propagator.inject(within(span), metadata, writing);
  if (baggage && metadata.get(BAGGAGE).length === 0) metadata.set(BAGGAGE, baggage);
}

/** Name the calling service so that the one that is called can tell who called it. */
export function userAgent(service: string): string {
  return AGENT + service;
}

/** A status as gRPC spells it, such as NOT_FOUND. */
export function nameOf(code: status): string {
  return status[code] ?? `${code}`;
}
