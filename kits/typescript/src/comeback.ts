/**
 * How soon grpc-js is back after the control plane, or an instance, was away.
 *
 * By itself, after a minute away, it looks again after up to half a minute more: its pauses grow by 1.6 up to two minutes,
 * and grpc-js-xds (1.14) lets no setting through to its connection to the control plane. So the class that counts the
 * pauses, which grpc-js exports, is given another limit, for all connections of the process.
 */

import { experimental } from "@grpc/grpc-js";

/** Milliseconds. */
const LONGEST_PAUSE = 2_000;

interface Backoff {
  maxDelay: number;
  runOnce(): void;
}

let done = false;

/** Have every connection tried again every two seconds at most, from now on. */
export function comeBackSoon(): void {
  if (done) return;
  done = true;
  const prototype = experimental.BackoffTimeout.prototype as unknown as Backoff;
  const { runOnce } = prototype;
  prototype.runOnce = function runOnceSoon(this: Backoff): void {
    this.maxDelay = Math.min(this.maxDelay, LONGEST_PAUSE);
    runOnce.call(this);
  };
}
