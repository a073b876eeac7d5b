/** The five steps of a service's main, and their end. It owns the order; each thing has its own file. */

import type { DescService } from "@bufbuild/protobuf";
import { SpanKind } from "@opentelemetry/api";

import { Channel, type Client } from "./client.js";
import { comeBackSoon } from "./comeback.js";
import { type Config, configFromEnvironment } from "./config.js";
import type { Handlers } from "./contract.js";
import { unassigned } from "./drain.js";
import { KitError } from "./errors.js";
import { announce, log, logAs } from "./log.js";
import { joined } from "./parsing.js";
import { Policies } from "./policies.js";
import { Side } from "./recording.js";
import { Registration } from "./registration.js";
import { Server } from "./server.js";
import { Telemetry } from "./telemetry.js";

/** One instance of a service, from its configuration to its drain. */
export class Kit {
  private readonly telemetry: Telemetry;
  private readonly outgoing: Side;
  private readonly server: Server;
  private readonly policies: Policies;
  private readonly channels = new Map<string, Channel>();
  private registration: Registration | undefined;
  private port = 0;
  private readonly stopping = new AbortController();
  private readonly hurry = new AbortController();

  constructor(readonly config: Config) {
    logAs(config);
    for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, this.signalled);
    this.telemetry = new Telemetry(config);
    const { tracer } = this.telemetry;
    const incoming = this.telemetry.durations("rpc.server.call.duration", "How long incoming calls take.");
    const outgoing = this.telemetry.durations("rpc.client.call.duration", "How long outgoing calls take.");
    this.server = new Server(new Side(tracer, incoming, SpanKind.SERVER));
    this.outgoing = new Side(tracer, outgoing, SpanKind.CLIENT);
    this.policies = new Policies(config);
    comeBackSoon();
  }

  /** Aborted by the first SIGTERM or SIGINT: what may take long before `serve` should end then. */
  get stopped(): AbortSignal {
    return this.stopping.signal;
  }

  /** Open a client of a service by name. Balanced, retried and timed as the mesh says. */
  client<S extends DescService>(contract: S, service: string): Client<S> {
    let channel = this.channels.get(service);
    if (!channel) {
      channel = new Channel(this.config, service, this.policies.of(service), this.outgoing);
      this.channels.set(service, channel);
    }
    return channel.client(contract);
  }

  /** Add a contract, before `serve`. A method without a handler is answered with UNIMPLEMENTED. */
  add<S extends DescService>(contract: S, handlers: Partial<Handlers<S>>): void {
    this.server.add(contract, handlers);
  }

  /**
   * Bind, answer and announce; health says NOT_SERVING. Gives the address as host:port.
   *
   * Rejects with BindError when the address can't be had.
   */
  async serve(): Promise<string> {
    this.port = await this.server.listen(this.config.listen);
    const address = joined(this.config.advertise, this.port);
    announce(address, this.server.contracts);
    return address;
  }

  /** Become healthy, then known to the mesh. Resolves when both are so, or when a signal came first. */
  async join(): Promise<void> {
    this.server.health.serving();
    if (this.config.consul === undefined) return;
    const at = { host: this.config.advertise, port: this.port };
    this.registration = new Registration(this.config, this.config.consul, at, this.server.contracts);
    await Promise.race([this.registration.join(), aborted(this.stopped)]);
  }

  /** Wait for SIGTERM or SIGINT, then drain. A second signal ends the drain's waiting. */
  async wait(): Promise<void> {
    await aborted(this.stopped);
    log("info", "draining");
    const until = Date.now() + this.config.drain;
    this.server.health.draining();
    const hurried = aborted(this.hurry.signal);
    await Promise.race([this.leaveMesh(), hurried, after(this.config.drain)]);
    await Promise.race([this.server.stop(Math.max(until - Date.now(), 0)), hurried]);
    await this.server.stop(0);
    await this.registration?.leave();
    log("info", "drained");
  }

  /** End what still runs, at once: `wait` has drained before, unless something failed. */
  async close(): Promise<void> {
    await this.server.stop(0);
    await this.registration?.leave();
    this.policies.close();
    for (const channel of this.channels.values()) channel.close();
    await this.telemetry.close();
  }

  /** Have every client turn to other instances. Calls are still taken: some are on their way. */
  private async leaveMesh(): Promise<void> {
    if (!this.registration) return;
    await this.registration.drain();
    await unassigned(this.config.control, this.config.service, this.config.instance);
  }

  private readonly signalled = (): void => {
    if (this.stopping.signal.aborted) this.hurry.abort();
    this.stopping.abort();
  };
}

/**
 * Run a service's main to its end, and the process with it: 0, 1 for a failure, 64 for bad configuration.
 *
 * The process ends also when handlers have left something behind that would keep it.
 */
export async function run(main: (kit: Kit) => Promise<void>): Promise<never> {
  let kit: Kit | undefined;
  let exitStatus = 0;
  try {
    kit = new Kit(await configFromEnvironment());
    await main(kit);
  } catch (error) {
    exitStatus = error instanceof KitError ? error.exitStatus : 1;
    const text = error instanceof KitError ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`${text}\n`);
  }
  await kit?.close();
  process.exit(exitStatus);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function after(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
}
