/** Server reflection, v1 and v1alpha: lists the contracts that are served, health, and itself. */

import { createRequire } from "node:module";

import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { protoPath as health } from "grpc-health-check";

import { CONTRACT as HEALTH } from "./health.js";

const CONTRACTS = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/** Serve both versions. */
export function addReflection(server: Server, contracts: readonly DescService[]): void {
  const files = new Set<DescFile>();
  for (const contract of contracts) gather(contract.file, files);
  const ours = [...files].map((file) => Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
  const definitions = { ...loaded(), ours: { fileDescriptorProtos: ours } } as unknown as PackageDefinition;
  const services = [...contracts.map((contract) => contract.typeName), HEALTH, ...CONTRACTS];
  new ReflectionService(definitions, { services }).addToServer(server);
}

/** A file and all that it imports. */
function gather(file: DescFile, into: Set<DescFile>): void {
  if (into.has(file)) return;
  into.add(file);
  for (const imported of file.dependencies) gather(imported, into);
}

/** The descriptors of what comes from packages, which ship them as files. */
function loaded(): PackageDefinition {
  const folder = createRequire(import.meta.url)
    .resolve("@grpc/reflection/package.json")
    .replace("package.json", "");
  return loadSync([
    health,
    ...["v1", "v1alpha"].map((version) => `${folder}build/proto/grpc/reflection/${version}/reflection.proto`),
  ]);
}
