package dev.gossamer.inventory;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/**
 * How a database gets its tables and its first stock: all in one transaction, so that an instance
 * that dies on the way leaves nothing behind. What was applied never changes again: what comes
 * later is a new file.
 */
final class Migrations {
  private static final List<String> FILES = List.of("migrations/0001_stock.sql");
  private static final String FIRST_STOCK = "stock.csv";
  private static final long LOCK =
      1; // only this database's owner takes locks in it, so any number does

  private Migrations() {}

  /**
   * Applies what has not been applied yet, and gives its names.
   *
   * @throws SQLException if a file was changed after it had been applied, or PostgreSQL refuses
   */
  static List<String> apply(Connection connection) throws SQLException, IOException {
    var now = new ArrayList<String>();
    try (var statement = connection.createStatement()) {
      statement.execute("SET LOCAL statement_timeout = 0"); // another instance may be at it
      statement.execute("SELECT pg_advisory_xact_lock(" + LOCK + ")");
      statement.execute(
          "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, sha256 text NOT NULL,"
              + " applied_at timestamptz NOT NULL DEFAULT now())");
      var applied = applied(connection);
      for (var name : FILES) {
        var text = read(name);
        var sum = sum(text);
        if (!applied.containsKey(name)) {
          statement.execute(text);
          record(connection, name, sum);
          now.add(name);
        } else if (!applied.get(name).equals(sum)) {
          throw new SQLException(
              name
                  + " was changed after it had been applied: put it back, and the change into a new file");
        }
      }
      if (!applied.containsKey(FIRST_STOCK)) {
        load(connection);
        record(connection, FIRST_STOCK, "");
        now.add(FIRST_STOCK);
      }
    }
    connection.commit();
    return now;
  }

  private static Map<String, String> applied(Connection connection) throws SQLException {
    var applied = new HashMap<String, String>();
    try (var statement = connection.createStatement();
        var rows = statement.executeQuery("SELECT name, sha256 FROM migrations")) {
      while (rows.next()) {
        applied.put(rows.getString(1), rows.getString(2));
      }
    }
    return applied;
  }

  private static void record(Connection connection, String name, String sum) throws SQLException {
    try (var statement =
        connection.prepareStatement("INSERT INTO migrations (name, sha256) VALUES (?, ?)")) {
      statement.setString(1, name);
      statement.setString(2, sum);
      statement.execute();
    }
  }

  /** Brings in what there is at first: product_id,pieces below a line of headings. */
  private static void load(Connection connection) throws SQLException, IOException {
    try (var statement =
        connection.prepareStatement("INSERT INTO stock (product_id, available) VALUES (?, ?)")) {
      for (var line : read(FIRST_STOCK).lines().skip(1).toList()) {
        var comma = line.lastIndexOf(',');
        statement.setString(1, line.substring(0, comma));
        statement.setInt(2, Integer.parseInt(line.substring(comma + 1)));
        statement.addBatch();
      }
      statement.executeBatch();
    }
  }

  private static String read(String name) throws IOException {
    try (InputStream file = Migrations.class.getResourceAsStream("/" + name)) {
      return new String(file.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private static String sum(String text) {
    try {
      var digest = MessageDigest.getInstance("SHA-256");
      return HexFormat.of().formatHex(digest.digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException never) { // every Java has it
      throw new IllegalStateException(never);
    }
  }
}
