/** The handler that both servers have, the kit's and the bare one, so that a difference is the kit's. */

export { ProbeService } from "@gossamer/contracts/gossamer/probe/v1/probe_pb.js";

/** Gives back what it gets; the other methods are not called. */
export const echo = (request) => ({ payload: request.payload });
