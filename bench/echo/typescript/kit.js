/** Echoes from a server of the kit. */

import { run } from "@gossamer/kit";

import { echo, ProbeService } from "./echoes.js";

await run(async (kit) => {
  kit.add(ProbeService, { echo: async (request) => echo(request) });
  await kit.serve();
  await kit.join();
  await kit.wait();
});
