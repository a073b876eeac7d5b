/** How long grpc-js pauses between tries. How soon a client is back is seen in tests/network. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { experimental } from "@grpc/grpc-js";

import { comeBackSoon } from "../src/comeback.js";

/** Give the pauses, in milliseconds, before so many tries. */
function pauses(context: { mock: typeof test.mock }, tries: number): number[] {
  const found: number[] = [];
  const timer = context.mock.method(globalThis, "setTimeout", (_: () => void, delay: number) => {
    found.push(delay);
    return { unref() {} } as NodeJS.Timeout;
  });
  const backoff = new experimental.BackoffTimeout(() => undefined);
  found.length = 0; // it makes a timer that never runs
  for (let tried = 0; tried < tries; tried += 1) backoff.runOnce();
  timer.mock.restore();
  return found;
}

test("no pause is longer than two seconds, give or take a fifth, where by itself it would be", (context) => {
  const alone = pauses(context, 20);
  assert(alone.some((pause) => pause > 60_000));
  comeBackSoon();
  const soon = pauses(context, 20);
  assert.equal(soon.length, 20);
  assert(
    soon.every((pause) => pause <= 2_400),
    String(soon),
  );
});
