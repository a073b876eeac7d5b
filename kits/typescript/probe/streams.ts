/** The streams that the probe opens to others, each to its end or dropped after the first message. */

import type { ProbeService } from "@gossamer/contracts/gossamer/probe/v1/probe_pb.js";

import type { Client } from "../src/index.js";

type Callee = Client<typeof ProbeService>;

const NEVER = new Promise<never>(() => undefined);

export async function count(callee: Callee, abandon: boolean): Promise<void> {
  const numbers = callee.count({ to: 3 })[Symbol.asyncIterator]();
  while (!(await numbers.next()).done) if (abandon) return;
}

export async function sum(callee: Callee, abandon: boolean): Promise<void> {
  let sent: () => void = () => undefined;
  const first = new Promise<void>((resolve) => {
    sent = resolve;
  });
  async function* numbers() {
    for (const number of [1, 2, 3]) {
      yield { number };
      sent();
      if (abandon) await NEVER;
    }
  }
  const answer = callee.sum(numbers());
  await (abandon ? Promise.race([first, answer]) : answer);
}

export async function chat(callee: Callee, abandon: boolean): Promise<void> {
  let heard: () => void = () => undefined;
  async function* said() {
    for (const text of ["one", "two", "three"]) {
      const answered = new Promise<void>((resolve) => {
        heard = resolve;
      });
      yield { text };
      await answered;
    }
  }
  const answers = callee.chat(said())[Symbol.asyncIterator]();
  while (!(await answers.next()).done) {
    if (abandon) return;
    heard();
  }
}
