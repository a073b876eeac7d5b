/** What a failed call of another service rejects with. */

import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { BadRequestSchema, ErrorInfoSchema } from "@gossamer/contracts/google/rpc/error_details_pb.js";
import { StatusSchema } from "@gossamer/contracts/google/rpc/status_pb.js";
import { Metadata, type ServiceError, type status } from "@grpc/grpc-js";

import type { BadField } from "./errors.js";
import { nameOf } from "./recording.js";
import { DETAILS } from "./status.js";

/** A call of another service failed. What a caller may act on is in the code, and in `reason` and `fields`. */
export class CallError extends Error {
  /** UPPER_SNAKE, as the contract of the called service says; empty when that said nothing. */
  readonly reason: string = "";
  /** The package of the contract that was called, where there is a reason. */
  readonly domain: string = "";
  /** The fields of the request that were wrong. */
  readonly fields: readonly BadField[] = [];

  constructor(
    path: string,
    readonly code: status,
    readonly details: string,
    /** What came after the answer. */
    readonly trailers: Metadata,
  ) {
    super(`${path.slice(1)}: ${nameOf(code)}: ${details}`);
    const packed = trailers.get(DETAILS)[0];
    if (!(packed instanceof Buffer)) return;
    try {
      for (const any of fromBinary(StatusSchema, packed).details) {
        const info = anyUnpack(any, ErrorInfoSchema);
        if (info) [this.reason, this.domain] = [info.reason, info.domain];
        this.fields = anyUnpack(any, BadRequestSchema)?.fieldViolations ?? this.fields;
      }
    } catch {
      // No status that can be read is as good as none.
    }
  }
}

/** Translate what grpc-js says. */
export function callError(path: string, error: ServiceError): CallError {
  return new CallError(path, error.code, error.details, error.metadata ?? new Metadata());
}
