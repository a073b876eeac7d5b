package dev.gossamer.bench;

import dev.gossamer.kit.Kit;

/** Echoes from a server of the kit. */
public final class KitServer {
  private KitServer() {}

  /** Runs until it has drained. */
  public static void main(String[] arguments) {
    Kit.main(
        config -> {
          try (var kit = new Kit(config)) {
            kit.add(new Echoes());
            kit.serve();
            kit.join();
            kit.await();
          }
        });
  }
}
