/** What the environment becomes. Which values are good and which are bad is for all kits to agree: tests/conformance. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { type Config, configFromEnvironment } from "../src/config.js";
import { ConfigError } from "../src/errors.js";

const BOOTSTRAP = JSON.stringify({
  xds_servers: [{ server_uri: "http://127.0.0.1:18000", channel_creds: [{ type: "insecure" }] }],
  node: { id: "test", metadata: { "gossamer.retries": "kit" } },
});

async function read(environment: Record<string, string> = {}): Promise<Config> {
  return configFromEnvironment({ GOSSAMER_SERVICE: "shop", GRPC_XDS_BOOTSTRAP_CONFIG: BOOTSTRAP, ...environment });
}

test("what is left out has its default", async () => {
  const { instance, ...config } = await read();
  assert.match(instance, /^shop-[0-9a-f]{8}$/);
  assert.deepEqual(config, {
    service: "shop",
    version: "dev",
    zone: "local",
    listen: { host: "127.0.0.1", port: 0 },
    advertise: "127.0.0.1",
    deadline: 5_000,
    drain: 20_000,
    static: undefined,
    control: "127.0.0.1:18000",
    carriesRetries: true,
    consul: "http://127.0.0.1:8500",
    consulToken: undefined,
    telemetry: undefined,
    spanDelay: 200,
    followSampling: true,
    samplingRatio: 1,
    metricInterval: 5_000,
    databaseUrl: undefined,
  });
});

test("a duration is as Go writes it, and becomes milliseconds", async () => {
  assert.equal((await read({ GOSSAMER_DEADLINE: "1m30s" })).deadline, 90_000);
  assert.equal((await read({ GOSSAMER_DEADLINE: "250us" })).deadline, 0.25);
});

test("addresses can be given, and then nothing is joined", async () => {
  const config = await read({ GOSSAMER_DISCOVERY: "static:a=127.0.0.1:1,b=[::1]:2,a=host:3" });
  assert.deepEqual(
    [...(config.static ?? [])],
    [
      ["a", ["127.0.0.1:1", "host:3"]],
      ["b", ["[::1]:2"]],
    ],
  );
  assert.deepEqual([config.control, config.consul], [undefined, undefined]);
});

test("a share of traces is kept only by the sampler that has one", async () => {
  const share = { OTEL_TRACES_SAMPLER_ARG: "0.25" };
  assert.equal((await read({ ...share, OTEL_TRACES_SAMPLER: "parentbased_traceidratio" })).samplingRatio, 0.25);
  assert.equal((await read({ ...share, OTEL_TRACES_SAMPLER: "always_on" })).samplingRatio, 1);
  assert.equal((await read({ ...share, OTEL_TRACES_SAMPLER: "always_off" })).samplingRatio, 0);
});

test("all that is bad is named at once, with what was found", async () => {
  const failure = await read({ GOSSAMER_ZONE: "zone/1", GOSSAMER_DRAIN: "never" }).catch((error: unknown) => error);
  assert(failure instanceof ConfigError);
  assert.equal(failure.exitStatus, 64);
  assert.deepEqual(failure.problems, [
    'GOSSAMER_ZONE: expected letters, digits, dots, dashes and underscores, found "zone/1"',
    'GOSSAMER_DRAIN: expected a time above zero with its unit, such as 5s or 500ms, found "never"',
  ]);
});
