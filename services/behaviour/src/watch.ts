/** When a watcher is told: at once, and then whenever the answer has changed, at most once in an interval. */

import { setTimeout as pause } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

/** Ask again and again, and give what is new, until `ended` is aborted. */
export async function* changes<T>(ask: () => Promise<T>, ended: AbortSignal, interval = 1_000): AsyncGenerator<T> {
  let told: T | undefined;
  while (!ended.aborted) {
    const answer = await ask();
    if (told === undefined || !isDeepStrictEqual(answer, told)) yield answer;
    told = answer;
    // An end while it waits is no failure: the loop sees it.
    await pause(interval, undefined, { signal: ended }).catch(() => undefined);
  }
}
