/** Outgoing calls that stream: requests, answers, or both. */

import type { Message } from "@bufbuild/protobuf";
import { type ClientDuplexStream, Metadata, type StatusObject, status } from "@grpc/grpc-js";

import { CallError } from "./call-error.js";
import { expectWanted, failed, type Outgoing, reader, ruled, same, written } from "./outgoing.js";

type Stream = ClientDuplexStream<Buffer, Message>;

/** Make a call that is answered with a stream. One that is left before its end is cancelled. */
export function streaming(call: Outgoing, input: unknown): AsyncIterableIterator<Message> {
  return new Answers(call, input);
}

/** Make a call that sends a stream and is answered once. */
export async function collecting(call: Outgoing, requests: unknown): Promise<Message> {
  let answer: Message | undefined;
  for await (const each of new Answers(call, requests)) answer = each;
  if (answer) return answer;
  throw new CallError(call.path, status.INTERNAL, "expected an answer, found none", new Metadata());
}

/** A call's answers, from its beginning to its status. It begins at once, whether or not anyone reads. */
class Answers implements AsyncIterableIterator<Message> {
  private readonly begun: Promise<Stream>;
  private readonly messages: AsyncGenerator<Message>;
  private ended: StatusObject | undefined;
  private failure: unknown;

  constructor(
    private readonly call: Outgoing,
    private readonly input: unknown,
  ) {
    this.begun = this.begin();
    this.begun.catch((error) => {
      failed(call, error);
      call.cancellation.close();
    });
    this.messages = this.read();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Message>> {
    return this.messages.next();
  }

  async return(): Promise<IteratorResult<Message>> {
    await this.begun.then((stream) => stream.cancel()).catch(() => undefined);
    return this.messages.return(undefined);
  }

  private async begin(): Promise<Stream> {
    const { call } = this;
    expectWanted(call);
    const deadline = call.policy.idle ? call.deadline : (await ruled(call))[1];
    expectWanted(call);
    const stream = call.grpc.makeBidiStreamRequest(call.path, same, reader(call), call.metadata, { deadline });
    stream.on("error", () => undefined); // it is told with the status, too
    stream.on("status", (ended: StatusObject) => {
      this.ended = ended;
      call.record.end(ended.code, ended.details);
      call.cancellation.close();
    });
    call.cancellation.do(() => stream.cancel());
    void this.send(stream);
    return stream;
  }

  private async *read(): AsyncGenerator<Message> {
    const stream = await this.begun;
    try {
      yield* stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Message>;
    } catch (error) {
      if (!this.ended) throw error;
    } finally {
      stream.cancel();
    }
    if (this.failure) throw this.failure;
    if (!this.ended || this.ended.code === status.OK) return;
    throw new CallError(this.call.path, this.ended.code, this.ended.details, this.ended.metadata);
  }

  /** Send the requests, as fast as they are taken. A failure to make them cancels the call, and is what reading tells. */
  private async send(stream: Stream): Promise<void> {
    try {
      if (this.call.descriptor.methodKind === "server_streaming") stream.write(written(this.call, this.input));
      else await this.sendEach(stream, this.input as AsyncIterable<unknown>);
      stream.end();
    } catch (error) {
      this.failure = error;
      stream.cancel();
    }
  }

  private async sendEach(stream: Stream, requests: AsyncIterable<unknown>): Promise<void> {
    for await (const request of requests) {
      if (this.ended) return;
      if (!stream.write(written(this.call, request))) await drained(stream);
    }
  }
}

/** Wait until there is room for another message, or the call has ended. */
function drained(stream: Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("status", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("status", done);
  });
}
