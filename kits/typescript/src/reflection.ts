/** Server reflection, v1 and v1alpha: lists the contracts that are served, health, and itself. */

import { createRequire } from "node:module";

import { type DescFile, type DescService, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
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
  const written = [...[...files].map((file) => file.proto), ...ofPackages()].map((file) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, file)),
  );
  const definitions = { all: { fileDescriptorProtos: written } } as unknown as PackageDefinition;
  const services = [...contracts.map((contract) => contract.typeName), HEALTH, ...CONTRACTS];
  new ReflectionService(definitions, { services }).addToServer(server);
}

/** A file and all that it imports. */
function gather(file: DescFile, into: Set<DescFile>): void {
  if (into.has(file)) return;
  into.add(file);
  for (const imported of file.dependencies) gather(imported, into);
}

/** What comes from packages, which ship their contracts as files. */
function ofPackages(): FileDescriptorProto[] {
  const root = createRequire(import.meta.url)
    .resolve("@grpc/reflection/package.json")
    .replace("package.json", "");
  const reflection = ["v1", "v1alpha"].map(
    (version) => `${root}build/proto/grpc/reflection/${version}/reflection.proto`,
  );
  const files = Object.values(loadSync([health, ...reflection])).flatMap(
    ({ fileDescriptorProtos }) => (Array.isArray(fileDescriptorProtos) ? (fileDescriptorProtos as Buffer[]) : []), // only types have them
  );
  return files.map((bytes) => repaired(fromBinary(FileDescriptorProtoSchema, bytes)));
}

/** protobufjs (7.6) calls the entries of a map otherwise than protoc does, which others take for no descriptor. */
function repaired(file: FileDescriptorProto): FileDescriptorProto {
  for (const message of file.messageType) {
    for (const entry of message.nestedType) {
      if (!entry.options?.mapEntry || entry.name.endsWith("Entry")) continue;
      for (const field of message.field) if (field.typeName === entry.name) field.typeName += "Entry";
      entry.name += "Entry";
    }
  }
  return file;
}
