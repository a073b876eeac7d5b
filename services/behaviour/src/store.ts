/**
 * The counts in Valkey: for each minute and kind a sorted set of products, which expires when no window reaches it.
 *
 *   SERVICE:count:MINUTE:KIND   product -> events
 *   SERVICE:batch:ID            a batch that was counted
 *
 * Memory is bounded: a set is trimmed to its most seen when it has grown to twice as many, and every key expires.
 */

import { createClient } from "@redis/client";

import {
  type Count,
  type Kind,
  LONGEST_WINDOW,
  MINUTE,
  minutesUntil,
  OLDEST,
  type Product,
  type Query,
  ranked,
} from "./events.js";

const KEPT = 1_000;
const COUNTS_FOR = (LONGEST_WINDOW + 2) * 60; // seconds
const BATCHES_FOR = (OLDEST + 5 * MINUTE) / 1_000; // longer than an event is taken, also when clocks differ
const ANSWERS_WITHIN = 2_000;

/** Counts a batch once, whole. KEYS: the batch, then the sets; ARGV: the four numbers, then key's index, product, events. */
const COUNT = `
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then return 0 end
for i = 5, #ARGV, 3 do redis.call('ZINCRBY', KEYS[tonumber(ARGV[i])], ARGV[i + 2], ARGV[i + 1]) end
for i = 2, #KEYS do
  redis.call('EXPIRE', KEYS[i], ARGV[2])
  if redis.call('ZCARD', KEYS[i]) > tonumber(ARGV[4]) then
    redis.call('ZREMRANGEBYRANK', KEYS[i], 0, -1 - tonumber(ARGV[3]))
  end
end
return 1`;

/** Valkey does not answer: nothing is known of what was asked, and it may be asked again. */
export class StoreUnavailableError extends Error {}

export class Store {
  private readonly valkey;

  /** Describe it. `service` is whose keys are used; `failed` is told of each failure of the connection. */
  constructor(
    url: string,
    private readonly service: string,
    failed: (error: Error) => void,
  ) {
    this.valkey = createClient({
      url,
      disableOfflineQueue: true, // what can't be asked now is refused now
      maintNotifications: "disabled",
      socket: { connectTimeout: ANSWERS_WITHIN, reconnectStrategy: (tries) => Math.min(50 * 2 ** tries, 1_000) },
    });
    this.valkey.on("error", failed);
  }

  /** Begin to connect, and go on trying. Never waits: while Valkey is away, calls reject. */
  open(): void {
    this.valkey.connect().catch(() => undefined); // told to `failed`
  }

  close(): void {
    this.valkey.destroy();
  }

  /** Count a batch; false when it was counted before. Rejects with StoreUnavailableError. */
  async count(batch: string, counts: readonly Count[]): Promise<boolean> {
    const keys = [`${this.service}:batch:${batch}`];
    const words = [BATCHES_FOR, COUNTS_FOR, KEPT, 2 * KEPT].map(String);
    const places = new Map<string, number>();
    for (const { minute, kind, product, events } of counts) {
      const key = this.key(minute, kind);
      const place = places.get(key) ?? keys.push(key);
      places.set(key, place);
      words.push(String(place), product, String(events));
    }
    return (await this.answer(() => this.valkey.eval(COUNT, { keys, arguments: words }))) === 1;
  }

  /** The products with the most events at `now`. Rejects with StoreUnavailableError. */
  async trending({ limit, minutes, kinds }: Query, now: number): Promise<Product[]> {
    const keys = minutesUntil(now, minutes).flatMap((minute) => kinds.map((kind) => this.key(minute, kind)));
    const found = await this.answer(() => this.valkey.zUnionWithScores(keys as [string, ...string[]]));
    return ranked(
      found.map(({ value, score }) => ({ id: value, events: score })),
      limit,
    );
  }

  private key(minute: number, kind: Kind): string {
    return `${this.service}:count:${minute}:${kind}`;
  }

  private async answer<T>(ask: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${ANSWERS_WITHIN} ms`)), ANSWERS_WITHIN);
    });
    try {
      return await Promise.race([ask(), late]);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new StoreUnavailableError(`Valkey can't be used now: ${why}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}
