/** From errors to what goes over the wire: google.rpc.Status. The same reasons and fields in every language's kit. */

import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { BadRequestSchema, ErrorInfoSchema } from "@gossamer/contracts/google/rpc/error_details_pb.js";
import { StatusSchema } from "@gossamer/contracts/google/rpc/status_pb.js";
import { Metadata, status } from "@grpc/grpc-js";

import type { BadField, RpcError } from "./errors.js";

/** The trailer that carries a google.rpc.Status. */
export const DETAILS = "grpc-status-details-bin";

/** How a failed call ends: what grpc-js sends. */
export interface Answer {
  readonly code: status;
  readonly details: string;
  readonly metadata?: Metadata;
}

/** Tell the caller what an adapter threw. */
export function ofError(error: RpcError, domain: string): Answer {
  return answer(error.code, error.message, error.reason, domain, error.fields, error.metadata);
}

/** Tell the caller which fields break the contract's rules. */
export function ofViolations(fields: readonly BadField[], domain: string): Answer {
  return answer(status.INVALID_ARGUMENT, "invalid request", "INVALID_REQUEST", domain, fields, {});
}

/** Tell the caller nothing but that it isn't to blame. */
export function ofUnexpected(domain: string): Answer {
  return answer(status.INTERNAL, "internal error", "INTERNAL", domain, [], {});
}

function answer(
  code: status,
  message: string,
  reason: string,
  domain: string,
  fields: readonly BadField[],
  about: Readonly<Record<string, string>>,
): Answer {
  const details = [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain, metadata: { ...about } }))];
  if (fields.length > 0) {
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations: [...fields] })));
  }
  const metadata = new Metadata();
  metadata.set(DETAILS, Buffer.from(toBinary(StatusSchema, create(StatusSchema, { code, message, details }))));
  return { code, details: message, metadata };
}
