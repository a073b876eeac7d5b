/** What a service is told by its environment. Only this file and `parsing.ts` know how; nothing is bound here. */

import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";

import { ConfigError } from "./errors.js";
import * as parse from "./parsing.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything a kit is told. Each field names its variable, its unit and its default. */
export interface Config {
  /** GOSSAMER_SERVICE: the service's name; required. */
  readonly service: string;
  /** GOSSAMER_INSTANCE: this instance's id; default: the service's name and a random suffix. */
  readonly instance: string;
  /** GOSSAMER_VERSION: label for splits and subsets; default: dev. */
  readonly version: string;
  /** GOSSAMER_ZONE: locality; default: local. */
  readonly zone: string;
  /** GOSSAMER_LISTEN: where to listen; port 0, the default, lets the system choose. */
  readonly listen: parse.HostPort;
  /** GOSSAMER_ADVERTISE: the address others reach it by; default: the listen host, or the first that is no loopback. */
  readonly advertise: string;
  /** GOSSAMER_DEADLINE: milliseconds that outgoing calls get which set none; default: 5 s. */
  readonly deadline: number;
  /** GOSSAMER_DRAIN: most milliseconds for a drain; default: 20 s. */
  readonly drain: number;
  /** GOSSAMER_DISCOVERY: addresses by service for `static:...`; undefined follows the control plane by xDS. */
  readonly static: ReadonlyMap<string, readonly string[]> | undefined;
  /** host:port of the control plane, out of GRPC_XDS_BOOTSTRAP or GRPC_XDS_BOOTSTRAP_CONFIG. */
  readonly control: string | undefined;
  /**
   * Whether calls are tried again here: the bootstrap's node says so (metadata "gossamer.retries" = "kit"), so that gRPC
   * itself is not told to.
   */
  readonly carriesRetries: boolean;
  /** CONSUL_HTTP_ADDR as a URL; default http://127.0.0.1:8500, with static discovery none: it joins nothing. */
  readonly consul: string | undefined;
  /** CONSUL_HTTP_TOKEN. */
  readonly consulToken: string | undefined;
  /** OTEL_EXPORTER_OTLP_ENDPOINT as a URL; undefined exports nothing. */
  readonly telemetry: string | undefined;
  /** OTEL_BSP_SCHEDULE_DELAY: most milliseconds until a span is sent; default: 200. */
  readonly spanDelay: number;
  /** OTEL_TRACES_SAMPLER: whether what a caller says about keeping its trace is followed (`parentbased_...`). */
  readonly followSampling: boolean;
  /** OTEL_TRACES_SAMPLER and its _ARG: the share of traces that is kept of those that begin here; default: 1. */
  readonly samplingRatio: number;
  /** OTEL_METRIC_EXPORT_INTERVAL: milliseconds between two reports of the metrics; default: 5000. */
  readonly metricInterval: number;
  /** DATABASE_URL, for services that have a database. */
  readonly databaseUrl: string | undefined;
}

/** Read and check everything. Rejects with ConfigError, which names every bad variable at once. */
export async function configFromEnvironment(environment: Environment = process.env): Promise<Config> {
  const reader = new Reader(environment);
  const service = reader.get("GOSSAMER_SERVICE", parse.serviceName);
  const listen = reader.get("GOSSAMER_LISTEN", parse.listen, { host: "127.0.0.1", port: 0 });
  const given = reader.get("GOSSAMER_DISCOVERY", parse.discovery, undefined);
  const sampler = reader.get("OTEL_TRACES_SAMPLER", parse.sampler, "parentbased_always_on");
  const share = sampler.endsWith("traceidratio") ? reader.get("OTEL_TRACES_SAMPLER_ARG", parse.share, 1) : 1;
  const config: Config = {
    service,
    instance: reader.get("GOSSAMER_INSTANCE", parse.label, `${service}-${randomBytes(4).toString("hex")}`),
    version: reader.get("GOSSAMER_VERSION", parse.label, "dev"),
    zone: reader.get("GOSSAMER_ZONE", parse.label, "local"),
    listen,
    advertise: reader.get("GOSSAMER_ADVERTISE", parse.address, "") || (await reachable(listen.host)),
    deadline: reader.get("GOSSAMER_DEADLINE", parse.duration, 5_000),
    drain: reader.get("GOSSAMER_DRAIN", parse.duration, 20_000),
    static: given,
    ...(given ? { control: undefined, carriesRetries: false } : reader.bootstrap()),
    consul: reader.get("CONSUL_HTTP_ADDR", parse.url, given ? undefined : "http://127.0.0.1:8500"),
    consulToken: environment["CONSUL_HTTP_TOKEN"] || undefined,
    telemetry: reader.get("OTEL_EXPORTER_OTLP_ENDPOINT", parse.url, undefined),
    spanDelay: reader.get("OTEL_BSP_SCHEDULE_DELAY", parse.milliseconds, 200),
    followSampling: sampler.startsWith("parentbased_"),
    samplingRatio: sampler.endsWith("always_off") ? 0 : share,
    metricInterval: reader.get("OTEL_METRIC_EXPORT_INTERVAL", parse.milliseconds, 5_000),
    databaseUrl: environment["DATABASE_URL"] || undefined,
  };
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  return config;
}

/** Reads variables one by one and gathers what is wrong with them. */
class Reader {
  readonly problems: string[] = [];

  constructor(private readonly environment: Environment) {}

  /** Read one. Without a default, `ifAbsent`, it has to be there. */
  get<T, D = never>(name: string, read: (text: string) => T, ...ifAbsent: [] | [D]): T | D {
    const text = this.environment[name] ?? "";
    if (text === "" && ifAbsent.length > 0) return ifAbsent[0] as D;
    try {
      return read(text);
    } catch (error) {
      this.problems.push(`${name}: ${(error as Error).message}, found ${JSON.stringify(text)}`);
      return ifAbsent[0] as D;
    }
  }

  /**
   * Find the control plane where gRPC itself does, and whether gRPC is told of retries. A file wins over text (gRFC A27).
   */
  bootstrap(): Pick<Config, "control" | "carriesRetries"> {
    const name = this.environment["GRPC_XDS_BOOTSTRAP"] ? "GRPC_XDS_BOOTSTRAP" : "GRPC_XDS_BOOTSTRAP_CONFIG";
    const text = this.environment[name];
    if (!text) {
      this.problems.push(
        "GRPC_XDS_BOOTSTRAP_CONFIG: expected gRPC's xDS bootstrap, found nothing; " +
          "set it, or set GOSSAMER_DISCOVERY=static:... to do without a control plane",
      );
      return { control: undefined, carriesRetries: false };
    }
    try {
      return parse.bootstrap(name === "GRPC_XDS_BOOTSTRAP" ? readFileSync(text, "utf8") : text);
    } catch (error) {
      const found = `found ${JSON.stringify(text)} (${(error as Error).message})`;
      this.problems.push(`${name}: expected JSON with xds_servers[0].server_uri, ${found}`);
      return { control: undefined, carriesRetries: false };
    }
  }
}

/** Find an address that others reach a listener by: its own, or for "all" the one that outgoing packets have. */
async function reachable(host: string): Promise<string> {
  if (!parse.isUnspecified(host)) return host;
  const six = host.includes(":");
  const socket = createSocket(six ? "udp6" : "udp4");
  try {
    socket.connect(9, six ? "2001:db8::1" : "192.0.2.1"); // connecting a datagram socket sends nothing
    await once(socket, "connect");
    return socket.address().address;
  } catch {
    return six ? "::1" : "127.0.0.1";
  } finally {
    socket.close();
  }
}
