/** Logs as JSON lines on standard error, and the announcement on standard output. It never decides what is logged. */

import { logVerbosity, setLogger, setLogVerbosity } from "@grpc/grpc-js";

import { incoming } from "./incoming.js";

export type Level = "info" | "warning" | "error";
export type Fields = Readonly<Record<string, unknown>>;

/** Who logs. */
export interface Logger {
  readonly service: string;
  readonly instance: string;
}

let about: Logger = { service: "", instance: "" };

/** Begin: lines name this instance from now on, and Node's own warnings and gRPC's errors become lines like any other. */
export function logAs(logger: Logger): void {
  about = { service: logger.service, instance: logger.instance };
  process.removeAllListeners("warning");
  process.on("warning", (warning) => log("warning", warning.message, { stack: warning.stack }));
  const ofGrpc = (...words: unknown[]) => log("warning", words.map(String).join(" ").trim(), { library: "grpc" });
  setLogger({ error: ofGrpc, info: ofGrpc, debug: ofGrpc });
  setLogVerbosity(logVerbosity.NONE); // what fails for good reaches a call, and is told there
}

/** Write one line. `fields` may hold an `error`, which is written with its stack and what caused it. */
export function log(level: Level, message: string, fields: Fields = {}): void {
  const { error, ...others } = fields;
  const span = incoming()?.span.spanContext();
  const line = {
    time: new Date().toISOString(),
    level,
    ...about,
    message,
    ...(span ? { trace_id: span.traceId, span_id: span.spanId } : {}),
    ...others,
    ...(error === undefined ? {} : told(error)),
  };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}

/** Tell whoever started the process where it listens: one JSON line on standard output. */
export function announce(address: string, contracts: readonly string[]): void {
  const line = { time: new Date().toISOString(), level: "info", ...about, message: "announce", address, contracts };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function told(error: unknown): Fields {
  if (!(error instanceof Error)) return { error: String(error) };
  const causes: string[] = [];
  for (let cause = error.cause; cause !== undefined && causes.length < 10; ) {
    causes.push(String(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return { error: String(error), stack: error.stack, ...(causes.length > 0 ? { causes } : {}) };
}
