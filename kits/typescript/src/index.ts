/**
 * What a TypeScript service of the mesh is built on: five steps from the environment to a drain.
 *
 *     await run(async (kit) => {
 *       const catalog = kit.client(CatalogService, "catalog");
 *       kit.add(OrdersService, new Orders(catalog));
 *       await kit.serve();
 *       await kit.join();
 *       await kit.wait();
 *     });
 *
 * A service names no Consul, no xDS, no OpenTelemetry and no signal: the kit does.
 */

export { Metadata, status as Status } from "@grpc/grpc-js";

export { CallError } from "./call-error.js";
export type { CallOptions, Client } from "./client.js";
export type { Config } from "./config.js";
export type { CallContext, Handlers } from "./contract.js";
export { type BadField, BindError, ConfigError, KitError, RpcError } from "./errors.js";
export { traceId } from "./incoming.js";
export { type Kit, run } from "./kit.js";
export { log } from "./log.js";
