/**
 * What this process has to do to its calls: one stream from the control plane, and what it said last of each service.
 *
 * While there is no stream, what was said last holds. No call waits for the stream, but for those that are made before it
 * was first said what is done to them: these wait until it is, until the stream fails, or a second from when their client
 * was opened. gRPC itself waits for the control plane then, too.
 */

import { setTimeout as pause } from "node:timers/promises";

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type CallPolicy,
  TrafficService,
  type WatchCallPoliciesRequest,
  WatchCallPoliciesRequestSchema,
  WatchCallPoliciesResponseSchema,
} from "@gossamer/contracts/gossamer/mesh/v1/traffic_pb.js";
import { Client, credentials, type Metadata } from "@grpc/grpc-js";

import { Budget } from "./budget.js";
import type { Config } from "./config.js";
import { outside } from "./incoming.js";
import { log } from "./log.js";
import { type Rule, Rules } from "./rules.js";

const FIRST_WAIT = 1_000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 2_000;
const GROWTH = 1.6;
const OPTIONS = { "grpc.keepalive_time_ms": 300_000 }; // as gRPC's own streams to a control plane
const PATH = `/${TrafficService.typeName}/${TrafficService.method.watchCallPolicies.name}`;

/** What is done to the calls of one service. */
export class Policy {
  readonly budget = new Budget();
  private rules = new Rules([], false);
  private settle_!: () => void;
  private settled_ = false;
  private readonly settling = new Promise<void>((resolve) => {
    this.settle_ = resolve;
  });

  /** Whether it is settled that nothing is done to any call: most calls look at nothing else. */
  get idle(): boolean {
    return this.settled_ && this.rules.empty;
  }

  /** Whether no call has to wait. */
  get settled(): boolean {
    return this.settled_;
  }

  /** Wait until no call has to, at most so many milliseconds. */
  async settleWithin(milliseconds: number): Promise<void> {
    const late = new AbortController();
    const most = pause(Math.min(milliseconds, FIRST_WAIT), undefined, { signal: late.signal, ref: false });
    await Promise.race([this.settling, most.catch(() => undefined)]);
    late.abort();
  }

  /** Give the rule that a call falls under. */
  find(path: string, metadata: Metadata): Rule {
    return this.rules.find(path, metadata);
  }

  /** Do from now on what was said. Throws, and does as before, where that can't be done. */
  become(said: CallPolicy, carriesRetries: boolean): void {
    this.rules = new Rules(said.rules, carriesRetries);
    if (said.retryBudget) this.budget.allow(said.retryBudget.percent, said.retryBudget.minPerSecond);
    else this.budget.allowAll();
    this.settle();
  }

  /** Have no call wait any longer. */
  settle(): void {
    this.settled_ = true;
    this.settle_();
  }
}

/** The policies of all services that this process has clients of. */
export class Policies {
  private readonly known = new Map<string, Policy>();
  private stream = new AbortController();
  private lost = false;

  constructor(private readonly config: Config) {}

  /** Give the policy of a service, which the control plane is asked for from now on. */
  of(service: string): Policy {
    const policy = new Policy();
    this.known.set(service, policy);
    const { control } = this.config;
    if (control === undefined) {
      policy.settle();
      return policy;
    }
    setTimeout(() => policy.settle(), FIRST_WAIT).unref();
    this.close();
    this.stream = new AbortController();
    const { signal } = this.stream;
    void outside(() => this.follow(control, [...this.known.keys()].sort(), signal));
    return policy;
  }

  /** End the stream. */
  close(): void {
    this.stream.abort();
  }

  /** Keep a stream for these services open, and open it again whenever it ends. */
  private async follow(control: string, services: string[], signal: AbortSignal): Promise<void> {
    const { service: caller, zone } = this.config;
    const request = create(WatchCallPoliciesRequestSchema, { services, caller, zone });
    let wait = FIRST_PAUSE;
    while (!signal.aborted) {
      try {
        for await (const changed of watch(control, request, signal)) {
          if (signal.aborted) return;
          wait = FIRST_PAUSE;
          this.take(changed);
          this.settle(services);
        }
      } catch (error) {
        if (!signal.aborted) this.note(control, error);
      }
      if (signal.aborted) return;
      this.settle(services);
      await pause(wait * (0.8 + 0.4 * Math.random()), undefined, { signal, ref: false }).catch(() => undefined);
      wait = Math.min(wait * GROWTH, LONGEST_PAUSE);
    }
  }

  private take(changed: readonly CallPolicy[]): void {
    for (const said of changed) {
      try {
        this.known.get(said.service)?.become(said, this.config.carriesRetries);
      } catch (error) {
        log("error", `calls to ${said.service} can't be treated as was said, and go on as before`, { error });
      }
    }
    if (this.lost) log("info", "the control plane says again what is done to calls");
    this.lost = false;
  }

  private settle(services: readonly string[]): void {
    for (const service of services) this.known.get(service)?.settle();
  }

  /** Log once that the stream is gone. */
  private note(control: string, error: unknown): void {
    if (!this.lost) {
      const what = `the control plane at ${control} doesn't say what is done to calls; asking again`;
      log("warning", what, { error: String(error) });
    }
    this.lost = true;
  }
}

/** One stream, on a connection of its own, to its end. */
async function* watch(
  control: string,
  request: WatchCallPoliciesRequest,
  signal: AbortSignal,
): AsyncGenerator<CallPolicy[]> {
  const client = new Client(control, credentials.createInsecure(), OPTIONS);
  const write = (message: WatchCallPoliciesRequest) => Buffer.from(toBinary(WatchCallPoliciesRequestSchema, message));
  const read = (bytes: Buffer) => fromBinary(WatchCallPoliciesResponseSchema, bytes).changed;
  const stream = client.makeServerStreamRequest(PATH, write, read, request);
  const cancel = () => stream.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    yield* stream as AsyncIterable<CallPolicy[]>;
  } finally {
    signal.removeEventListener("abort", cancel);
    stream.cancel();
    client.close();
  }
}
