package dev.gossamer.kit;

import dev.gossamer.kit.Rules.Rule;
import gossamer.mesh.v1.Traffic.CallPolicy;
import io.grpc.Deadline;
import io.grpc.Metadata;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** What is done to the calls of one service. */
final class Policy {
  private static final long LONGEST_WAIT_MS = 1000;

  final Budget budget = new Budget();
  private final CountDownLatch settled = new CountDownLatch(1);
  private volatile Rules rules; // null: nothing is done to any call

  /** Has no call wait any longer. */
  void settle() {
    settled.countDown();
  }

  /**
   * Gives the rule that a call falls under. Calls that are made before anything was said wait a
   * moment for that.
   */
  Rule find(String path, Metadata metadata, Deadline deadline) {
    if (settled.getCount() > 0) {
      await(deadline);
    }
    var now = rules;
    if (now == null) {
      return Rule.NOTHING;
    }
    budget.called();
    return now.find(path, metadata);
  }

  private void await(Deadline deadline) {
    var left = deadline == null ? LONGEST_WAIT_MS : deadline.timeRemaining(TimeUnit.MILLISECONDS);
    try {
      settled.await(Math.min(left, LONGEST_WAIT_MS), TimeUnit.MILLISECONDS);
    } catch (InterruptedException gone) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Does from now on what was said.
   *
   * @throws IllegalArgumentException where that can't be done: then as before
   */
  void become(CallPolicy said, boolean carriesRetries) {
    var made = new Rules(said.getRulesList(), carriesRetries);
    rules = made.isEmpty() ? null : made;
    if (said.hasRetryBudget()) {
      budget.allow(said.getRetryBudget().getPercent(), said.getRetryBudget().getMinPerSecond());
    } else {
      budget.allowAll();
    }
  }
}
