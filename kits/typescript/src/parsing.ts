/** How each kind of value in the environment is written. Each function throws an Error that says what it expected. */

import { isIP, SocketAddress } from "node:net";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const SERVICE_NAME = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_PORT = 65_535;
const MOST_MILLISECONDS = 2 ** 31 - 1;
const MILLISECONDS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const SHORTEST = 1e-6;
const LONGEST = 2 ** 63 / 1e6; // as Go counts: nanoseconds in 64 bits

export function serviceName(text: string): string {
  if (!SERVICE_NAME.test(text)) {
    throw new Error("expected a name of lower-case letters, digits and dashes, such as catalog");
  }
  return text;
}

export function label(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(text)) {
    throw new Error("expected letters, digits, dots, dashes and underscores");
  }
  return text;
}

/** Parse a positive duration as Go writes it, e.g. 5s, 500ms, 1m30s. Gives milliseconds. */
export function duration(text: string): number {
  const parts = [...text.matchAll(/([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|ms|s|m|h)/g)];
  const sum = parts.reduce((total, part) => total + Number(part[1]) * (MILLISECONDS[part[2] ?? ""] ?? Number.NaN), 0);
  const whole = parts.map((part) => part[0]).join("") === text;
  if (!whole || !(SHORTEST <= sum && sum < LONGEST)) {
    throw new Error("expected a time above zero with its unit, such as 5s or 500ms");
  }
  return sum;
}

export function milliseconds(text: string): number {
  const number = Number(text);
  if (!/^[0-9]+$/.test(text) || number < 1 || number > MOST_MILLISECONDS) {
    throw new Error("expected a whole number of milliseconds above zero, such as 200");
  }
  return number;
}

export function sampler(text: string): string {
  if (!/^(parentbased_)?(always_on|always_off|traceidratio)$/.test(text)) {
    throw new Error("expected always_on, always_off or traceidratio, or one of these after parentbased_");
  }
  return text;
}

export function share(text: string): number {
  if (!/^[0-9]*\.?[0-9]+$/.test(text) || Number(text) > 1) {
    throw new Error("expected a share from 0 to 1, such as 0.01");
  }
  return Number(text);
}

export function address(text: string): string {
  if (!isIP(text) || isUnspecified(text)) {
    throw new Error("expected an IP address that others can reach, without a port, such as 10.0.0.7");
  }
  return text;
}

/** Whether an IP address stands for all addresses of a machine. */
export function isUnspecified(host: string): boolean {
  const family = host.includes(":") ? "ipv6" : "ipv4";
  return ["0.0.0.0", "::"].includes(new SocketAddress({ address: host, family }).address);
}

export function listen(text: string): HostPort {
  const problem = "expected host:port with an IP address, such as 127.0.0.1:0";
  const { host, port } = hostPort(text, problem);
  if (host === "localhost") return { host: "127.0.0.1", port };
  if (!isIP(host)) throw new Error(problem);
  return { host, port };
}

/** Parse `xds`, or `static:service=host:port,...`, which gives the addresses by service. */
export function discovery(text: string): ReadonlyMap<string, readonly string[]> | undefined {
  const problem = "expected xds or static:service=host:port,...";
  if (text === "xds") return undefined;
  if (!text.startsWith("static:")) throw new Error(problem);
  const found = new Map<string, string[]>();
  for (const pair of text.slice("static:".length).split(",").filter(Boolean)) {
    const at = pair.indexOf("=");
    const [service, where] = [pair.slice(0, Math.max(at, 0)), pair.slice(at + 1)];
    if (!SERVICE_NAME.test(service) || hostPort(where, problem).port === 0) throw new Error(problem);
    found.set(service, [...(found.get(service) ?? []), where]);
  }
  return found;
}

export function url(text: string): string {
  const written = text.includes("://") ? text : `http://${text}`;
  const parts = URL.canParse(written) ? new URL(written) : undefined;
  if (!parts || !["http:", "https:"].includes(parts.protocol) || parts.port === "0") {
    throw new Error("expected an address such as http://127.0.0.1:8500");
  }
  return written.replace(/\/+$/, "");
}

/** Parse what a kit needs of gRPC's xDS bootstrap. */
export function bootstrap(text: string): { control: string; carriesRetries: boolean } {
  const said = JSON.parse(text);
  const control = said.xds_servers[0].server_uri;
  if (typeof control !== "string") throw new Error("server_uri is no text");
  return {
    control: control.replace(/^http:\/\//, ""),
    carriesRetries: said.node?.metadata?.["gossamer.retries"] === "kit",
  };
}

/** Write a host and a port as one, an IPv6 address in brackets. */
export function joined(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function hostPort(text: string, problem: string): HostPort {
  const found = /^(?:\[([^[\]]+)\]|([^:[\]]+)):([0-9]+)$/.exec(text);
  if (!found || Number(found[3]) > MAX_PORT) throw new Error(problem);
  return { host: found[1] ?? found[2] ?? "", port: Number(found[3]) };
}
