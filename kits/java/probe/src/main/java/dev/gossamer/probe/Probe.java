package dev.gossamer.probe;

import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import dev.gossamer.kit.Kit;
import dev.gossamer.kit.Received;
import dev.gossamer.kit.ServiceException;
import dev.gossamer.kit.Trace;
import gossamer.probe.v1.Probe.CallRequest;
import gossamer.probe.v1.Probe.CallResponse;
import gossamer.probe.v1.Probe.ChatRequest;
import gossamer.probe.v1.Probe.ChatResponse;
import gossamer.probe.v1.Probe.CountRequest;
import gossamer.probe.v1.Probe.CountResponse;
import gossamer.probe.v1.Probe.EchoRequest;
import gossamer.probe.v1.Probe.EchoResponse;
import gossamer.probe.v1.Probe.FailMode;
import gossamer.probe.v1.Probe.FailRequest;
import gossamer.probe.v1.Probe.FailResponse;
import gossamer.probe.v1.Probe.Hop;
import gossamer.probe.v1.Probe.RelayRequest;
import gossamer.probe.v1.Probe.RelayResponse;
import gossamer.probe.v1.Probe.SumRequest;
import gossamer.probe.v1.Probe.SumResponse;
import gossamer.probe.v1.Probe.WaitRequest;
import gossamer.probe.v1.Probe.WaitResponse;
import gossamer.probe.v1.ProbeServiceGrpc;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** Serves the probe's contract. What each method has to do is said there. */
final class Probe extends ProbeServiceGrpc.ProbeServiceImplBase {
  private final Kit kit;
  private final AtomicLong fails = new AtomicLong();
  private final Map<String, Waits> waits = new ConcurrentHashMap<>();

  /** Counts the waits of a key. */
  private static final class Waits {
    private final AtomicInteger waiting = new AtomicInteger();
    private final AtomicInteger cancelled = new AtomicInteger();
  }

  Probe(Kit kit) {
    this.kit = kit;
  }

  @Override
  public void echo(EchoRequest request, StreamObserver<EchoResponse> answer) {
    answer(
        answer,
        EchoResponse.newBuilder()
            .setPayload(request.getPayload())
            .setPadding(ByteString.copyFrom(new byte[request.getResponsePadding()]))
            .setHop(hop())
            .build());
  }

  @Override
  public void relay(RelayRequest request, StreamObserver<RelayResponse> answer) {
    var response = RelayResponse.newBuilder().addHops(hop());
    if (request.getServicesCount() == 0) {
      await(WaitRequest.newBuilder().setDuration(request.getLastWait()).setKey("relay").build());
    } else {
      var next = kit.client(ProbeServiceGrpc::newBlockingStub, request.getServices(0));
      var rest =
          RelayRequest.newBuilder()
              .addAllServices(request.getServicesList().subList(1, request.getServicesCount()))
              .setLastWait(request.getLastWait());
      response.addAllHops(next.relay(rest.build()).getHopsList());
    }
    answer(answer, response.build());
  }

  @Override
  public void wait(WaitRequest request, StreamObserver<WaitResponse> answer) {
    var others = waitsOf(request.getKey());
    var response =
        WaitResponse.newBuilder()
            .setCancelled(others.cancelled.get())
            .setWaiting(others.waiting.get())
            .setHop(hop())
            .build();
    await(request);
    answer(answer, response);
  }

  @Override
  public void call(CallRequest request, StreamObserver<CallResponse> answer) {
    await(request.getFirst());
    var response = CallResponse.newBuilder();
    var callee = new Callee(kit, request.getService(), request.getAbandon());
    switch (request.getMethod()) {
      case CALL_METHOD_ECHO -> response.setHop(callee.echo());
      case CALL_METHOD_WAIT -> response.setHop(callee.await(request.getWait()));
      case CALL_METHOD_FAIL ->
          response.setFailure(
              callee.fail(FailRequest.newBuilder().setMode(FailMode.FAIL_MODE_DOMAIN).build()));
      case CALL_METHOD_REFUSED ->
          response.setFailure(callee.fail(FailRequest.newBuilder().setCode(99).build()));
      case CALL_METHOD_COUNT -> callee.count();
      case CALL_METHOD_SUM -> callee.sum();
      default -> callee.chat();
    }
    answer(answer, response.build());
  }

