package dev.gossamer.inventory;

import dev.gossamer.inventory.Reservation.Change;
import dev.gossamer.inventory.Reservation.State;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.UUID;

/**
 * Stock and reservations in PostgreSQL: no piece is promised twice, however many instances there
 * are.
 *
 * <p>Every transaction locks reservations first and then products, these in the order of their ids,
 * and waits for reservations of others never while it holds products: so none waits for another in
 * a circle. Time is PostgreSQL's, and the same for all instances.
 */
final class Store {
  private static final int WARM_READS = 50;

  private final Database database;

  Store(Database database) {
    this.database = database;
  }

  /**
   * Has the connections opened, and compiled what a call needs: of those that wait for a Java
   * program that has just begun, some would wait too long.
   */
  void warmUp() throws InterruptedException {
    var threads = new ArrayList<Thread>();
    for (var number = 0; number < Database.CONNECTIONS; number++) {
      threads.add(new Thread(this::readOften));
    }
    threads.forEach(Thread::start);
    for (var thread : threads) {
      thread.join();
    }
  }

  private void readOften() {
    try {
      for (var number = 0; number < WARM_READS; number++) {
        stock(List.of("nothing"));
      }
    } catch (Refusal | Database.Away failed) {
      // calls will say so
    }
  }

  /** Gives the stock of those products that there are, by their ids. */
  Map<String, Stock> stock(Collection<String> productIds) throws Refusal, Database.Away {
    var query =
        "SELECT s.product_id, s.available + due.pieces, s.reserved - due.pieces FROM stock s"
            + " CROSS JOIN LATERAL (SELECT coalesce(sum(i.quantity), 0) AS pieces"
            + " FROM reservations r JOIN reservation_items i ON i.reservation_id = r.id"
            + " WHERE r.state = 1 AND r.expire_time <= now() AND i.product_id = s.product_id) due"
            + " WHERE s.product_id = ANY (?)";
    return database.transaction(
        transaction -> {
          var found = new LinkedHashMap<String, Stock>();
          for (var stock :
              rows(transaction, query, Store::readStock, texts(transaction, productIds))) {
            found.put(stock.productId(), stock);
          }
          return found;
        });
  }

  /**
   * Puts pieces aside, all of them or none; or gives the first answer to this request again.
   *
   * @param fingerprint tells other contents of a request from this one
   */
  Reservation reserve(UUID requestId, byte[] fingerprint, List<Item> items, Duration hold)
      throws Refusal, Database.Away {
    return database.transaction(
        transaction -> {
          var id = UUID.randomUUID();
          var expires =
              rows(
                  transaction,
                  "INSERT INTO reservations (id, request_id, fingerprint, state, expire_time)"
                      + " VALUES (?, ?, ?, 1, clock_timestamp() + ? * interval '1 microsecond')"
                      + " ON CONFLICT (request_id) DO NOTHING RETURNING expire_time",
                  row -> time(row, 1),
                  id,
                  requestId,
                  fingerprint,
                  hold.toNanos() / 1000);
          if (expires.isEmpty()) {
            return firstAnswer(transaction, requestId, fingerprint);
          }
          putAside(transaction, items);
          insert(transaction, id, items);
          return new Reservation(id, items, State.HELD, expires.get(0));
        });
  }

  /** Changes a reservation, and moves its pieces to where they then belong. */
  Reservation change(UUID id, Change change) throws Refusal, Database.Away {
    expire(id); // in a transaction of its own, which stays also when the change is refused
    return database.transaction(
        transaction -> {
          var before = locked(transaction, id);
          var after = change.of(before);
          move(transaction, before, after);
          return after;
        });
  }

  private void expire(UUID id) throws Refusal, Database.Away {
    database.transaction(
        transaction -> {
          var before = locked(transaction, id);
          var now = rows(transaction, "SELECT clock_timestamp()", row -> time(row, 1)).get(0);
          move(transaction, before, before.asOf(now));
          return null;
        });
  }

  private static Reservation firstAnswer(Connection transaction, UUID requestId, byte[] fingerprint)
      throws SQLException, Refusal {
    var same =
        rows(
            transaction,
            "SELECT id, 1, expire_time, fingerprint = ? FROM reservations WHERE request_id = ?",
            row -> row.getBoolean(4) ? read(transaction, row) : null,
            fingerprint,
            requestId);
    if (same.get(0) == null) {
      throw new Refusal.RequestIdReused();
    }
    return same.get(0);
  }

  /** Takes what is wanted from what is available, after what is due was given back. */
  private static void putAside(Connection transaction, List<Item> items)
      throws SQLException, Refusal {
    var wanted = items.stream().map(Item::productId).toList();
    var due =
        rows(
            transaction,
            "SELECT id FROM reservations r WHERE state = 1 AND expire_time <= clock_timestamp()"
                + " AND EXISTS (SELECT FROM reservation_items i"
                + " WHERE i.reservation_id = r.id AND i.product_id = ANY (?))"
                + " FOR UPDATE SKIP LOCKED", // those that are locked are being ended by somebody
            // else
            row -> row.getObject(1, UUID.class),
            texts(transaction, wanted));
    lock(transaction, wanted, due);
    giveBack(transaction, due, State.EXPIRED);
    var available = available(transaction, wanted);
    var unknown = wanted.stream().filter(product -> !available.containsKey(product)).toList();
    if (!unknown.isEmpty()) {
      throw new Refusal.UnknownProducts(unknown);
    }
    var tooFew = new LinkedHashMap<String, Integer>();
    for (var item : items) {
      if (available.get(item.productId()) < item.quantity()) {
        tooFew.put(item.productId(), available.get(item.productId()));
      }
    }
    if (!tooFew.isEmpty()) {
      throw new Refusal.OutOfStock(tooFew);
    }
    update(
        transaction,
        "UPDATE stock s SET available = available - w.pieces, reserved = reserved + w.pieces"
            + " FROM unnest(?::text[], ?::int[]) AS w (product_id, pieces)"
            + " WHERE s.product_id = w.product_id",
        texts(transaction, wanted),
        transaction.createArrayOf("int4", items.stream().map(Item::quantity).toArray()));
  }

