/** One outgoing call as messages in and messages out, on grpc-js, which is given bytes. */

import { create, type DescMethod, fromBinary, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Client, Metadata, status } from "@grpc/grpc-js";

import { CallError } from "./call-error.js";
import type { Cancellation } from "./cancellation.js";
import type { Policy } from "./policies.js";
import type { CallRecord } from "./recording.js";
import type { Rule } from "./rules.js";

/** A call that is about to be made. */
export interface Outgoing {
  readonly grpc: Client;
  readonly policy: Policy;
  readonly descriptor: DescMethod;
  readonly path: string;
  readonly record: CallRecord;
  readonly metadata: Metadata;
  readonly cancellation: Cancellation;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
}

/** Write a request, which may be given as a plain object. */
export function written(call: Outgoing, request: unknown): Buffer {
  const schema = call.descriptor.input;
  const bytes = toBinary(schema, create(schema, request as MessageInitShape<typeof schema>));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Read an answer. */
export function reader(call: Outgoing): (bytes: Buffer) => Message {
  return (bytes) => fromBinary(call.descriptor.output, bytes);
}

/** What grpc-js is to do with bytes. */
export function same(bytes: Buffer): Buffer {
  return bytes;
}

/** Find what is done to a call, which may have to wait for that, and when that has it end. */
export async function ruled(call: Outgoing): Promise<[Rule, number]> {
  const begun = Date.now();
  if (!call.policy.settled) await call.policy.settleWithin(call.deadline - begun);
  call.policy.budget.called();
  const rule = call.policy.find(call.path, call.metadata);
  return [rule, Math.min(call.deadline, begun + rule.timeout)];
}

/** Refuse to begin what nobody waits for. */
export function expectWanted(call: Outgoing): void {
  if (!call.cancellation.cancelled) return;
  throw new CallError(call.path, status.CANCELLED, "nobody waits for what this call is for", new Metadata());
}

/** Take note of how a call failed. */
export function failed(call: Outgoing, error: unknown): void {
  if (error instanceof CallError) call.record.end(error.code, error.details);
  else call.record.end(status.INTERNAL, "not sent");
}
