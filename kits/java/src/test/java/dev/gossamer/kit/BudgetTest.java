package dev.gossamer.kit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class BudgetTest {
  private static final long NOW = 1000;

  private final Budget budget = new Budget();

  private void call(long second, int times) {
    for (var i = 0; i < times; i++) {
      budget.called(second);
    }
  }

  /** Counts how many of so many retries are allowed. */
  private int spend(long second, int times) {
    var allowed = 0;
    for (var i = 0; i < times; i++) {
      allowed += budget.spend(second) ? 1 : 0;
    }
    return allowed;
  }

  @Test
  void withoutALimitThereMayBeAnyNumberOfRetries() {
    assertEquals(500, spend(NOW, 500));
  }

  @Test
  void thereMayBeSoManyRetriesForEachHundredCalls() {
    budget.allow(20, 0);
    call(NOW, 50);
    assertEquals(10, spend(NOW, 100));
  }

  @Test
  void thereMayBeSomeRetriesHoweverFewCallsThereAre() {
    budget.allow(0, 0.5);
    assertEquals(5, spend(NOW, 100));
  }

  @Test
  void callsAndRetriesCountForTenSeconds() {
    budget.allow(50, 0);
    call(NOW, 20);
    assertEquals(10, spend(NOW, 100));
    assertEquals(0, spend(NOW + 5, 100));
    call(NOW + 10, 20);
    assertEquals(10, spend(NOW + 10, 100));
  }
}
