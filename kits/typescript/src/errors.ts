/**
 * The kit's errors. It owns what each means, and never how it is sent.
 *
 *   KitError            what keeps a service from starting
 *     ConfigError       the environment is wrong: every bad variable is named; exit status 64
 *     BindError         the address to listen on can't be had; exit status 1
 *   RpcError            an answer to a caller, thrown by an adapter: the only one a caller ever sees
 *
 * Whatever else a handler throws is unexpected: the caller learns that it failed, the log learns why. A call of another
 * service that fails rejects with a CallError (call-error.ts).
 */

import type { status } from "@grpc/grpc-js";

/** What keeps a service from starting. Its text says what was expected, what was found and what to do. */
export class KitError extends Error {
  readonly exitStatus: number = 1;
}

/** The environment is wrong. `problems` has one line for each bad variable. */
export class ConfigError extends KitError {
  override readonly exitStatus = 64;

  constructor(readonly problems: readonly string[]) {
    super(`bad configuration:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  }
}

/** The address to listen on can't be had. */
export class BindError extends KitError {}

/** A field of a request that is wrong: its path in the contract, such as `items[0].quantity`, and why. */
export interface BadField {
  readonly field: string;
  readonly description: string;
}

/**
 * A failure that the caller is told about as google.rpc.Status.
 *
 * `reason` (UPPER_SNAKE) becomes ErrorInfo.reason; its domain is the package of the contract that was called. `fields`
 * becomes BadRequest; `metadata` is ErrorInfo's.
 */
export class RpcError extends Error {
  readonly fields: readonly BadField[];
  readonly metadata: Readonly<Record<string, string>>;

  constructor(
    readonly code: status,
    readonly reason: string,
    message: string,
    more: { fields?: readonly BadField[]; metadata?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.fields = more.fields ?? [];
    this.metadata = more.metadata ?? {};
  }
}
