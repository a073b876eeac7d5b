/** What is counted and ranked: events by minute and kind, windows, and the order of what is trending. */

export const KINDS = ["view", "cart", "purchase"] as const;
export type Kind = (typeof KINDS)[number];

/** One thing that a visitor did with a product; `at` in milliseconds since 1970. */
export interface Event {
  readonly kind: Kind;
  readonly product: string;
  readonly at: number;
}

/** How many events of a kind a product had in a minute; `minute` since 1970. */
export interface Count {
  readonly minute: number;
  readonly kind: Kind;
  readonly product: string;
  readonly events: number;
}

/** What is asked for: the most seen products, how many, of how many minutes, of which kinds. */
export interface Query {
  readonly limit: number;
  readonly minutes: number;
  readonly kinds: readonly Kind[];
}

export interface Product {
  readonly id: string;
  readonly events: number;
}

export const MINUTE = 60_000;
export const LONGEST_WINDOW = 60;
/** What is older is not counted. Batches are remembered for longer, so that none can be counted twice. */
export const OLDEST = 10 * MINUTE;
export const AHEAD = MINUTE;

/** Add up a batch. Events too old or too far ahead of `now` are left out, and told as `ignored`. */
export function tally(events: readonly Event[], now: number): { counts: Count[]; recorded: number; ignored: number } {
  const counts = new Map<string, Count>();
  let recorded = 0;
  for (const { kind, product, at } of events) {
    if (at < now - OLDEST || at > now + AHEAD) continue;
    recorded += 1;
    const minute = Math.floor(at / MINUTE);
    const key = `${minute} ${kind} ${product}`;
    counts.set(key, { minute, kind, product, events: (counts.get(key)?.events ?? 0) + 1 });
  }
  return { counts: [...counts.values()], recorded, ignored: events.length - recorded };
}

/** The minutes of a window that ends with the present one. */
export function minutesUntil(now: number, minutes: number): number[] {
  const last = Math.floor(now / MINUTE);
  return Array.from({ length: minutes }, (_, back) => last - back);
}

/** The most seen first, equals by id. */
export function ranked(products: readonly Product[], limit: number): Product[] {
  return products.toSorted((a, b) => b.events - a.events || (a.id < b.id ? -1 : 1)).slice(0, limit);
}
