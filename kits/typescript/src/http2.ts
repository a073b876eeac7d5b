/**
 * What grpc-js (1.14) has no options for: the size of a header list, how often a client may ping, and answers that leave
 * in one piece. It reaches into two fields of grpc-js that are not public, and says so when they are no longer there.
 */

import {
  constants,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from "node:http2";

import type { Server } from "@grpc/grpc-js";

/** Milliseconds. Pings every 10 s pass, even bunched; the third that comes too soon is one too many, as for other gRPC servers. */
const MIN_PING_INTERVAL = 5_000;
const MOST_STRIKES = 2;

interface Inside {
  readonly commonServerOptions?: { settings?: Settings };
  readonly http2Servers?: ReadonlyMap<Http2Server, unknown>;
}

/** Tell every client these settings. Before the server is bound. */
export function limit(server: Server, settings: Settings): void {
  const options = (server as unknown as Inside).commonServerOptions;
  if (!options)
    throw new Error("expected grpc-js's Server to have commonServerOptions; is its version the locked one?");
  options.settings = { ...options.settings, ...settings };
}

/** End every connection that pings without pause. Once the server is bound. */
export function policePings(server: Server): void {
  for (const each of bound(server)) each.on("session", police);
}

/**
 * Have answers of methods that give one message leave in one piece. By itself grpc-js sends the status when the message
 * has been written: an instance that is killed in between has begun an answer, and what was begun is never tried again.
 * Once the server is bound.
 */
export function answerInOnePiece(server: Server, givesOne: (path: string) => boolean): void {
  for (const each of bound(server)) {
    each.prependListener("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      if (givesOne(String(headers[constants.HTTP2_HEADER_PATH]))) holdUntilEnd(stream);
    });
  }
}

/** Keep what is written until the stream's end, which grpc-js asks for when the message is said to be written. */
function holdUntilEnd(stream: ServerHttp2Stream): void {
  const write = stream.write.bind(stream) as (chunk: Buffer) => boolean;
  stream.write = ((chunk: Buffer, written: () => void) => {
    stream.cork();
    queueMicrotask(written);
    return write(chunk);
  }) as typeof stream.write;
}

function bound(server: Server): Iterable<Http2Server> {
  const servers = (server as unknown as Inside).http2Servers;
  if (!servers) throw new Error("expected grpc-js's Server to have http2Servers; is its version the locked one?");
  return servers.keys();
}

/** Only pings while no call runs count: with calls, gRPC's libraries ping to measure how much they may send. */
function police(session: ServerHttp2Session): void {
  let last = Number.NEGATIVE_INFINITY;
  let calls = 0;
  let strikes = 0;
  session.on("stream", (stream) => {
    calls += 1;
    strikes = 0;
    stream.once("close", () => {
      calls -= 1;
    });
  });
  session.on("ping", () => {
    const now = performance.now();
    if (calls === 0 && now - last < MIN_PING_INTERVAL) strikes += 1;
    last = now;
    if (strikes <= MOST_STRIKES || session.destroyed) return;
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, undefined, Buffer.from("too_many_pings"));
    session.destroy();
  });
}
