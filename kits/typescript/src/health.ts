/** grpc.health.v1, NOT_SERVING until the instance has joined. */

import { type Server, type ServerWritableStream, status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

export const CONTRACT = "grpc.health.v1.Health";

type Status = "SERVING" | "NOT_SERVING";
type Watch = ServerWritableStream<unknown, unknown>;

/** The health of an instance and of each of its contracts, which is the same. */
export class Health {
  private readonly health = new HealthImplementation();
  private readonly watches = new Set<Watch>();
  private names: readonly string[] = [""];

  /** Know the contracts; none of them serves yet. */
  begin(contracts: readonly string[]): void {
    this.names = ["", ...contracts];
    this.all("NOT_SERVING");
  }

  /** Say that the instance takes calls. */
  serving(): void {
    this.all("SERVING");
  }

  /** Say that the instance is about to go. */
  draining(): void {
    this.all("NOT_SERVING");
  }

  /** Serve it. Watches are kept count of, since nothing else ends them: a server that stops would wait for them. */
  addToServer(server: Server): void {
    const counting = {
      addService: (service: Parameters<Server["addService"]>[0], methods: UntypedServiceImplementation) => {
        const watch = methods["watch"] as (call: Watch) => void;
        server.addService(service, {
          ...methods,
          watch: (call: Watch) => {
            this.watches.add(call);
            call.on("cancelled", () => this.watches.delete(call));
            watch(call);
          },
        });
      },
    };
    this.health.addToServer(counting as Server);
  }

  /** End every Watch. */
  endWatches(): void {
    for (const watch of this.watches) watch.emit("error", { code: status.UNAVAILABLE, details: "the server stops" });
  }

  private all(status: Status): void {
    for (const name of this.names) this.health.setStatus(name, status);
  }
}
