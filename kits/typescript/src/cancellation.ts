/** Why an outgoing call may end early: its caller says so, or the incoming call that it is made for is over. */

import type { Incoming } from "./incoming.js";

/** One outgoing call's ear for that. */
export class Cancellation {
  private over: boolean;
  private act: () => void = () => undefined;
  private readonly forget: () => void;

  constructor(present: Incoming | undefined, signal: AbortSignal | undefined) {
    this.over = (present?.gone ?? false) || (signal?.aborted ?? false);
    const cancel = () => this.cancel();
    const stop = present?.onEnd(cancel);
    signal?.addEventListener("abort", cancel, { once: true });
    this.forget = () => {
      stop?.();
      signal?.removeEventListener("abort", cancel);
    };
  }

  /** Whether nobody waits for the call any more. */
  get cancelled(): boolean {
    return this.over;
  }

  /** Do this when the call is cancelled, instead of what was to be done until now; at once when it is already. */
  do(act: () => void): void {
    this.act = act;
    if (this.over) act();
  }

  /** Wait so many milliseconds, or until the call is cancelled. */
  async pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.do(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** The call has ended. */
  close(): void {
    this.forget();
    this.act = () => undefined;
  }

  private cancel(): void {
    this.over = true;
    this.act();
  }
}
