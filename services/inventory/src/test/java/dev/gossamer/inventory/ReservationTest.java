package dev.gossamer.inventory;

import static dev.gossamer.inventory.Reservation.State.COMMITTED;
import static dev.gossamer.inventory.Reservation.State.EXPIRED;
import static dev.gossamer.inventory.Reservation.State.HELD;
import static dev.gossamer.inventory.Reservation.State.RELEASED;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Instant;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** What may follow what. */
class ReservationTest {
  private static final Instant END = Instant.parse("2026-11-26T12:00:00Z");

  private static Reservation in(Reservation.State state) {
    return new Reservation(new UUID(0, 1), List.of(new Item("cup", 2)), state, END);
  }

  @Test
  void heldOnesExpireAtTheirTimeAndNotBefore() {
    assertEquals(HELD, in(HELD).asOf(END.minusNanos(1)).state());
    assertEquals(EXPIRED, in(HELD).asOf(END).state());
  }

  @Test
  void whatIsFinalDoesNotExpire() {
    for (var state : List.of(COMMITTED, RELEASED, EXPIRED)) {
      assertEquals(state, in(state).asOf(END.plusSeconds(1)).state());
    }
  }

  @Test
  void heldAndCommittedOnesCanBeCommitted() throws Refusal {
    assertEquals(COMMITTED, in(HELD).committed().state());
    assertEquals(COMMITTED, in(COMMITTED).committed().state());
    assertThrows(Refusal.Ended.class, () -> in(RELEASED).committed());
    assertThrows(Refusal.Ended.class, () -> in(EXPIRED).committed());
  }

  @Test
  void allButCommittedOnesCanBeReleasedAndKeepTheirEnd() throws Refusal {
    assertEquals(RELEASED, in(HELD).released().state());
    assertEquals(RELEASED, in(RELEASED).released().state());
    assertEquals(EXPIRED, in(EXPIRED).released().state());
    assertThrows(Refusal.Ended.class, () -> in(COMMITTED).released());
  }

  @Test
  void statesHaveTheNumbersOfTheContract() {
    assertEquals(
        List.of(1, 2, 3, 4),
        List.of(HELD.number, COMMITTED.number, RELEASED.number, EXPIRED.number));
    assertEquals(EXPIRED, Reservation.State.of(4));
  }
}
