package dev.gossamer.inventory;

import dev.gossamer.kit.Kit;

/** One instance of inventory, configured by its environment. */
public final class Main {
  private Main() {}

  /** Runs until it has drained. */
  public static void main(String[] arguments) {
    Kit.main(
        config -> {
          var address = Database.Address.of(System.getenv("DATABASE_URL")); // 1 config
          try (var kit = new Kit(config);
              var database = new Database(address)) {
            if (!database.prepare(kit)) {
              return; // told to stop before it served
            }
            var store = new Store(database);
            store.warmUp();
            kit.add(new Adapter(store)); // 2 service
            kit.serve(); // 3 serve
            kit.join(); // 4 join
            kit.await(); // 5 wait
          }
        });
  }
}
