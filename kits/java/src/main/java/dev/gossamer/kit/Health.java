package dev.gossamer.kit;

import io.grpc.Status;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What the instance says about its health: NOT_SERVING until it has joined and once it drains, the
 * same for "" and for each contract. It stands in for grpc-services' own, whose watches no graceful
 * stop waits out.
 */
final class Health extends HealthGrpc.HealthImplBase {
  private final Set<String> names = new LinkedHashSet<>(List.of(""));
  private final Map<StreamObserver<HealthCheckResponse>, String> watches = new HashMap<>();
  private ServingStatus now = ServingStatus.NOT_SERVING;
  private boolean ended;

  synchronized void cover(List<String> contracts) {
    names.addAll(contracts);
  }

  /** Changes the answer for all names. */
  synchronized void set(ServingStatus status) {
    now = status;
    watches.forEach((watch, name) -> watch.onNext(answer(name)));
  }

  /** Ends all watches, which a graceful stop would wait for. */
  synchronized void endWatches() {
    ended = true;
    watches.keySet().forEach(watch -> watch.onError(stopping()));
    watches.clear();
  }

  @Override
  public synchronized void check(
      HealthCheckRequest request, StreamObserver<HealthCheckResponse> answer) {
    if (names.contains(request.getService())) {
      answer.onNext(answer(request.getService()));
      answer.onCompleted();
    } else {
      answer.onError(
          Status.NOT_FOUND
              .withDescription("unknown service " + request.getService())
              .asRuntimeException());
    }
  }

  @Override
  public synchronized void watch(
      HealthCheckRequest request, StreamObserver<HealthCheckResponse> watch) {
    if (ended) {
      watch.onError(stopping());
      return;
    }
    ((ServerCallStreamObserver<HealthCheckResponse>) watch).setOnCancelHandler(() -> forget(watch));
    watches.put(watch, request.getService());
    watch.onNext(answer(request.getService()));
  }

  private synchronized void forget(StreamObserver<HealthCheckResponse> watch) {
    watches.remove(watch);
  }

  private HealthCheckResponse answer(String name) {
    var status = names.contains(name) ? now : ServingStatus.SERVICE_UNKNOWN;
    return HealthCheckResponse.newBuilder().setStatus(status).build();
  }

  private static RuntimeException stopping() {
    return Status.UNAVAILABLE.withDescription("the server stops").asRuntimeException();
  }
}
