/**
 * An instance's place in Consul: registered, kept registered, in maintenance, gone. It knows nothing of gRPC.
 *
 * An agent that was restarted empty forgets its services, so the registration is looked at every second.
 * https://developer.hashicorp.com/consul/api-docs/agent/service
 */

import { setTimeout as pause } from "node:timers/promises";

import type { Config } from "./config.js";
import { log } from "./log.js";
import { type HostPort, joined } from "./parsing.js";

const LOOK_EVERY = 1_000;
const ANSWER_WITHIN = 2_000;

/** One instance in one Consul agent's catalog. */
export class Registration {
  private readonly keeping = new AbortController();
  private kept: Promise<void> = Promise.resolve();

  constructor(
    private readonly config: Config,
    private readonly url: string,
    private readonly at: HostPort,
    private readonly contracts: readonly string[],
  ) {}

  /** Register, however long Consul takes to answer, and stay registered until left or closed. */
  join(): Promise<void> {
    return new Promise((resolve) => {
      this.kept = this.keep(resolve);
    });
  }

  /** Enter maintenance, so that the instance gets no calls at once and not with its next check. */
  async drain(): Promise<void> {
    await this.close();
    const query = new URLSearchParams({ enable: "true", reason: "draining" });
    await this.tried("enter maintenance", `maintenance/${this.config.instance}?${query}`);
  }

  /** Deregister. */
  async leave(): Promise<void> {
    await this.close();
    await this.tried("deregister", `deregister/${this.config.instance}`);
  }

  /** Look after the registration no longer; it stays as it is. */
  async close(): Promise<void> {
    this.keeping.abort();
    await this.kept;
  }

  private async keep(registered: () => void): Promise<void> {
    const { signal } = this.keeping;
    let known = true;
    let first = true; // whatever an earlier process left under this id is replaced
    while (!signal.aborted) {
      try {
        if (first || (await this.lost(signal))) await this.register(signal);
        if (!known) log("info", `Consul at ${this.url} answers`);
        known = true;
        first = false;
        registered();
      } catch (error) {
        if (known && !signal.aborted) log("warning", `Consul at ${this.url} doesn't answer, trying on`, { error });
        known = false;
      }
      await pause(LOOK_EVERY, undefined, { signal }).catch(() => undefined);
    }
  }

  private async lost(signal: AbortSignal): Promise<boolean> {
    const answer = await this.ask("GET", this.config.instance, undefined, signal);
    if (answer.status === 404) return true;
    await expectOk(answer);
    return false;
  }

  private async register(signal: AbortSignal): Promise<void> {
    const { config, at } = this;
    const answer = await this.ask(
      "PUT",
      "register?replace-existing-checks=true",
      {
        Name: config.service,
        ID: config.instance,
        Address: at.host,
        Port: at.port,
        Meta: {
          version: config.version,
          zone: config.zone,
          language: "typescript",
          contracts: this.contracts.join(","),
        },
        Check: {
          GRPC: joined(at.host, at.port),
          Interval: "1s",
          Timeout: "3s",
          DeregisterCriticalServiceAfter: "1m",
          Status: "passing", // it serves already; a check begins critical otherwise
        },
      },
      signal,
    );
    await expectOk(answer);
    log("info", `registered in Consul as ${config.instance} at ${joined(at.host, at.port)}`);
  }

  private async tried(what: string, path: string): Promise<void> {
    try {
      await expectOk(await this.ask("PUT", path));
    } catch (error) {
      log("warning", `Consul at ${this.url} let the instance not ${what}`, { error });
    }
  }

  private async ask(method: string, path: string, body?: object, signal?: AbortSignal): Promise<Response> {
    const late = AbortSignal.timeout(ANSWER_WITHIN);
    return fetch(`${this.url}/v1/agent/service/${path}`, {
      method,
      headers: this.config.consulToken ? { "X-Consul-Token": this.config.consulToken } : {},
      signal: signal ? AbortSignal.any([late, signal]) : late,
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  }
}

async function expectOk(answer: Response): Promise<void> {
  const text = await answer.text();
  if (!answer.ok) throw new Error(`expected status 200, found ${answer.status}: ${text.trim()}`);
}
