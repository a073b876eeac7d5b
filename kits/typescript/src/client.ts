/** Clients of other services by name: discovery, policy, deadline, trace and metrics of outgoing calls. */

import type { DescMessage, DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { credentials, Client as GrpcClient, Metadata } from "@grpc/grpc-js";
import { register } from "@grpc/grpc-js-xds";

import { Cancellation } from "./cancellation.js";
import type { Config } from "./config.js";
import { MAX_MESSAGE } from "./handlers.js";
import { incoming, limited } from "./incoming.js";
import type { Outgoing } from "./outgoing.js";
import type { Policy } from "./policies.js";
import { inject, Method, type Side, userAgent, within } from "./recording.js";
import { collecting, streaming } from "./streams.js";
import { unary } from "./unary.js";

/** Nothing listens there: a name without instances fails at once, as by xDS. */
const REFUSING = "127.0.0.1:1";
const ROUND_ROBIN = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] });

/** What may be said of one call. */
export interface CallOptions {
  /** Milliseconds; GOSSAMER_DEADLINE where none is given, and never more than the present incoming call has left. */
  readonly timeout?: number;
  readonly metadata?: Metadata;
  /** Cancels the call. It is cancelled with the incoming call that it is made for, too. */
  readonly signal?: AbortSignal;
}

type Call<D, I extends DescMessage, O extends DescMessage> = D extends { methodKind: "unary" }
  ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
  : D extends { methodKind: "server_streaming" }
    ? (request: MessageInitShape<I>, options?: CallOptions) => AsyncIterable<MessageShape<O>>
    : D extends { methodKind: "client_streaming" }
      ? (requests: AsyncIterable<MessageInitShape<I>>, options?: CallOptions) => Promise<MessageShape<O>>
      : (requests: AsyncIterable<MessageInitShape<I>>, options?: CallOptions) => AsyncIterable<MessageShape<O>>;

/** A contract as a caller sees it: an object with one method for each of the contract's. Calls fail with CallError. */
export type Client<S extends DescService> = {
  readonly [Name in keyof S["method"]]: S["method"][Name] extends { input: infer I; output: infer O }
    ? I extends DescMessage
      ? O extends DescMessage
        ? Call<S["method"][Name], I, O>
        : never
      : never
    : never;
};

/** The way to one service. */
export class Channel {
  private readonly grpc: GrpcClient;
  private readonly made = new Map<string, unknown>();

  constructor(
    private readonly config: Config,
    private readonly service: string,
    private readonly policy: Policy,
    private readonly side: Side,
  ) {
    if (!config.static) register();
    this.grpc = new GrpcClient(target(config, service), credentials.createInsecure(), {
      "grpc.max_receive_message_length": MAX_MESSAGE,
      "grpc.max_send_message_length": MAX_MESSAGE,
      "grpc.primary_user_agent": userAgent(config.service),
      "grpc.enable_channelz": 0,
      ...(config.static ? { "grpc.service_config": ROUND_ROBIN } : {}),
    });
  }

  /** Make a client of a contract. */
  client<S extends DescService>(contract: S): Client<S> {
    let made = this.made.get(contract.typeName);
    if (!made) {
      made = Object.fromEntries(contract.methods.map((method) => [method.localName, this.method(method)]));
      this.made.set(contract.typeName, made);
    }
    return made as Client<S>;
  }

  /** End the channel. */
  close(): void {
    this.grpc.close();
  }

  private method(descriptor: DescMethod): (input: unknown, options?: CallOptions) => unknown {
    const path = `/${descriptor.parent.typeName}/${descriptor.name}`;
    const recording = new Method(this.side, path, { "server.address": this.service });
    return (input, options = {}) => {
      const present = incoming();
      const record = recording.start(within(present?.span), this.service);
      const metadata = options.metadata?.clone() ?? new Metadata();
      inject(record.span, present?.baggage ?? "", metadata);
      return made(
        {
          grpc: this.grpc,
          policy: this.policy,
          descriptor,
          path,
          record,
          metadata,
          cancellation: new Cancellation(present, options.signal),
          deadline: Date.now() + limited(options.timeout, this.config.deadline),
        },
        input,
      );
    };
  }
}

/** Make a call. One whose promise is dropped may fail unseen, as one whose stream is dropped does. */
function made(call: Outgoing, input: unknown): unknown {
  const kind = call.descriptor.methodKind;
  if (kind === "server_streaming" || kind === "bidi_streaming") return streaming(call, input);
  const answer = kind === "unary" ? unary(call, input) : collecting(call, input);
  answer.catch(() => undefined);
  return answer;
}

function target(config: Config, service: string): string {
  if (!config.static) return `xds:///${service}`;
  const [first = REFUSING, ...others] = config.static.get(service) ?? [];
  const scheme = first.startsWith("[") ? "ipv6" : "ipv4";
  return `${scheme}:${[first, ...others].join(",")}`;
}
