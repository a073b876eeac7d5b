/** What is counted and ranked, without gRPC and Valkey. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { minutesUntil, ranked, tally } from "../src/events.js";
import { changes } from "../src/watch.js";

const NOW = 1_000 * 60_000;

test("events of one minute, kind and product are one count", () => {
  const view = { kind: "view", product: "lamp", at: NOW } as const;
  const { counts, recorded } = tally([view, view, { ...view, kind: "cart" }], NOW);
  assert.deepEqual(counts, [
    { minute: 1_000, kind: "view", product: "lamp", events: 2 },
    { minute: 1_000, kind: "cart", product: "lamp", events: 1 },
  ]);
  assert.equal(recorded, 3);
});

test("events older than ten minutes or more than one ahead are ignored", () => {
  const at = (time: number) => ({ kind: "view", product: "lamp", at: time }) as const;
  const { recorded, ignored } = tally([at(NOW - 600_001), at(NOW - 600_000), at(NOW + 60_000), at(NOW + 60_001)], NOW);
  assert.deepEqual([recorded, ignored], [2, 2]);
});

test("a window ends with the present minute", () => {
  assert.deepEqual(minutesUntil(NOW + 59_999, 3), [1_000, 999, 998]);
});

test("the most seen comes first, equals by id", () => {
  const products = [
    { id: "b", events: 1 },
    { id: "c", events: 2 },
    { id: "a", events: 1 },
  ];
  assert.deepEqual(
    ranked(products, 2).map(({ id }) => id),
    ["c", "a"],
  );
});

test("a watcher is told at once, then only of changes", async () => {
  const ended = new AbortController();
  const answers = [1, 1, 2, 2];
  const ask = async () => {
    const answer = answers.shift();
    if (answers.length === 0) ended.abort();
    return answer;
  };
  const told = [];
  for await (const each of changes(ask, ended.signal, 1)) told.push(each);
  assert.deepEqual(told, [1, 2]);
});
