/** The incoming call that the present code works for: its trace and baggage, its time, and who still waits for it. */

import { AsyncLocalStorage } from "node:async_hooks";

import type { Span } from "@opentelemetry/api";

const present = new AsyncLocalStorage<Incoming>();

/** One incoming call. It ends once: when its handler is done, its caller goes away or its time is over. */
export class Incoming {
  private readonly callbacks = new Set<() => void>();
  private controller: AbortController | undefined;
  private over = false;

  /** `deadline` is in milliseconds since the epoch, Infinity where the caller set none. */
  constructor(
    readonly span: Span,
    private readonly deadline: number,
    readonly baggage: string,
  ) {}

  /** Run a handler, and all that it starts, as working for this call. */
  run<T>(handler: () => T): T {
    return present.run(this, handler);
  }

  /** Milliseconds that are left; Infinity where there is no deadline. */
  get remaining(): number {
    return Math.max(this.deadline - Date.now(), 0);
  }

  /** Whether nobody waits for this call any more. */
  get gone(): boolean {
    return this.over;
  }

  /** Aborted when the call ends. */
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.over) this.controller.abort();
    return this.controller.signal;
  }

  /** Be told when the call ends. Gives back what takes that back. */
  onEnd(callback: () => void): () => void {
    this.callbacks.add(callback);
    return () => this.callbacks.delete(callback);
  }

  /** End the call, and with it all that was started for it. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.controller?.abort();
    for (const callback of this.callbacks) callback();
    this.callbacks.clear();
  }
}

/** Give the call that the present code works for; undefined outside of calls. */
export function incoming(): Incoming | undefined {
  return present.getStore();
}

/** Do something that outlives the present call, and is none of its business. */
export function outside<T>(work: () => T): T {
  return present.exit(work);
}

/** Give the id of the present call's trace in hexadecimal; empty outside of calls. */
export function traceId(): string {
  return incoming()?.span.spanContext().traceId ?? "";
}

/**
 * Give an outgoing call its milliseconds: its own or the default, and at most what the incoming call has left.
 *
 * Infinity asks for no deadline, which only a call outside of any other can have.
 */
export function limited(timeout: number | undefined, ifNone: number): number {
  return Math.min(timeout ?? ifNone, incoming()?.remaining ?? Number.POSITIVE_INFINITY);
}
