/**
 * The TypeScript kit's probe: serves gossamer.probe.v1.ProbeService, so that the kit can be watched from outside.
 *
 * PROBE_JOIN_AFTER, in seconds, is how long it serves before it joins.
 */

import { setTimeout as pause } from "node:timers/promises";
import { ProbeService } from "@gossamer/contracts/gossamer/probe/v1/probe_pb.js";
import { run } from "../src/index.js";

import { Probe } from "./probe.js";

await run(async (kit) => {
  kit.add(ProbeService, new Probe(kit));
  await kit.serve();
  await pause(Number(process.env["PROBE_JOIN_AFTER"] ?? "0") * 1_000);
  await kit.join();
  await kit.wait();
});
