/** The gRPC server of an instance: what it serves, its limits, and where it listens. It never decides when to stop. */

import type { DescService } from "@bufbuild/protobuf";
import {
  Server as GrpcServer,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";

import type { Handlers } from "./contract.js";
import { BindError } from "./errors.js";
import { MAX_MESSAGE, wrap } from "./handlers.js";
import { Health } from "./health.js";
import { answerInOnePiece, limit, policePings } from "./http2.js";
import { type HostPort, joined } from "./parsing.js";
import type { Side } from "./recording.js";
import { addReflection } from "./reflection.js";

const MAX_STREAMS = 1_000;
const MAX_HEADERS = 16 * 1_024;

/** A server that is built before it listens. */
export class Server {
  readonly health = new Health();
  private readonly served: DescService[] = [];
  private readonly givesOne = new Set<string>(); // paths of methods that answer with one message
  private readonly grpc = new GrpcServer({
    "grpc.max_receive_message_length": MAX_MESSAGE,
    "grpc.max_send_message_length": MAX_MESSAGE,
    "grpc.enable_channelz": 0,
  });

  constructor(private readonly side: Side) {
    limit(this.grpc, { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: MAX_HEADERS });
  }

  /** The names of what is served. */
  get contracts(): string[] {
    return this.served.map((contract) => contract.typeName);
  }

  /** Add a contract. A method without a handler is answered with UNIMPLEMENTED. */
  add<S extends DescService>(contract: S, handlers: Partial<Handlers<S>>): void {
    this.served.push(contract);
    const definition: Record<string, ServiceDefinition[string]> = {};
    const methods: UntypedServiceImplementation = {};
    for (const method of contract.methods) {
      const handler = handlers[method.localName as keyof Handlers<S>] as Parameters<typeof wrap>[1] | undefined;
      if (!handler) continue;
      const wrapped = wrap(method, handler.bind(handlers), this.side);
      definition[method.name] = wrapped.definition;
      if (!wrapped.definition.responseStream) this.givesOne.add(wrapped.definition.path);
      methods[method.name] = wrapped.handle;
    }
    this.grpc.addService(definition, methods);
  }

  /** Bind and answer. Gives the port. Rejects with BindError when the address can't be had. */
  async listen({ host, port }: HostPort): Promise<number> {
    this.health.begin(this.contracts);
    this.health.addToServer(this.grpc);
    addReflection(this.grpc, this.served);
    const at = joined(host, port);
    const bound = await new Promise<number>((resolve, reject) => {
      this.grpc.bindAsync(at, ServerCredentials.createInsecure(), (error, port) => {
        if (!error) resolve(port);
        const hint = "is it in use? Port 0 takes any that is free";
        reject(
          new BindError(`expected to listen on ${at} (GOSSAMER_LISTEN), but it can't be had; ${hint}`, {
            cause: error,
          }),
        );
      });
    });
    policePings(this.grpc);
    answerInOnePiece(this.grpc, (path) => this.givesOne.has(path));
    return bound;
  }

  /** Take no more calls, wait at most `grace` milliseconds for those that run, then cancel them. */
  async stop(grace: number): Promise<void> {
    this.health.endWatches();
    let late: NodeJS.Timeout | undefined;
    await Promise.race([
      new Promise<void>((resolve) => this.grpc.tryShutdown(() => resolve())),
      new Promise<void>((resolve) => {
        late = setTimeout(resolve, grace);
      }),
    ]);
    clearTimeout(late);
    this.grpc.forceShutdown();
  }
}
