/** The probe contract as its proto says: it does what it is told, and tells what it saw. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import {
  type CallFailureSchema,
  CallMethod,
  type CallRequest,
  type CallResponseSchema,
  type ChatRequest,
  type ChatResponseSchema,
  type CountRequest,
  type CountResponseSchema,
  type EchoRequest,
  type EchoResponseSchema,
  FailMode,
  type FailRequest,
  type FailResponseSchema,
  type HopSchema,
  ProbeService,
  type RelayRequest,
  type RelayResponseSchema,
  type SumRequest,
  type SumResponseSchema,
  type WaitRequest,
  type WaitResponseSchema,
} from "@gossamer/contracts/gossamer/probe/v1/probe_pb.js";

import { type CallContext, CallError, type Handlers, type Kit, RpcError, Status, traceId } from "../src/index.js";
import { chat, count, sum } from "./streams.js";

/** How many calls of a key wait, and how many have given up. */
interface Waits {
  waiting: number;
  cancelled: number;
}

export class Probe implements Handlers<typeof ProbeService> {
  private readonly waits = new Map<string, Waits>();
  private fails = 0;

  constructor(private readonly kit: Kit) {}

  async echo(request: EchoRequest, call: CallContext): Promise<MessageInitShape<typeof EchoResponseSchema>> {
    return { payload: request.payload, hop: this.hop(call), padding: new Uint8Array(request.responsePadding) };
  }

  async relay(request: RelayRequest, call: CallContext): Promise<MessageInitShape<typeof RelayResponseSchema>> {
    const hop = this.hop(call);
    const [next, ...services] = request.services;
    if (next === undefined) {
      await this.pause(call, durationOf(request.lastWait), "relay");
      return { hops: [hop] };
    }
    const rest = request.lastWait ? { services, lastWait: request.lastWait } : { services };
    const answer = await this.kit.client(ProbeService, next).relay(rest);
    return { hops: [hop, ...answer.hops] };
  }

  async wait(request: WaitRequest, call: CallContext): Promise<MessageInitShape<typeof WaitResponseSchema>> {
    const { cancelled, waiting } = this.waitsOf(request.key);
    await this.pause(call, durationOf(request.duration), request.key, request.ignoreCancellation);
    return { cancelled, waiting, hop: this.hop(call) };
  }

  async call(request: CallRequest, call: CallContext): Promise<MessageInitShape<typeof CallResponseSchema>> {
    const { first } = request;
    if (first) await this.pause(call, durationOf(first.duration), first.key, first.ignoreCancellation);
    const callee = this.kit.client(ProbeService, request.service);
    switch (request.method) {
      case CallMethod.ECHO:
        return answered(await callee.echo({}));
      case CallMethod.WAIT:
        return answered(await callee.wait(request.wait ?? {}));
      case CallMethod.FAIL:
        return { failure: await failure(callee.fail({ mode: FailMode.DOMAIN })) };
      case CallMethod.REFUSED:
        return { failure: await failure(callee.fail({ code: 99 })) };
      case CallMethod.COUNT:
        await count(callee, request.abandon);
        return {};
      case CallMethod.SUM:
        await sum(callee, request.abandon);
        return {};
      default:
        await chat(callee, request.abandon);
        return {};
    }
  }

  async fail(request: FailRequest, call: CallContext): Promise<MessageInitShape<typeof FailResponseSchema>> {
    this.fails += 1;
    const here = ["", this.kit.config.instance].includes(request.onlyInstance);
    if (here && this.fails % Math.max(request.every, 1) === 0) fail(request);
    return { hop: this.hop(call) };
  }

  async *count(request: CountRequest, call: CallContext): AsyncGenerator<MessageInitShape<typeof CountResponseSchema>> {
    for (let number = 1; number <= request.to; number += 1) {
      if (number > 1 && request.interval) await this.pause(call, durationOf(request.interval), "count");
      yield { number };
    }
  }

  async sum(requests: AsyncIterable<SumRequest>): Promise<MessageInitShape<typeof SumResponseSchema>> {
    let [total, count] = [0, 0];
    for await (const { number } of requests) {
      total += number;
      count += 1;
    }
    return { sum: BigInt(total), count };
  }

  async *chat(requests: AsyncIterable<ChatRequest>): AsyncGenerator<MessageInitShape<typeof ChatResponseSchema>> {
    for await (const { text } of requests) yield { text, instance: this.kit.config.instance };
  }

  /** Wait, and count who waits and who gave up. */
  private async pause(call: CallContext, milliseconds: number, key: string, ignore = false): Promise<void> {
    const waits = this.waitsOf(key);
    const { signal } = call;
    const gaveUp = () => {
      waits.cancelled += 1;
    };
    waits.waiting += 1;
    signal.addEventListener("abort", gaveUp);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      if (ignore) return;
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
    signal.removeEventListener("abort", gaveUp);
    waits.waiting -= 1;
    if (!ignore) signal.throwIfAborted();
  }

  private waitsOf(key: string): Waits {
    const known = this.waits.get(key) ?? { waiting: 0, cancelled: 0 };
    this.waits.set(key, known);
    return known;
  }

  /** What this instance saw of a call. */
  private hop(call: CallContext): MessageInitShape<typeof HopSchema> {
    const { service, instance } = this.kit.config;
    const texts = Object.entries(call.metadata.getMap()).filter(([, value]) => typeof value === "string");
    return {
      service,
      instance,
      language: "typescript",
      metadata: Object.fromEntries(texts) as Record<string, string>,
      traceId: traceId(),
      ...(call.remaining === Number.POSITIVE_INFINITY ? {} : { remaining: durationFromMs(call.remaining) }),
    };
  }
}

/** What can be read of a call that fails. */
async function failure(call: Promise<unknown>): Promise<MessageInitShape<typeof CallFailureSchema>> {
  try {
    await call;
    return {};
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    const { code, details, reason, domain, fields } = error;
    return { code, message: details, reason, domain, fields: fields.map(({ field }) => field) };
  }
}

function answered({ hop }: { hop?: MessageInitShape<typeof HopSchema> | undefined }) {
  return hop ? { hop } : {};
}

function fail(request: FailRequest): void {
  switch (request.mode) {
    case FailMode.STATUS:
      if (request.code !== 0) throw new RpcError(request.code, "PROBE_STATUS", "failed as told");
      return;
    case FailMode.DOMAIN:
      throw new RpcError(Status.NOT_FOUND, "PROBE_NOT_FOUND", "nothing to find here");
    case FailMode.UNEXPECTED:
    case FailMode.PANIC:
      throw new Error("secret: nobody must see this");
    default:
  }
}

function durationOf(duration: Parameters<typeof durationMs>[0] | undefined): number {
  return duration ? durationMs(duration) : 0;
}
