package dev.gossamer.kit;

import gossamer.mesh.v1.Traffic.CallPolicy;
import gossamer.mesh.v1.Traffic.WatchCallPoliciesRequest;
import gossamer.mesh.v1.Traffic.WatchCallPoliciesResponse;
import gossamer.mesh.v1.TrafficServiceGrpc;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * The policies of all services that this process has clients of: one stream from the control plane
 * says them. While there is none, what was said last holds.
 */
final class Policies implements AutoCloseable {
  private static final long FIRST_WAIT_MS = 1000;
  private static final long FIRST_PAUSE_MS = 500;
  private static final long LONGEST_PAUSE_MS = 2000;
  private static final double GROWTH = 1.6;

  private final Config config;
  private final Log log;
  private final TreeMap<String, Policy> of = new TreeMap<>();
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(Threads.daemon("gossamer-policies"));
  private Following following;
  private boolean lost;

  Policies(Config config, Log log) {
    this.config = config;
    this.log = log;
  }

  /** Gives the policy of a service, which the control plane is asked for from now on. */
  synchronized Policy of(String service) {
    var policy = new Policy();
    of.put(service, policy);
    if (config.controlPlane().isEmpty()) {
      policy.settle();
      return policy;
    }
    timer.schedule(policy::settle, FIRST_WAIT_MS, TimeUnit.MILLISECONDS);
    if (following != null) {
      following.end();
    }
    following = new Following(config.controlPlane().get());
    following.begin();
    return policy;
  }

  @Override
  public synchronized void close() {
    timer.shutdownNow();
    if (following != null) {
      following.end();
    }
  }

  /** One stream for the services that there are now, opened again whenever it ends. */
  private final class Following implements StreamObserver<WatchCallPoliciesResponse> {
    private final Context.CancellableContext life = Context.ROOT.withCancellation();
    private final WatchCallPoliciesRequest request;
    private final String target;
    private ManagedChannel channel;
    private long pause = FIRST_PAUSE_MS;

    Following(String target) {
      this.target = target;
      this.request =
          WatchCallPoliciesRequest.newBuilder()
              .addAllServices(of.keySet())
              .setCaller(config.service())
              .setZone(config.zone())
              .build();
    }

    void begin() {
      synchronized (Policies.this) {
        if (life.isCancelled()) {
          return;
        }
        channel =
            Grpc.newChannelBuilder(target, InsecureChannelCredentials.create())
                .keepAliveTime(5, TimeUnit.MINUTES) // as gRPC's own streams to a control plane
                .build();
        life.run(() -> TrafficServiceGrpc.newStub(channel).watchCallPolicies(request, this));
      }
    }

    void end() {
      life.cancel(null);
      if (channel != null) {
        channel.shutdownNow();
      }
    }

    @Override
    public void onNext(WatchCallPoliciesResponse said) {
      synchronized (Policies.this) {
        if (life.isCancelled()) {
          return;
        }
        pause = FIRST_PAUSE_MS;
        said.getChangedList().forEach(Policies.this::take);
        settle(null);
      }
    }

    @Override
    public void onError(Throwable error) {
      synchronized (Policies.this) {
        if (life.isCancelled()) {
          return;
        }
        settle(Status.fromThrowable(error));
        channel.shutdownNow();
        var wait = (long) (pause * ThreadLocalRandom.current().nextDouble(0.8, 1.2));
        timer.schedule(this::begin, wait, TimeUnit.MILLISECONDS);
        pause = Math.min((long) (pause * GROWTH), LONGEST_PAUSE_MS);
      }
    }

    @Override
    public void onCompleted() {
      onError(Status.UNAVAILABLE.withDescription("the stream ended").asException());
    }
  }

  private void take(CallPolicy said) {
    var known = of.get(said.getService());
    if (known == null) {
      return;
    }
    try {
      known.become(said, config.carriesRetries());
    } catch (IllegalArgumentException wrong) {
      log.error(
          "calls can't be treated as was said, and go on as before",
          "callee",
          said.getService(),
          "error",
          wrong.getMessage());
    }
  }

  private void settle(Status failed) {
    of.values().forEach(Policy::settle);
    if ((failed != null) != lost) {
      lost = failed != null;
      if (lost) {
        log.warn(
            "the control plane doesn't say what is done to calls; asking again",
            "error",
            failed.toString());
      } else {
        log.info("the control plane says again what is done to calls");
      }
    }
  }
}
