/** Puts the service together: Valkey from VALKEY_URL, the contract, and the five steps of the kit. */

import { BehaviourService } from "@gossamer/contracts/shop/behaviour/v1/behaviour_pb.js";
import { ConfigError, log, run } from "@gossamer/kit";

import { Behaviour } from "./adapter.js";
import { Store } from "./store.js";

await run(async (kit) => {
  const url = process.env["VALKEY_URL"];
  if (!url) {
    throw new ConfigError(["VALKEY_URL: expected redis://USER:PASSWORD@HOST:PORT/0, found nothing"]);
  }
  const store = new Store(url, kit.config.service, (error) => log("warning", `Valkey: ${error.message}`));
  store.open();
  kit.add(BehaviourService, new Behaviour(store, kit.stopped));
  await kit.serve();
  await kit.join();
  await kit.wait();
  store.close();
});
