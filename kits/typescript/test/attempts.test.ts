/** What a call policy does to calls: how long they may take, and how often they are tried. */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { CallPolicySchema } from "@gossamer/contracts/gossamer/mesh/v1/traffic_pb.js";
import { ProbeService } from "@gossamer/contracts/gossamer/probe/v1/probe_pb.js";
import { SpanKind } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

import { Channel, type Client } from "../src/client.js";
import { configFromEnvironment } from "../src/config.js";
import { CallError, RpcError, Status } from "../src/index.js";
import { Kit } from "../src/kit.js";
import { Policy } from "../src/policies.js";
import { Side } from "../src/recording.js";

const RETRY = { times: 3, statuses: ["UNAVAILABLE"] };

const spans = new InMemorySpanExporter();
const tracer = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] }).getTracer("test");

let callee: Kit;
let address: string;
let channel: Channel | undefined;

/** How many calls came, and what is done to each. */
let calls = 0;
let behaviour: (call: number) => Promise<object> = async () => ({});

before(async () => {
  callee = new Kit(await configFromEnvironment({ GOSSAMER_SERVICE: "callee", GOSSAMER_DISCOVERY: "static:" }));
  const echo = () => {
    calls += 1;
    return behaviour(calls);
  };
  const count = async function* () {
    yield await echo();
  };
  callee.add(ProbeService, { echo, count });
  address = await callee.serve();
});

beforeEach(() => {
  calls = 0;
  channel?.close();
  spans.reset();
});

after(async () => {
  channel?.close();
  await callee.close();
});

/** Make a client whose calls are all treated so. */
async function treated(rule: JsonObject, more: JsonObject = {}): Promise<Client<typeof ProbeService>> {
  const config = await configFromEnvironment({
    GOSSAMER_SERVICE: "caller",
    GOSSAMER_DISCOVERY: `static:callee=${address}`,
  });
  const policy = new Policy();
  const match = { pathComparison: "COMPARISON_PREFIX" };
  policy.become(fromJson(CallPolicySchema, { rules: [{ match, ...rule }], ...more }), true);
  const durations = { record: () => undefined };
  channel = new Channel(config, "callee", policy, new Side(tracer, durations, SpanKind.CLIENT));
  return channel.client(ProbeService);
}

async function codeOf(call: Promise<unknown>): Promise<Status> {
  return call.then(
    () => Status.OK,
    (error: unknown) => (error instanceof CallError ? error.code : assert.fail(String(error))),
  );
}

function unavailable(until = Number.POSITIVE_INFINITY): typeof behaviour {
  return async (call) => {
    if (call < until) throw new RpcError(Status.UNAVAILABLE, "PROBE_AWAY", "away");
    return {};
  };
}

const never = () => new Promise<object>(() => undefined);

test("a call is tried again after the statuses that were said", async () => {
  behaviour = unavailable(3);
  assert.deepEqual([await codeOf((await treated({ retry: RETRY })).echo({})), calls], [Status.OK, 3]);
});

test("a call is not tried again after any other", async () => {
  behaviour = async () => {
    throw new RpcError(Status.ABORTED, "PROBE_ABORTED", "enough");
  };
  assert.deepEqual([await codeOf((await treated({ retry: RETRY })).echo({})), calls], [Status.ABORTED, 1]);
});

test("a call is tried as often as was said and no more", async () => {
  behaviour = unavailable();
  assert.deepEqual([await codeOf((await treated({ retry: RETRY })).echo({})), calls], [Status.UNAVAILABLE, 4]);
});

test("an attempt that takes too long is given up for another", { timeout: 5_000 }, async () => {
  behaviour = (call) => (call === 1 ? never() : Promise.resolve({}));
  const probe = await treated({ retry: RETRY, attemptTimeout: "0.5s" });
  assert.deepEqual([await codeOf(probe.echo({})), calls], [Status.OK, 2]);
});

test("all attempts together take no longer than the call may", { timeout: 5_000 }, async () => {
  behaviour = never;
  const probe = await treated({ retry: RETRY, attemptTimeout: "0.3s", timeout: "0.5s" });
  assert.deepEqual([await codeOf(probe.echo({})), calls], [Status.DEADLINE_EXCEEDED, 2]);
});

test("a stream takes no longer than a call may, and is not tried again", { timeout: 5_000 }, async () => {
  behaviour = never;
  const probe = await treated({ retry: RETRY, timeout: "0.1s" });
  const read = probe.count({ to: 1 })[Symbol.asyncIterator]().next();
  assert.deepEqual([await codeOf(read), calls], [Status.DEADLINE_EXCEEDED, 1]);
});

test("nothing is tried again once the budget is spent", async () => {
  behaviour = unavailable();
  const probe = await treated({ retry: RETRY }, { retryBudget: { percent: 200 } });
  assert.deepEqual([await codeOf(probe.echo({})), calls], [Status.UNAVAILABLE, 3]);
});

test("a call that was cancelled is not tried again", { timeout: 5_000 }, async () => {
  const controller = new AbortController();
  behaviour = (call) => {
    controller.abort();
    return unavailable()(call);
  };
  const probe = await treated({ retry: RETRY });
  assert.deepEqual([await codeOf(probe.echo({}, { signal: controller.signal })), calls], [Status.CANCELLED, 1]);
});

test("all attempts are one span, with an event for each that failed", async () => {
  behaviour = unavailable(3);
  await (await treated({ retry: RETRY })).echo({});
  assert.deepEqual(
    spans.getFinishedSpans().map(({ events }) => events.map(({ name, attributes }) => [name, attributes])),
    [
      [
        ["retry", { "rpc.response.status_code": "UNAVAILABLE", attempt: 1 }],
        ["retry", { "rpc.response.status_code": "UNAVAILABLE", attempt: 2 }],
      ],
    ],
  );
});
