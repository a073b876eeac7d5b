/** How many retries there may be. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Budget } from "../src/budget.js";

let now = 0;
let budget: Budget;

beforeEach(() => {
  now = 1_000_000;
  budget = new Budget(() => now);
});

function call(times: number): void {
  for (let made = 0; made < times; made += 1) budget.called();
}

/** Count how many of so many retries were allowed. */
function spent(times: number): number {
  return Array.from({ length: times }, () => budget.spend()).filter(Boolean).length;
}

test("without a limit there may be any number", () => {
  assert.equal(spent(500), 500);
});

test("there may be so many for each hundred calls", () => {
  budget.allow(20, 0);
  call(50);
  assert.equal(spent(100), 10);
});

test("there may be some however few calls there are", () => {
  budget.allow(0, 0.5);
  assert.equal(spent(100), 5);
});

test("calls and retries count for ten seconds", () => {
  budget.allow(50, 0);
  call(20);
  assert.equal(spent(100), 10);
  now += 9_000;
  assert.equal(spent(100), 0);
  now += 1_000;
  call(20);
  assert.equal(spent(100), 10);
});

test("a new limit counts what was before it", () => {
  call(10);
  assert.equal(spent(5), 5);
  budget.allow(60, 0);
  assert.equal(spent(5), 1);
});
