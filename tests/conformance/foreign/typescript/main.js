/** A gRPC client and server that know no kit: messages by proto-loader, as grpc-js's own documentation has it. */

import { fileURLToPath } from "node:url";

import { credentials, loadPackageDefinition, Server, ServerCredentials } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const protos = fileURLToPath(new URL("../../../../protos", import.meta.url));
const definition = loadSync("gossamer/probe/v1/probe.proto", { includeDirs: [protos, `${protos}/vendor`] });
const { ProbeService } = loadPackageDefinition(definition).gossamer.probe.v1;

const hop = { service: "foreign", instance: "foreign", language: "typescript" };

function serve() {
  const server = new Server();
  server.addService(ProbeService.service, {
    Echo: (call, callback) => callback(null, { payload: call.request.payload, hop }),
    Relay: (_, callback) => callback(null, { hops: [hop] }),
  });
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(`127.0.0.1:${port}`);
  });
}

function call(address) {
  const client = new ProbeService(address, credentials.createInsecure());
  client.Echo({}, (error, answer) => {
    if (error) throw error;
    console.log(answer.hop.instance);
    client.close();
  });
}

const [verb, address] = process.argv.slice(2);
if (verb === "serve") serve();
else call(address);
