/** A contract as a service writes it: the types of its methods, made from those that were generated. */

import type { DescMessage, DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Metadata } from "@grpc/grpc-js";

/** What a handler is told of a call besides its message. */
export interface CallContext {
  readonly metadata: Metadata;
  /** Milliseconds that are left for the call; Infinity where the caller set no deadline. */
  readonly remaining: number;
  /** Aborted when nobody waits for the call any more. */
  readonly signal: AbortSignal;
}

type Shape<D extends DescMethod, Kind> = D extends { methodKind: Kind; input: infer I; output: infer O }
  ? I extends DescMessage
    ? O extends DescMessage
      ? { in: MessageShape<I>; out: MessageInitShape<O> }
      : never
    : never
  : never;

/** A method as a service writes it. Streams are async iterables. */
export type Handler<D extends DescMethod> = D["methodKind"] extends "unary"
  ? (request: Shape<D, "unary">["in"], call: CallContext) => Promise<Shape<D, "unary">["out"]>
  : D["methodKind"] extends "server_streaming"
    ? (
        request: Shape<D, "server_streaming">["in"],
        call: CallContext,
      ) => AsyncIterable<Shape<D, "server_streaming">["out"]>
    : D["methodKind"] extends "client_streaming"
      ? (
          requests: AsyncIterable<Shape<D, "client_streaming">["in"]>,
          call: CallContext,
        ) => Promise<Shape<D, "client_streaming">["out"]>
      : (
          requests: AsyncIterable<Shape<D, "bidi_streaming">["in"]>,
          call: CallContext,
        ) => AsyncIterable<Shape<D, "bidi_streaming">["out"]>;

/** A contract as a service writes it: an object with one method for each of the contract's. */
export type Handlers<S extends DescService> = {
  [Name in keyof S["method"]]: S["method"][Name] extends DescMethod ? Handler<S["method"][Name]> : never;
};