  @Override
  public void fail(FailRequest request, StreamObserver<FailResponse> answer) {
    var nth = fails.incrementAndGet();
    var only = request.getOnlyInstance();
    var elsewhere = !only.isEmpty() && !only.equals(kit.config().instance());
    if (nth % Math.max(request.getEvery(), 1) == 0 && !elsewhere) {
      fail(request.getMode(), request.getCode());
    }
    answer(answer, FailResponse.newBuilder().setHop(hop()).build());
  }

  private static void fail(FailMode mode, int code) {
    switch (mode) {
      case FAIL_MODE_STATUS -> {
        if (code != 0) {
          throw Status.fromCodeValue(code).withDescription("as told").asRuntimeException();
        }
      }
      case FAIL_MODE_DOMAIN ->
          throw new ServiceException(
              Status.Code.NOT_FOUND, "PROBE_NOT_FOUND", "nothing to find here");
      case FAIL_MODE_UNEXPECTED ->
          throw new IllegalStateException(
              "reading the secret", new IllegalArgumentException("nobody must see this"));
      case FAIL_MODE_PANIC -> throw new AssertionError("secret: nobody must see this");
      default -> {}
    }
  }

  @Override
  public void count(CountRequest request, StreamObserver<CountResponse> answer) {
    for (var number = 1; number <= request.getTo(); number++) {
      if (number > 1) {
        await(WaitRequest.newBuilder().setDuration(request.getInterval()).setKey("count").build());
      }
      Streams.send(answer, CountResponse.newBuilder().setNumber(number).build());
    }
    answer.onCompleted();
  }

  @Override
  public StreamObserver<SumRequest> sum(StreamObserver<SumResponse> answer) {
    return new StreamObserver<>() {
      private final SumResponse.Builder response = SumResponse.newBuilder();

      @Override
      public void onNext(SumRequest request) {
        response.setSum(response.getSum() + request.getNumber()).setCount(response.getCount() + 1);
      }

      @Override
      public void onError(Throwable gone) {}

      @Override
      public void onCompleted() {
        answer(answer, response.build());
      }
    };
  }

  @Override
  public StreamObserver<ChatRequest> chat(StreamObserver<ChatResponse> answer) {
    return new StreamObserver<>() {
      @Override
      public void onNext(ChatRequest request) {
        answer.onNext(
            ChatResponse.newBuilder()
                .setText(request.getText())
                .setInstance(kit.config().instance())
                .build());
      }

      @Override
      public void onError(Throwable gone) {}

      @Override
      public void onCompleted() {
        answer.onCompleted();
      }
    };
  }

  private static <R> void answer(StreamObserver<R> answer, R response) {
    answer.onNext(response);
    answer.onCompleted();
  }

  /** Says what this instance saw of a call. */
  private Hop hop() {
    var hop =
        Hop.newBuilder()
            .setService(kit.config().service())
            .setInstance(kit.config().instance())
            .setLanguage("java")
            .setTraceId(Trace.id())
            .putAllMetadata(Received.metadata());
    var deadline = Context.current().getDeadline();
    if (deadline != null) {
      var left = Math.max(deadline.timeRemaining(TimeUnit.NANOSECONDS), 0);
      hop.setRemaining(
          Duration.newBuilder()
              .setSeconds(left / 1_000_000_000)
              .setNanos((int) (left % 1_000_000_000)));
    }
    return hop.build();
  }

  /** Waits, and counts who waits and who gave up. */
  private void await(WaitRequest request) {
    var counted = waitsOf(request.getKey());
    counted.waiting.incrementAndGet();
    var end =
        System.nanoTime()
            + request.getDuration().getSeconds() * 1_000_000_000L
            + request.getDuration().getNanos();
    try {
      sleepUntil(end);
    } catch (InterruptedException gone) {
      counted.cancelled.incrementAndGet();
      if (!request.getIgnoreCancellation()) {
        throw Status.CANCELLED.asRuntimeException();
      }
      stubbornly(end);
    } finally {
      counted.waiting.decrementAndGet();
    }
  }

  private static void sleepUntil(long end) throws InterruptedException {
    TimeUnit.NANOSECONDS.sleep(Math.max(end - System.nanoTime(), 0));
  }

  private static void stubbornly(long end) {
    while (System.nanoTime() < end) {
      try {
        sleepUntil(end);
      } catch (InterruptedException again) {
        // as told
      }
    }
  }

  private Waits waitsOf(String key) {
    return waits.computeIfAbsent(key, made -> new Waits());
  }
}
