package dev.gossamer.kit;

/**
 * How many retries there may be of all calls of one service by this process: those of the last ten
 * seconds count.
 */
final class Budget {
  private static final int WINDOW = 10;

  private final long[] seconds = new long[WINDOW];
  private final long[] calls = new long[WINDOW];
  private final long[] retries = new long[WINDOW];
  private double percent;
  private double least = Double.POSITIVE_INFINITY;

  synchronized void allow(double percent, double perSecond) {
    this.percent = percent;
    this.least = perSecond * WINDOW;
  }

  void allowAll() {
    allow(0, Double.POSITIVE_INFINITY);
  }

  void called() {
    called(now());
  }

  boolean spend() {
    return spend(now());
  }

  synchronized void called(long second) {
    calls[at(second)]++;
  }

  /** Tells whether one retry more may be made, and counts it. */
  synchronized boolean spend(long second) {
    var current = at(second);
    long made = 0;
    long tried = 0;
    for (var i = 0; i < WINDOW; i++) {
      if (seconds[i] > second - WINDOW) {
        made += calls[i];
        tried += retries[i];
      }
    }
    if (tried + 1 > made * percent / 100 + least) {
      return false;
    }
    retries[current]++;
    return true;
  }

  private int at(long second) {
    var place = (int) (second % WINDOW);
    if (seconds[place] != second) {
      seconds[place] = second;
      calls[place] = 0;
      retries[place] = 0;
    }
    return place;
  }

  private static long now() {
    return System.nanoTime() / 1_000_000_000L + WINDOW; // never before the window
  }
}
