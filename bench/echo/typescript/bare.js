/**
 * Echoes from grpc-js alone, with the kit's messages, those of protobuf-es. It announces itself like the kit does, and has
 * health, without which it could be in no mesh.
 */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

import { echo, ProbeService } from "./echoes.js";

const { input, output } = ProbeService.method.echo;
const Echo = {
  path: `/${ProbeService.typeName}/Echo`,
  requestStream: false,
  responseStream: false,
  requestDeserialize: (bytes) => fromBinary(input, bytes),
  responseSerialize: (message) => Buffer.from(toBinary(output, message)),
};

const server = new Server();
server.addService({ Echo }, { Echo: (call, answer) => answer(null, create(output, echo(call.request))) });
new HealthImplementation({ "": "SERVING" }).addToServer(server);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(JSON.stringify({ message: "announce", address: `127.0.0.1:${port}` }));
});