  private static Map<String, Integer> available(Connection transaction, List<String> productIds)
      throws SQLException {
    var available = new LinkedHashMap<String, Integer>();
    rows(
        transaction,
        "SELECT product_id, available FROM stock WHERE product_id = ANY (?)",
        row -> available.put(row.getString(1), row.getInt(2)),
        texts(transaction, productIds));
    return available;
  }

  private static void insert(Connection transaction, UUID id, List<Item> items)
      throws SQLException {
    update(
        transaction,
        "INSERT INTO reservation_items (reservation_id, position, product_id, quantity)"
            + " SELECT ?, w.position, w.product_id, w.pieces"
            + " FROM unnest(?::text[], ?::int[]) WITH ORDINALITY AS w (product_id, pieces, position)",
        id,
        texts(transaction, items.stream().map(Item::productId).toList()),
        transaction.createArrayOf("int4", items.stream().map(Item::quantity).toArray()));
  }

  /** Writes a new state, and moves the pieces. */
  private static void move(Connection transaction, Reservation before, Reservation after)
      throws SQLException {
    if (before.state() == after.state()) {
      return;
    }
    lock(transaction, List.of(), List.of(before.id()));
    if (after.state() == State.COMMITTED) {
      take(transaction, before.id(), "committed = committed + p.pieces");
      setState(transaction, List.of(before.id()), State.COMMITTED);
    } else {
      giveBack(transaction, List.of(before.id()), after.state());
    }
  }

  private static void giveBack(Connection transaction, List<UUID> ids, State state)
      throws SQLException {
    for (var id : ids) {
      take(transaction, id, "available = available + p.pieces");
    }
    setState(transaction, ids, state);
  }

  private static void take(Connection transaction, UUID id, String where) throws SQLException {
    update(
        transaction,
        "UPDATE stock s SET reserved = reserved - p.pieces, "
            + where
            + " FROM (SELECT product_id, quantity AS pieces FROM reservation_items"
            + " WHERE reservation_id = ?) p WHERE s.product_id = p.product_id",
        id);
  }

  private static void setState(Connection transaction, List<UUID> ids, State state)
      throws SQLException {
    update(
        transaction,
        "UPDATE reservations SET state = ? WHERE id = ANY (?)",
        state.number,
        transaction.createArrayOf("uuid", ids.toArray()));
  }

  /** Locks products, and those of some reservations, in the order of their ids. */
  private static void lock(Connection transaction, Collection<String> productIds, List<UUID> ids)
      throws SQLException {
    var products = new TreeSet<>(productIds);
    products.addAll(
        rows(
            transaction,
            "SELECT product_id FROM reservation_items WHERE reservation_id = ANY (?)",
            row -> row.getString(1),
            transaction.createArrayOf("uuid", ids.toArray())));
    rows(
        transaction,
        "SELECT product_id FROM stock WHERE product_id = ANY (?) ORDER BY product_id FOR UPDATE",
        row -> row.getString(1),
        texts(transaction, products));
  }

  private static Reservation locked(Connection transaction, UUID id) throws SQLException, Refusal {
    var found =
        rows(
            transaction,
            "SELECT id, state, expire_time FROM reservations WHERE id = ? FOR UPDATE",
            row -> read(transaction, row),
            id);
    if (found.isEmpty()) {
      throw new Refusal.UnknownReservation();
    }
    return found.get(0);
  }

  /** Reads a reservation from a row that begins with its id, state and expire time. */
  private static Reservation read(Connection transaction, ResultSet row) throws SQLException {
    var id = row.getObject(1, UUID.class);
    var items =
        rows(
            transaction,
            "SELECT product_id, quantity FROM reservation_items WHERE reservation_id = ?"
                + " ORDER BY position",
            item -> new Item(item.getString(1), item.getInt(2)),
            id);
    return new Reservation(id, items, State.of(row.getInt(2)), time(row, 3));
  }

  private static Stock readStock(ResultSet row) throws SQLException {
    return new Stock(row.getString(1), row.getInt(2), row.getInt(3));
  }

  private static Instant time(ResultSet row, int column) throws SQLException {
    return row.getObject(column, OffsetDateTime.class).toInstant();
  }

  private static java.sql.Array texts(Connection transaction, Collection<String> texts)
      throws SQLException {
    return transaction.createArrayOf("text", texts.toArray());
  }

  @FunctionalInterface
  private interface Reading<R> {
    R of(ResultSet row) throws SQLException;
  }

  private static <R> List<R> rows(
      Connection transaction, String query, Reading<R> reading, Object... values)
      throws SQLException {
    try (var statement = prepared(transaction, query, values);
        var found = statement.executeQuery()) {
      var rows = new ArrayList<R>();
      while (found.next()) {
        rows.add(reading.of(found));
      }
      return rows;
    }
  }

  private static void update(Connection transaction, String query, Object... values)
      throws SQLException {
    try (var statement = prepared(transaction, query, values)) {
      statement.executeUpdate();
    }
  }

  private static PreparedStatement prepared(Connection transaction, String query, Object... values)
      throws SQLException {
    var statement = transaction.prepareStatement(query);
    for (var place = 0; place < values.length; place++) {
      statement.setObject(place + 1, values[place]);
    }
    return statement;
  }
}
