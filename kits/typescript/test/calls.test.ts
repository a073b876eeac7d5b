/** Calls between two kits in one process: what a handler gives is what a caller gets, in all shapes and in all failures. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { ProbeService } from "@gossamer/contracts/gossamer/probe/v1/probe_pb.js";

import { configFromEnvironment } from "../src/config.js";
import { CallError, type Client, type Handlers, RpcError, Status } from "../src/index.js";
import { Kit } from "../src/kit.js";

type Probe = Handlers<typeof ProbeService>;

const BASE = { GOSSAMER_SERVICE: "callee", GOSSAMER_DEADLINE: "5s" };

let callee: Kit;
let caller: Kit;
let probe: Client<typeof ProbeService>;

/** What the callee does, which each test says anew. */
let handlers: Partial<Probe> = {};

const delegating = new Proxy({} as Probe, {
  get: (_, name) =>
    function (this: unknown, ...words: never[]) {
      return (handlers[name as keyof Probe] as (...words: never[]) => unknown)(...words);
    },
});

before(async () => {
  callee = new Kit(await configFromEnvironment({ ...BASE, GOSSAMER_DISCOVERY: "static:" }));
  callee.add(ProbeService, delegating);
  const address = await callee.serve();
  caller = new Kit(
    await configFromEnvironment({
      ...BASE,
      GOSSAMER_SERVICE: "caller",
      GOSSAMER_DISCOVERY: `static:callee=${address}`,
    }),
  );
  probe = caller.client(ProbeService, "callee");
});

after(async () => {
  await caller.close();
  await callee.close();
});

async function failure(call: Promise<unknown>): Promise<CallError> {
  const error = await call.then(
    () => assert.fail("the call succeeded"),
    (error: unknown) => error,
  );
  assert(error instanceof CallError, String(error));
  return error;
}

async function collected<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

test("one message is answered with one", async () => {
  handlers = { echo: async (request) => ({ payload: request.payload }) };
  assert.deepEqual([...(await probe.echo({ payload: new Uint8Array([1, 2]) })).payload], [1, 2]);
});

test("one message is answered with a stream, in order", async () => {
  handlers = {
    async *count({ to }) {
      for (let number = 1; number <= to; number += 1) yield { number };
    },
  };
  const numbers = (await collected(probe.count({ to: 1_000 }))).map(({ number }) => number);
  assert.deepEqual(
    numbers,
    Array.from({ length: 1_000 }, (_, index) => index + 1),
  );
});

test("a stream is answered with one message", async () => {
  handlers = {
    async sum(requests) {
      const numbers = (await collected(requests)).map(({ number }) => number);
      return { sum: BigInt(numbers.reduce((sum, number) => sum + number, 0)) };
    },
  };
  async function* numbers() {
    yield { number: 1 };
    yield { number: 2 };
  }
  assert.equal((await probe.sum(numbers())).sum, 3n);
});

test("a conversation goes both ways", async () => {
  handlers = {
    async *chat(requests) {
      for await (const { text } of requests) yield { text: text.toUpperCase() };
    },
  };
  async function* said() {
    yield { text: "a" };
    yield { text: "b" };
  }
  assert.deepEqual(
    (await collected(probe.chat(said()))).map(({ text }) => text),
    ["A", "B"],
  );
});

test("a caller learns the reason of a domain error, and the contract that it is of", async () => {
  handlers = {
    async echo() {
      throw new RpcError(Status.NOT_FOUND, "PROBE_NOT_FOUND", "nothing to find here");
    },
  };
  const error = await failure(probe.echo({}));
  assert.deepEqual(
    [error.code, error.details, error.reason, error.domain],
    [Status.NOT_FOUND, "nothing to find here", "PROBE_NOT_FOUND", "gossamer.probe.v1"],
  );
});

test("a caller learns which fields are wrong, before the handler sees them", async () => {
  handlers = { fail: async () => assert.fail("the handler was called") };
  const error = await failure(probe.fail({ code: 99, every: -1 }));
  assert.equal(error.code, Status.INVALID_ARGUMENT);
  assert.deepEqual(
    error.fields.map(({ field }) => field),
    ["code", "every"],
  );
});

test("a stream that fails gives what came before", async () => {
  handlers = {
    async *count() {
      yield { number: 1 };
      throw new RpcError(Status.ABORTED, "PROBE_ABORTED", "enough");
    },
  };
  const seen: number[] = [];
  const error = await failure(
    (async () => {
      for await (const { number } of probe.count({ to: 2 })) seen.push(number);
    })(),
  );
  assert.deepEqual([error.code, seen], [Status.ABORTED, [1]]);
});

test("a caller that leaves a stream stops the handler", { timeout: 5_000 }, async () => {
  const stopped = new Promise<void>((resolve) => {
    handlers = {
      async *count(_, call) {
        call.signal.addEventListener("abort", () => resolve());
        for (let number = 1; ; number += 1) {
          await new Promise(setImmediate);
          yield { number };
        }
      },
    };
  });
  for await (const _ of probe.count({ to: 1 })) break;
  await stopped;
});

test("a caller's signal cancels its call, and the handler with it", { timeout: 5_000 }, async () => {
  const controller = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    handlers = {
      echo: (_, call) =>
        new Promise((answer) => {
          call.signal.addEventListener("abort", () => {
            resolve();
            answer({});
          });
          controller.abort();
        }),
    };
  });
  assert.equal((await failure(probe.echo({}, { signal: controller.signal }))).code, Status.CANCELLED);
  await stopped;
});

test("a call whose time is over ends", { timeout: 5_000 }, async () => {
  handlers = { echo: () => new Promise(() => undefined) };
  assert.equal((await failure(probe.echo({}, { timeout: 50 }))).code, Status.DEADLINE_EXCEEDED);
});

test("a request that can't be written fails its call alone", async () => {
  handlers = { echo: async () => ({}) };
  await assert.rejects(probe.wait({ duration: { seconds: "x" as unknown as bigint } }));
  await probe.echo({});
});

test("requests that can't be made fail their call with why", { timeout: 5_000 }, async () => {
  handlers = { sum: async (requests) => ({ count: (await collected(requests)).length }) };
  async function* numbers() {
    yield { number: 1 };
    throw new Error("no more numbers");
  }
  await assert.rejects(probe.sum(numbers()), /no more numbers/);
});

test("a service that nobody gave an address of is unavailable", async () => {
  assert.equal((await failure(caller.client(ProbeService, "nobody").echo({}))).code, Status.UNAVAILABLE);
});
