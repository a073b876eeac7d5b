package dev.gossamer.probe;

import dev.gossamer.kit.Kit;

/** Runs the probe. PROBE_JOIN_AFTER, in seconds, is how long it serves before it joins. */
public final class Main {
  private Main() {}

  /** Runs until it has drained. */
  public static void main(String[] arguments) {
    Kit.main(
        config -> {
          try (var kit = new Kit(config)) {
            kit.add(new Probe(kit));
            kit.serve();
            var later = System.getenv("PROBE_JOIN_AFTER");
            Thread.sleep(1000L * (later == null || later.isEmpty() ? 0 : Integer.parseInt(later)));
            kit.join();
            kit.await();
          }
        });
  }
}
