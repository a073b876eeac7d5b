/**
 * Outgoing calls of one message that are answered once. Such a call may take several attempts, as its rule says.
 *
 * gRPC's own retries know neither a limit for one attempt nor a budget. Pauses and pushback are as theirs (gRFC A6, A44).
 */

import type { Message } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";

import { CallError, callError } from "./call-error.js";
import { expectWanted, failed, type Outgoing, reader, ruled, same, written } from "./outgoing.js";
import type { Rule } from "./rules.js";

const FIRST_PAUSE = 25;
const LONGEST_PAUSE = 250;
const PUSHBACK = "grpc-retry-pushback-ms";

/** Make a call. */
export async function unary(call: Outgoing, request: unknown): Promise<Message> {
  try {
    const bytes = written(call, request);
    const answer = call.policy.idle ? await attempt(call, bytes, call.deadline) : await attempts(call, bytes);
    call.record.end(status.OK);
    return answer;
  } catch (error) {
    failed(call, error);
    throw error;
  } finally {
    call.cancellation.close();
  }
}

async function attempts(call: Outgoing, bytes: Buffer): Promise<Message> {
  const [rule, deadline] = await ruled(call);
  for (let number = 1; ; number += 1) {
    try {
      return await attempt(call, bytes, Math.min(deadline, Date.now() + rule.attemptTimeout));
    } catch (error) {
      const wait = again(call, rule, deadline, number, error);
      if (wait === undefined) throw error;
      await call.cancellation.pause(wait);
    }
  }
}

function attempt(call: Outgoing, bytes: Buffer, deadline: number): Promise<Message> {
  expectWanted(call);
  return new Promise((resolve, reject) => {
    const { grpc, path, metadata, cancellation } = call;
    const started = grpc.makeUnaryRequest(
      path,
      same,
      reader(call),
      bytes,
      metadata.clone(),
      { deadline },
      (error, answer) => {
        if (error) reject(callError(path, error));
        else resolve(answer as Message);
      },
    );
    cancellation.do(() => started.cancel());
  });
}

/** Give the milliseconds until the next attempt, or undefined where there is to be none. */
function again(call: Outgoing, rule: Rule, deadline: number, number: number, error: unknown): number | undefined {
  if (!(error instanceof CallError) || number > rule.retries || !rule.statuses.has(error.code)) return undefined;
  if (call.cancellation.cancelled) return undefined;
  const wait = asked(error) ?? Math.min(FIRST_PAUSE * 2 ** (number - 1), LONGEST_PAUSE) * (0.8 + 0.4 * Math.random());
  if (wait < 0 || Date.now() + wait >= deadline) return undefined;
  if (!call.policy.budget.spend()) {
    call.record.event("retry budget spent", error.code, number);
    return undefined;
  }
  call.record.event("retry", error.code, number);
  return wait;
}

/** Read the pause that a server asks for; below zero it asks not to be called again. */
function asked(error: CallError): number | undefined {
  const value = error.trailers.get(PUSHBACK).at(-1);
  if (value === undefined) return undefined;
  return /^[0-9]+$/.test(String(value)) ? Number(value) : -1;
}
