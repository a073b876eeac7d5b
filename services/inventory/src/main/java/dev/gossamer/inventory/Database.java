package dev.gossamer.inventory;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.gossamer.kit.ConfigException;
import dev.gossamer.kit.Kit;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;

/**
 * The connections to PostgreSQL, and how work is done on them: in transactions, each through or
 * without a trace. What broke is replaced when it is needed next.
 */
final class Database implements AutoCloseable {
  private static final Duration START = Duration.ofSeconds(30);
  private static final Duration RETRY = Duration.ofMillis(200);
  private static final long PATIENCE_MS =
      2000; // less than a call's usual deadline, so that the caller hears why
  static final int CONNECTIONS = 4; // each is a process of PostgreSQL

  private final HikariDataSource pool;

  /** PostgreSQL is away: asking again later may help. */
  static final class Away extends Exception {
    private static final long serialVersionUID = 1;

    Away(SQLException reason) {
      super(reason.getMessage(), reason);
    }
  }

  /** Something to do in a transaction. */
  @FunctionalInterface
  interface Work<R> {
    R in(Connection transaction) throws SQLException, Refusal;
  }

  /** Where the database is, and as whom it is used. */
  record Address(String url, String role, String password) {
    /**
     * Reads postgresql://role:password@host:port/database.
     *
     * @throws ConfigException if it is something else
     */
    static Address of(String text) {
      try {
        var uri = new URI(text == null ? "" : text);
        var who = uri.getRawUserInfo() == null ? new String[0] : uri.getRawUserInfo().split(":", 2);
        var ours = List.of("postgresql", "postgres").contains(uri.getScheme());
        if (ours && who.length == 2 && uri.getHost() != null && uri.getPath().length() > 1) {
          var port = uri.getPort() < 0 ? 5432 : uri.getPort();
          var url = "jdbc:postgresql://" + uri.getHost() + ":" + port + uri.getRawPath();
          return new Address(url, decoded(who[0]), decoded(who[1]));
        }
      } catch (URISyntaxException none) {
        // as any other that is none
      }
      var found =
          text == null || text.isEmpty() ? "nothing" : "something else"; // it may hold a password
      throw new ConfigException(
          List.of(
              "DATABASE_URL: expected postgresql://role:password@host:port/database, found "
                  + found));
    }

    private static String decoded(String text) {
      return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
    }
  }

  Database(Address address) {
    var config = new HikariConfig();
    config.setJdbcUrl(address.url);
    config.setUsername(address.role);
    config.setPassword(address.password);
    config.setMaximumPoolSize(CONNECTIONS);
    config.setMinimumIdle(0);
    config.setIdleTimeout(30_000);
    config.setConnectionTimeout(PATIENCE_MS);
    config.setValidationTimeout(PATIENCE_MS / 2);
    config.setInitializationFailTimeout(-1); // it connects when it is asked
    config.setAutoCommit(false);
    config.addDataSourceProperty("connectTimeout", "2");
    config.addDataSourceProperty("socketTimeout", "5");
    config.addDataSourceProperty(
        "options", "-c statement_timeout=2s -c idle_in_transaction_session_timeout=5s");
    pool = new HikariDataSource(config);
  }

  /**
   * Waits for a PostgreSQL that is not there yet, and brings the database up to date. While another
   * instance does so it waits.
   *
   * @return false when the instance was told to stop meanwhile
   * @throws SQLException if it stays away, refuses, or holds what this version did not make
   */
  boolean prepare(Kit kit) throws SQLException, IOException, InterruptedException {
    var until = System.nanoTime() + START.toNanos();
    var waiting = false;
    while (true) {
      try (var connection = pool.getConnection()) {
        for (var name : Migrations.apply(connection)) {
          kit.log().info("migration applied", "name", name);
        }
        return true;
      } catch (SQLException error) {
        if (!isAway(error) || System.nanoTime() > until) {
          throw error;
        }
        if (!waiting) {
          kit.log().warn("waiting for PostgreSQL", "error", error.getMessage());
        }
        waiting = true;
      }
      if (!kit.pause(RETRY)) {
        return false;
      }
    }
  }

  /** Does work in a transaction, which a refusal or a failure undoes. */
  <R> R transaction(Work<R> work) throws Refusal, Away {
    try (var connection = pool.getConnection()) {
      try {
        var result = work.in(connection);
        connection.commit();
        return result;
      } catch (Refusal | RuntimeException refused) {
        connection.rollback();
        throw refused;
      }
    } catch (SQLException error) {
      if (isAway(error)) {
        throw new Away(error);
      }
      throw new IllegalStateException(error);
    }
  }

  /** Ends all connections. */
  @Override
  public void close() {
    pool.close();
  }

  /** Whether an error says that PostgreSQL can't be reached, has no room, or was too slow. */
  private static boolean isAway(SQLException error) {
    var state = error.getSQLState();
    if (error instanceof java.sql.SQLTransientException && state == null) {
      return true; // no connection in time
    }
    return state != null
        && (state.startsWith("08") || state.startsWith("53") || state.startsWith("57"));
  }
}
