/**
 * Which rule of a service's call policy a call falls under. It knows no stream, no clock and no call.
 *
 * Conditions hold as in gRPC's own xDS (gRFC A28), since a rule and a route are halves of the same entry: the values of a
 * key are joined by commas, binary keys are never there, and of a key that isn't there only its absence can hold.
 */

import type { Duration } from "@bufbuild/protobuf/wkt";
import { RE2JS } from "@bufbuild/re2";
import { type CallRule, Comparison, type HeaderMatch } from "@gossamer/contracts/gossamer/mesh/v1/traffic_pb.js";
import { type Metadata, status } from "@grpc/grpc-js";

/** What is done to some calls. Times are milliseconds, Infinity where nobody says. */
export interface Rule {
  /** The longest that a call may take, all attempts together. */
  readonly timeout: number;
  /** The longest that one attempt of a unary call may take. */
  readonly attemptTimeout: number;
  /** How often a unary call is tried again at most. */
  readonly retries: number;
  /** After which statuses it is. */
  readonly statuses: ReadonlySet<status>;
}

export const NOTHING: Rule = {
  timeout: Number.POSITIVE_INFINITY,
  attemptTimeout: Number.POSITIVE_INFINITY,
  retries: 0,
  statuses: new Set(),
};

type Holds = (text: string) => boolean;
type HoldsOfMetadata = (metadata: Metadata) => boolean;

interface Condition {
  readonly path: Holds;
  readonly headers: readonly HoldsOfMetadata[];
  readonly rule: Rule;
}

/** The rules of one service. */
export class Rules {
  private readonly all: readonly Condition[];
  private readonly ofPath = new Map<string, readonly Condition[]>();

  /**
   * Throws for a rule that no call could be compared with. Without `carriesRetries`, gRPC itself tries again, and knows
   * attempts of any length.
   */
  constructor(rules: readonly CallRule[], carriesRetries: boolean) {
    this.all = rules.map((each) => ({
      path: compared(each.match?.pathComparison ?? Comparison.UNSPECIFIED, each.match?.path ?? ""),
      headers: (each.match?.headers ?? []).map(header),
      rule: ruled(each, carriesRetries),
    }));
  }

  get empty(): boolean {
    return this.all.length === 0;
  }

  /** Give the first rule that a call matches. What can match a path is looked for once. */
  find(path: string, metadata: Metadata): Rule {
    let found = this.ofPath.get(path);
    if (!found) {
      found = this.all.filter((condition) => condition.path(path));
      this.ofPath.set(path, found);
    }
    return found.find((condition) => condition.headers.every((holds) => holds(metadata)))?.rule ?? NOTHING;
  }
}

function header(match: HeaderMatch): HoldsOfMetadata {
  if (match.comparison === Comparison.PRESENT) {
    return (metadata) => (said(metadata, match.name) !== undefined) !== match.invert;
  }
  const holds = compared(match.comparison, match.value);
  return (metadata) => {
    const value = said(metadata, match.name);
    return value !== undefined && holds(value) !== match.invert;
  };
}

/** What gRPC compares of a key; `content-type` is the same whatever a caller says. */
function said(metadata: Metadata, name: string): string | undefined {
  if (name === "content-type") return "application/grpc";
  if (name.endsWith("-bin")) return undefined;
  const values = metadata.get(name);
  return values.length > 0 ? values.join(",") : undefined;
}

function compared(comparison: Comparison, value: string): Holds {
  switch (comparison) {
    case Comparison.EXACT:
      return (text) => text === value;
    case Comparison.PREFIX:
      return (text) => text.startsWith(value);
    case Comparison.SUFFIX:
      return (text) => text.endsWith(value);
    case Comparison.CONTAINS:
      return (text) => text.includes(value);
    case Comparison.REGEX: {
      const pattern = regular(value);
      return (text) => pattern.matches(text);
    }
    default:
      throw new Error(`expected a comparison that this kit knows, found ${comparison}`);
  }
}

function regular(expression: string): RE2JS {
  try {
    return RE2JS.compile(expression);
  } catch (error) {
    throw new Error(`expected a regular expression of RE2, found ${JSON.stringify(expression)}`, { cause: error });
  }
}

function ruled(said: CallRule, carriesRetries: boolean): Rule {
  const timeout = millisecondsOf(said.timeout);
  if (!carriesRetries) return { ...NOTHING, timeout };
  const attemptTimeout = millisecondsOf(said.attemptTimeout);
  const statuses = new Set<status>();
  for (const name of said.retry?.statuses ?? []) {
    const code = status[name as keyof typeof status];
    if (code !== undefined) statuses.add(code);
  }
  if (said.attemptTimeout) statuses.add(status.DEADLINE_EXCEEDED); // of the attempt: the call may still have time
  return { timeout, attemptTimeout, retries: said.retry?.times ?? 0, statuses };
}

function millisecondsOf(duration: Duration | undefined): number {
  return duration ? Number(duration.seconds) * 1_000 + duration.nanos / 1e6 : Number.POSITIVE_INFINITY;
}
