/** A Valkey of a test's own: its program is that of the stack, its data are gone when it stops. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { createClient } from "@redis/client";

const PYTHON = fileURLToPath(new URL("../../../../.venv/bin/python", import.meta.url));
const FIND = "from gossamer_mesh.local.valkey import find_program; print(find_program())";

export class Valkey {
  private process: ChildProcess | undefined;

  private constructor(
    private readonly program: string,
    private readonly port: number,
  ) {}

  static async started(): Promise<Valkey> {
    const found = spawnSync(PYTHON, ["-c", FIND], { encoding: "utf8" });
    if (found.status !== 0) throw new Error(`expected Valkey's program, which \`make tools\` brings: ${found.stderr}`);
    const valkey = new Valkey(found.stdout.trim(), await freePort());
    await valkey.start();
    return valkey;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  async start(): Promise<void> {
    const options = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"];
    this.process = spawn(this.program, options, { stdio: "ignore" });
    await until(async () => (await this.ask((client) => client.ping())) === "PONG");
  }

  /** End it at once; its data are lost. */
  async stop(): Promise<void> {
    const { process } = this;
    if (!process || process.exitCode !== null) return;
    process.kill("SIGKILL");
    await once(process, "exit");
  }

  async ask<T>(question: (client: ReturnType<typeof createClient>) => Promise<T>): Promise<T> {
    const client = createClient({ url: this.url, socket: { reconnectStrategy: false } });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return await question(client as ReturnType<typeof createClient>);
    } finally {
      client.destroy();
    }
  }

  /** Bytes of all keys. */
  async memory(): Promise<number> {
    return this.ask(async (client) => {
      let bytes = 0;
      for (const key of await client.keys("*")) bytes += (await client.memoryUsage(key)) ?? 0;
      return bytes;
    });
  }
}

/** Wait until it is so, ten seconds at most. */
export async function until(so: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await so().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`not so within ten seconds: ${so}`);
    await pause(20);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
