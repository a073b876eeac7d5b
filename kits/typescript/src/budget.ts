/** How many calls of one service this process may try again: what keeps retries from making an overload worse. */

/** Seconds that are looked back on. */
const WINDOW = 10;

interface Second {
  readonly number: number;
  calls: number;
  retries: number;
}

/**
 * Counts calls and retries by the second. Without a limit there may be any number of retries.
 *
 * With one there may be, within any ten seconds, `percent` retries for each hundred calls, and ten times `minPerSecond`
 * more. That is how Finagle's and Linkerd's retry budgets count.
 */
export class Budget {
  private seconds: Second[] = [];
  private percent = 0;
  private least = Number.POSITIVE_INFINITY;

  /** `clock` gives milliseconds. */
  constructor(private readonly clock: () => number = () => performance.now()) {}

  /** Set the limit. What was counted stays. */
  allow(percent: number, minPerSecond: number): void {
    this.percent = percent;
    this.least = minPerSecond * WINDOW;
  }

  /** Take the limit away. */
  allowAll(): void {
    this.allow(0, Number.POSITIVE_INFINITY);
  }

  /** Count a call. */
  called(): void {
    this.now().calls += 1;
  }

  /** Count a retry, if there may be one. */
  spend(): boolean {
    const now = this.now();
    const calls = this.seconds.reduce((sum, second) => sum + second.calls, 0);
    const retries = this.seconds.reduce((sum, second) => sum + second.retries, 0);
    if (retries + 1 > (calls * this.percent) / 100 + this.least) return false;
    now.retries += 1;
    return true;
  }

  private now(): Second {
    const number = Math.floor(this.clock() / 1_000);
    const last = this.seconds.at(-1);
    if (last?.number === number) return last;
    const made = { number, calls: 0, retries: 0 };
    this.seconds = [...this.seconds.filter((second) => second.number > number - WINDOW), made];
    return made;
  }
}
