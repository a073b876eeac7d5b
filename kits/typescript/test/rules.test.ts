/** Which rule a call falls under. The cases are those of all kits. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { CallRuleSchema } from "@gossamer/contracts/gossamer/mesh/v1/traffic_pb.js";
import { Metadata, status } from "@grpc/grpc-js";

import { NOTHING, Rules } from "../src/rules.js";

interface Case {
  readonly name: string;
  readonly rules: readonly JsonObject[];
  readonly calls: readonly { path: string; metadata?: readonly [string, string][]; rule: number | null }[];
}

const FILE = new URL("../../../../tests/conformance/call_rules.json", import.meta.url);
const CASES: readonly Case[] = JSON.parse(readFileSync(FILE, "utf8"));

function rules(written: readonly JsonObject[], carriesRetries = true): Rules {
  return new Rules(
    written.map((rule) => fromJson(CallRuleSchema, rule)),
    carriesRetries,
  );
}

function metadata(pairs: readonly [string, string][]): Metadata {
  const made = new Metadata();
  for (const [key, value] of pairs) made.add(key, key.endsWith("-bin") ? Buffer.from(value) : value);
  return made;
}

for (const each of CASES) {
  test(`a call falls under its rule: ${each.name}`, () => {
    const found = rules(each.rules.map((rule, number) => ({ ...rule, timeout: `${number + 1}s` })));
    for (const call of each.calls) {
      const expected = call.rule === null ? Number.POSITIVE_INFINITY : (call.rule + 1) * 1_000;
      assert.equal(found.find(call.path, metadata(call.metadata ?? [])).timeout, expected, JSON.stringify(call));
    }
  });
}

for (const match of [{ pathComparison: "COMPARISON_REGEX", path: "(" }, { pathComparison: 99 }, {}]) {
  test(`what no call can be compared with is refused: ${JSON.stringify(match)}`, () => {
    assert.throws(() => rules([{ match }]), /expected/);
  });
}

const RETRIES = {
  match: { pathComparison: "COMPARISON_PREFIX" },
  timeout: "2s",
  attemptTimeout: "0.5s",
  retry: { times: 3, statuses: ["UNAVAILABLE", "SOMETHING_NEW"] },
};

test("a limit of an attempt makes its end one to try again after", () => {
  assert.deepEqual(rules([RETRIES]).find("/a/B", new Metadata()), {
    timeout: 2_000,
    attemptTimeout: 500,
    retries: 3,
    statuses: new Set([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]),
  });
});

test("where gRPC itself tries again, only the time is limited", () => {
  assert.deepEqual(rules([RETRIES], false).find("/a/B", new Metadata()), { ...NOTHING, timeout: 2_000 });
});
