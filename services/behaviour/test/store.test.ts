/** Counts in a real Valkey, through the adapter: exact, bounded, the same for every instance, and never twice. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  EventKind,
  RecordEventsRequestSchema,
  TrendingRequestSchema,
  WatchTrendingRequestSchema,
} from "@gossamer/contracts/shop/behaviour/v1/behaviour_pb.js";
import { type CallContext, Metadata, RpcError, Status } from "@gossamer/kit";

import { Behaviour } from "../src/adapter.js";
import { Store } from "../src/store.js";
import { until, Valkey } from "./valkey.js";

let valkey: Valkey;
let stores: [Store, Store];
let one: Behaviour;
let other: Behaviour;
const stopped = new AbortController();

before(async () => {
  valkey = await Valkey.started();
  const store = () => new Store(valkey.url, "behaviour", () => undefined);
  stores = [store(), store()];
  for (const each of stores) each.open();
  one = new Behaviour(stores[0], stopped.signal);
  other = new Behaviour(stores[1], stopped.signal);
});

after(async () => {
  for (const each of stores) each.close();
  await valkey.stop();
});

beforeEach(async () => {
  await valkey.ask((client) => client.flushAll());
  for (const each of [one, other]) await until(async () => !!(await trending(each)));
});

function batch(products: readonly string[], batchId: string = randomUUID(), kind = EventKind.VIEW) {
  const time = timestampFromMs(Date.now());
  const events = products.map((productId) => ({ kind, productId, visitorId: "ada", time }));
  return create(RecordEventsRequestSchema, { batchId, events });
}

async function* stream<T>(...messages: T[]): AsyncGenerator<T> {
  yield* messages;
}

async function trending(behaviour: Behaviour, limit = 100): Promise<[string, bigint][]> {
  const { products } = await behaviour.trending(create(TrendingRequestSchema, { limit }));
  return (products ?? []).map(({ productId, events }) => [productId ?? "", events ?? 0n]);
}

test("100,000 events are counted exactly, in bounded memory, and every instance tells the same", async () => {
  async function* batches() {
    for (let at = 0; at < 100; at += 1) yield batch(Array.from({ length: 1_000 }, (_, n) => `product-${n % 40}`));
  }
  const answer = await one.recordEvents(batches());
  assert.deepEqual(answer, { recorded: 100_000n, repeated: 0n, ignored: 0n });
  const told = await trending(one);
  assert.equal(told.length, 40);
  for (const [product, events] of told) assert.equal(events, 2_500n, product);
  assert.deepEqual(await trending(other), told);
  const bytes = await valkey.memory();
  assert(bytes < 64 * 1024, `expected less than 64 KiB, found ${bytes} bytes`);
});

test("a minute of very many products keeps the most seen, in bounded memory", async () => {
  async function* batches() {
    yield batch(Array.from({ length: 500 }, () => "lamp"));
    for (let at = 0; at < 100; at += 1) yield batch(Array.from({ length: 1_000 }, (_, n) => `product-${at}-${n}`));
  }
  assert.equal((await one.recordEvents(batches())).recorded, 100_500n);
  assert.deepEqual((await trending(one, 1))[0], ["lamp", 500n]);
  const bytes = await valkey.memory();
  assert(bytes < 1024 * 1024, `expected less than 1 MiB, found ${bytes} bytes`);
});

test("every key expires", async () => {
  await one.recordEvents(stream(batch(["lamp"])));
  const left = await valkey.ask(async (client) => Promise.all((await client.keys("*")).map((key) => client.ttl(key))));
  assert.equal(left.length, 2);
  for (const seconds of left) assert(seconds > 0 && seconds <= 62 * 60, String(seconds));
});

test("a batch that is sent again, to another instance, is told and not counted", async () => {
  const again = batch(["lamp", "lamp"]);
  await one.recordEvents(stream(again));
  assert.deepEqual(await other.recordEvents(stream(again)), { recorded: 0n, repeated: 2n, ignored: 0n });
  assert.deepEqual(await trending(one), [["lamp", 2n]]);
});

test("the next batch is read only when the one before is counted", async () => {
  const seen: bigint[] = [];
  async function* batches() {
    for (let at = 0; at < 3; at += 1) {
      seen.push((await trending(other))[0]?.[1] ?? 0n);
      yield batch(["lamp"]);
    }
  }
  await one.recordEvents(batches());
  assert.deepEqual(seen, [0n, 1n, 2n]);
});

test("while Valkey is away it is told, and afterwards all is well again", async () => {
  const sent = batch(["lamp"]);
  await valkey.stop();
  await assert.rejects(
    () => one.recordEvents(stream(sent)),
    (error) => error instanceof RpcError && error.code === Status.UNAVAILABLE && error.reason === "STORE_UNAVAILABLE",
  );
  await valkey.start();
  await until(async () => !!(await trending(one)));
  await one.recordEvents(stream(sent));
  await one.recordEvents(stream(sent));
  assert.deepEqual(await trending(one), [["lamp", 1n]]);
});

test("a watcher is told of a change, and its stream ends in order when the instance stops", async () => {
  const call: CallContext = { metadata: new Metadata(), remaining: 10_000, signal: new AbortController().signal };
  const told = one.watchTrending(create(WatchTrendingRequestSchema, {}), call);
  assert.deepEqual((await told.next()).value, { products: [] });
  await other.recordEvents(stream(batch(["lamp"])));
  assert.deepEqual((await told.next()).value, { products: [{ productId: "lamp", events: 1n }] });
  const end = told.next();
  stopped.abort();
  assert.equal((await end).done, true);
});
