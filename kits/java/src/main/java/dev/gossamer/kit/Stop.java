package dev.gossamer.kit;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import sun.misc.Signal;

/**
 * What SIGTERM and SIGINT ask for: the first one to drain, the second one to hurry, a third one to
 * end at once. Java's own handling would end the process with status 143 whatever a drain came to.
 */
final class Stop {
  private static final int KILLED = 137;

  private final CountDownLatch stop = new CountDownLatch(1);
  private final CountDownLatch hurry = new CountDownLatch(1);

  /** Takes the signals over. */
  void listen() {
    for (var name : new String[] {"TERM", "INT"}) {
      Signal.handle(new Signal(name), signal -> ask());
    }
  }

  private synchronized void ask() {
    if (stop.getCount() > 0) {
      stop.countDown();
    } else if (hurry.getCount() > 0) {
      hurry.countDown();
    } else {
      Runtime.getRuntime().halt(KILLED);
    }
  }

  boolean asked() {
    return stop.getCount() == 0;
  }

  boolean hurried() {
    return hurry.getCount() == 0;
  }

  /** Waits so long, unless the instance is to stop. Tells whether it waited to the end. */
  boolean sleep(Duration time) throws InterruptedException {
    return !stop.await(time.toNanos(), TimeUnit.NANOSECONDS);
  }

  void await() throws InterruptedException {
    stop.await();
  }

  /** Waits so long, unless there is to be hurry. Tells whether it waited to the end. */
  boolean pause(long milliseconds) throws InterruptedException {
    return !hurry.await(milliseconds, TimeUnit.MILLISECONDS);
  }
}
