/**
 * What stands between gRPC and a service's handlers: trace, deadline, validation, errors, metrics.
 *
 * Handlers are async functions and generators over protobuf-es messages; grpc-js is given bytes and takes bytes.
 */

import { create, type DescMethod, fromBinary, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  type Metadata,
  type MethodDefinition,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";

import type { CallContext } from "./contract.js";
import { type BadField, RpcError } from "./errors.js";
import { Incoming } from "./incoming.js";
import { log } from "./log.js";
import { type CallRecord, caller, Method, type Side } from "./recording.js";
import { type Answer, ofError, ofUnexpected, ofViolations } from "./status.js";
import { violations } from "./validation.js";

/** Bytes of one message. */
export const MAX_MESSAGE = 4 * 1_024 * 1_024;

/**
 * A caller whose time is over cancels its call, and that can arrive before our own clock says so: deadlines travel as
 * what is left of them, rounded up to 10 ms.
 */
const EXPIRED = 20;

type AnyHandler = (input: unknown, call: CallContext) => Promise<unknown> | AsyncIterable<unknown>;
type ServerCall = ServerUnaryCall<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/** A message breaks the contract's rules. */
class InvalidMessage extends Error {
  constructor(readonly fields: readonly BadField[]) {
    super("invalid message");
  }
}

/** What came in is no message of the method. */
class NoMessage extends Error {}

/** An answer is too large to be sent. */
class TooLarge extends Error {}

/** One method of a contract, as grpc-js is told of it. */
export interface Wrapped {
  readonly definition: MethodDefinition<Buffer, Buffer>;
  readonly handle: handleUnaryCall<Buffer, Buffer> | handleBidiStreamingCall<Buffer, Buffer>;
}

/** Put everything the kit does with an incoming call around one method. */
export function wrap(descriptor: DescMethod, handler: AnyHandler, side: Side): Wrapped {
  const path = `/${descriptor.parent.typeName}/${descriptor.name}`;
  const method = new ServedMethod(path, descriptor, handler, side);
  const streams = descriptor.methodKind;
  const same = (bytes: Buffer) => bytes;
  return {
    definition: {
      path,
      requestStream: streams === "client_streaming" || streams === "bidi_streaming",
      responseStream: streams === "server_streaming" || streams === "bidi_streaming",
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
    handle:
      streams === "unary" || streams === "client_streaming"
        ? (call, callback) => void method.answer(call, callback)
        : (call: ServerDuplexStream<Buffer, Buffer>) => void method.stream(call),
  };
}

class ServedMethod {
  private readonly domain: string;
  private readonly recording: Method;

  constructor(
    private readonly path: string,
    private readonly descriptor: DescMethod,
    private readonly handler: AnyHandler,
    side: Side,
  ) {
    const contract = descriptor.parent.typeName;
    this.domain = contract.slice(0, contract.lastIndexOf("."));
    this.recording = new Method(side, path);
  }

  /** Serve a call that is answered once. */
  async answer(call: ServerCall, callback: (error: Answer | null, bytes?: Buffer) => void): Promise<void> {
    const served = this.begin(call);
    try {
      const response = await served.run(() => this.handler(this.input(call), served.context));
      const bytes = this.written(response);
      if (served.end(status.OK)) callback(null, bytes);
    } catch (error) {
      const answer = this.failed(served, error);
      if (answer) callback(answer);
    }
  }

  /** Serve a call that is answered with a stream. */
  async stream(call: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>): Promise<void> {
    const served = this.begin(call);
    try {
      await served.run(async () => {
        const responses = this.handler(this.input(call), served.context) as AsyncIterable<unknown>;
        for await (const response of responses) {
          if (served.incoming.gone) return; // which ends the generator
          if (!call.write(this.written(response))) await drained(call, served.incoming);
        }
      });
      if (served.end(status.OK)) call.end();
    } catch (error) {
      const answer = this.failed(served, error);
      if (answer) call.emit("error", answer);
    }
  }

  private begin(call: ServerCall | ServerWritableStream<Buffer, Buffer>): Served {
    const { parent, peer, baggage } = caller(call.metadata);
    return new Served(call, this.recording.start(parent, peer), baggage);
  }

  private input(call: ServerCall | ServerWritableStream<Buffer, Buffer>): unknown {
    return "request" in call ? this.read(call.request) : this.each(call as ServerDuplexStream<Buffer, Buffer>);
  }

  private async *each(call: ServerDuplexStream<Buffer, Buffer>): AsyncGenerator<Message> {
    // Node would end the answers, too, where the requests end.
    for await (const bytes of call.iterator({ destroyOnReturn: false })) yield this.read(bytes);
  }

  private read(bytes: Buffer): Message {
    let message: Message;
    try {
      message = fromBinary(this.descriptor.input, bytes);
    } catch (error) {
      throw new NoMessage(String(error));
    }
    const found = violations(this.descriptor.input, message, bytes.byteLength);
    if (found.length > 0) throw new InvalidMessage(found);
    return message;
  }

  private written(response: unknown): Buffer {
    const schema = this.descriptor.output;
    const bytes = toBinary(schema, create(schema, response as MessageInitShape<typeof schema>));
    if (bytes.byteLength > MAX_MESSAGE) throw new TooLarge();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Record the end of a call whose handler threw; give what the caller is to be told, if there still is one. */
  private failed(served: Served, error: unknown): Answer | undefined {
    if (served.incoming.gone) return undefined; // whatever the handler makes of that is no news to anyone
    const answer = served.run(() => this.toldOf(served, error));
    return served.end(answer.code, answer.details) ? answer : undefined;
  }

  private toldOf(served: Served, error: unknown): Answer {
    if (error instanceof RpcError) return ofError(error, this.domain);
    if (error instanceof InvalidMessage) return ofViolations(error.fields, this.domain);
    if (error instanceof NoMessage) {
      return { code: status.INTERNAL, details: "the request can't be read as the method's message" };
    }
    if (error instanceof TooLarge) {
      return { code: status.RESOURCE_EXHAUSTED, details: `the answer is larger than ${MAX_MESSAGE} bytes` };
    }
    if (served.incoming.remaining <= EXPIRED) return { code: status.DEADLINE_EXCEEDED, details: "deadline exceeded" };
    log("error", `${this.path} failed unexpectedly`, { error });
    served.record.span.recordException(error instanceof Error ? error : String(error));
    return ofUnexpected(this.domain);
  }
}

/** What a handler is told of its call. */
class Context implements CallContext {
  constructor(
    readonly metadata: Metadata,
    private readonly incoming: Incoming,
  ) {}

  get remaining(): number {
    return this.incoming.remaining;
  }

  get signal(): AbortSignal {
    return this.incoming.signal;
  }
}

/** One incoming call, from its first line to its status. */
class Served {
  readonly incoming: Incoming;
  readonly context: CallContext;

  constructor(
    call: ServerCall | ServerWritableStream<Buffer, Buffer>,
    readonly record: CallRecord,
    baggage: string,
  ) {
    const deadline = call.getDeadline();
    this.incoming = new Incoming(record.span, deadline instanceof Date ? deadline.getTime() : deadline, baggage);
    this.context = new Context(call.metadata, this.incoming);
    (call as NodeJS.EventEmitter).on("cancelled", () => {
      this.end(this.incoming.remaining < EXPIRED ? status.DEADLINE_EXCEEDED : status.CANCELLED);
    });
  }

  readonly run = <T>(work: () => T): T => this.incoming.run(work);

  /** End the call unless something has before; tells whether it did. */
  end(code: status, detail = ""): boolean {
    if (this.incoming.gone) return false;
    this.record.end(code, detail);
    this.incoming.end();
    return true;
  }
}

/** Wait until there is room for another message, or nobody to read it. */
function drained(call: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>, incoming: Incoming) {
  return new Promise<void>((resolve) => {
    const stop = incoming.onEnd(done);
    call.once("drain", done);
    function done(): void {
      call.off("drain", done);
      stop();
      resolve();
    }
  });
}
