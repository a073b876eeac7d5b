/** The contract over counts and watching: translates messages and failures, and decides nothing. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type BehaviourService,
  EventKind,
  type RecordEventsRequest,
  type RecordEventsResponseSchema,
  type TrendingRequest,
  type TrendingResponseSchema,
  type WatchTrendingRequest,
  type WatchTrendingResponseSchema,
} from "@gossamer/contracts/shop/behaviour/v1/behaviour_pb.js";
import { type CallContext, type Handlers, log, RpcError, Status } from "@gossamer/kit";

import { type Event, KINDS, type Kind, MINUTE, type Query, tally } from "./events.js";
import { type Store, StoreUnavailableError } from "./store.js";
import { changes } from "./watch.js";

export class Behaviour implements Handlers<typeof BehaviourService> {
  /** `stopped` is aborted when the instance is being stopped. */
  constructor(
    private readonly store: Store,
    private readonly stopped: AbortSignal,
  ) {}

  async recordEvents(
    requests: AsyncIterable<RecordEventsRequest>,
  ): Promise<MessageInitShape<typeof RecordEventsResponseSchema>> {
    const told = { recorded: 0n, repeated: 0n, ignored: 0n };
    // The next batch is read when this one is counted: HTTP/2's window holds the caller back meanwhile.
    for await (const { batchId, events } of requests) {
      const { counts, recorded, ignored } = tally(events.map(eventOf), Date.now());
      if (await known(this.store.count(batchId.toLowerCase(), counts))) {
        told.recorded += BigInt(recorded);
        told.ignored += BigInt(ignored);
      } else {
        told.repeated += BigInt(events.length);
      }
    }
    return told;
  }

  async trending(request: TrendingRequest): Promise<MessageInitShape<typeof TrendingResponseSchema>> {
    return { products: await this.products(queryOf(request)) };
  }

  async *watchTrending(
    { query }: WatchTrendingRequest,
    { signal }: CallContext,
  ): AsyncGenerator<MessageInitShape<typeof WatchTrendingResponseSchema>> {
    const asked = queryOf(query);
    const ended = AbortSignal.any([signal, this.stopped]);
    const ask = () => this.products(asked);
    for await (const found of changes(ask, ended)) yield { products: found };
  }

  private async products(query: Query) {
    const found = await known(this.store.trending(query, Date.now()));
    return found.map(({ id, events }) => ({ productId: id, events: BigInt(events) }));
  }
}

function eventOf({ kind, productId, time }: RecordEventsRequest["events"][number]): Event {
  if (!time) throw new Error("expected a time, which the contract's rules ask for");
  return { kind: kindOf(kind), product: productId, at: timestampMs(time) };
}

function kindOf(kind: EventKind): Kind {
  const found = KINDS[kind - 1];
  if (!found) throw new Error(`expected a kind that is counted, found ${EventKind[kind]}`);
  return found;
}

function queryOf(request: Pick<TrendingRequest, "limit" | "window" | "kind"> | undefined): Query {
  return {
    limit: request?.limit || 10,
    minutes: request?.window ? Math.ceil(durationMs(request.window) / MINUTE) : 15,
    kinds: request?.kind ? [kindOf(request.kind)] : KINDS,
  };
}

async function known<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
    log("warning", error.message);
    throw new RpcError(
      Status.UNAVAILABLE,
      "STORE_UNAVAILABLE",
      "the counts can't be reached now: try again in a moment",
    );
  }
}
