/** Knowing when no client of the mesh calls a draining instance any more: the control plane knows, and is asked. */

import { setTimeout as pause } from "node:timers/promises";

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  AwaitDrainRequestSchema,
  AwaitDrainResponseSchema,
  MeshService,
} from "@gossamer/contracts/gossamer/mesh/v1/mesh_pb.js";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";

import { log } from "./log.js";

const AT_MOST = 5_000;
const AFTERWARDS = 1_000;
const PATH = `/${MeshService.typeName}/${MeshService.method.awaitDrain.name}`;

/**
 * Wait until every client has accepted an assignment without the instance; 5 s at most, then 1 s more.
 *
 * The second more is for calls that were given the old assignment: a client accepts before its last pick.
 */
export async function unassigned(control: string | undefined, service: string, instanceId: string): Promise<void> {
  if (control !== undefined) await confirmed(control, service, instanceId);
  await pause(AFTERWARDS);
}

async function confirmed(control: string, service: string, instanceId: string): Promise<void> {
  const until = Date.now() + AT_MOST;
  const client = new Client(control, credentials.createInsecure());
  try {
    while (Date.now() < until) {
      // The control plane may be away or restart meanwhile: then it is asked again.
      if (await asked(client, service, instanceId, until)) return;
      await pause(Math.min(100, Math.max(until - Date.now(), 0)));
    }
    log("warning", `the control plane at ${control} hasn't confirmed the drain; going on without`);
  } finally {
    client.close();
  }
}

function asked(client: Client, service: string, instanceId: string, deadline: number): Promise<boolean> {
  const maxWait = { seconds: BigInt(AT_MOST / 1_000) };
  const request = create(AwaitDrainRequestSchema, { service, instanceId, maxWait });
  const metadata = new Metadata({ waitForReady: true });
  return new Promise((resolve) => {
    const answered = (error: ServiceError | null, drained?: boolean) => {
      if (error && Date.now() < deadline) {
        log("info", `the control plane can't tell about the drain now: ${error.details}`);
      }
      resolve(drained ?? false);
    };
    const write = (message: typeof request) => Buffer.from(toBinary(AwaitDrainRequestSchema, message));
    const read = (bytes: Buffer) => fromBinary(AwaitDrainResponseSchema, bytes).drained;
    client.makeUnaryRequest(PATH, write, read, request, metadata, { deadline }, answered);
  });
}
