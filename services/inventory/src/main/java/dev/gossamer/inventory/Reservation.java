package dev.gossamer.inventory;

import java.time.Instant;
import java.util.List;
import java.util.UUID;

/** Pieces that are put aside, and what may happen to them. */
record Reservation(UUID id, List<Item> items, State state, Instant expireTime) {

  /** Where a reservation stands; numbered as in the contract and in the store. */
  enum State {
    HELD(1),
    COMMITTED(2),
    RELEASED(3),
    EXPIRED(4);

    final int number;

    State(int number) {
      this.number = number;
    }

    static State of(int number) {
      return values()[number - 1];
    }
  }

  /** A change of a reservation's state, which may be refused. */
  @FunctionalInterface
  interface Change {
    Reservation of(Reservation before) throws Refusal;
  }

  /** Gives the reservation as it is at a time: one that nobody committed before has expired. */
  Reservation asOf(Instant time) {
    return state == State.HELD && !time.isBefore(expireTime) ? in(State.EXPIRED) : this;
  }

  /** Gives the reservation after its pieces were sold; refused when they were given back before. */
  Reservation committed() throws Refusal {
    return switch (state) {
      case HELD, COMMITTED -> in(State.COMMITTED);
      case RELEASED, EXPIRED -> throw new Refusal.Ended(state);
    };
  }

  /** Gives the reservation after its pieces were given back; refused when they were sold. */
  Reservation released() throws Refusal {
    return switch (state) {
      case HELD -> in(State.RELEASED);
      case RELEASED, EXPIRED -> this;
      case COMMITTED -> throw new Refusal.Ended(state);
    };
  }

  private Reservation in(State next) {
    return next == state ? this : new Reservation(id, items, next, expireTime);
  }
}
