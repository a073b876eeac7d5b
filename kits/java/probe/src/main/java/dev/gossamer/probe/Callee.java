package dev.gossamer.probe;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import dev.gossamer.kit.Kit;
import gossamer.probe.v1.Probe.CallFailure;
import gossamer.probe.v1.Probe.ChatRequest;
import gossamer.probe.v1.Probe.ChatResponse;
import gossamer.probe.v1.Probe.CountRequest;
import gossamer.probe.v1.Probe.EchoRequest;
import gossamer.probe.v1.Probe.FailRequest;
import gossamer.probe.v1.Probe.Hop;
import gossamer.probe.v1.Probe.SumRequest;
import gossamer.probe.v1.Probe.SumResponse;
import gossamer.probe.v1.Probe.WaitRequest;
import gossamer.probe.v1.ProbeServiceGrpc;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * Calls that the probe makes to others, streams each to their end or dropped after the first
 * message.
 */
final class Callee {
  private final Kit kit;
  private final String service;
  private final boolean abandon;

  Callee(Kit kit, String service, boolean abandon) {
    this.kit = kit;
    this.service = service;
    this.abandon = abandon;
  }

  Hop echo() {
    return kit.client(ProbeServiceGrpc::newBlockingStub, service)
        .echo(EchoRequest.getDefaultInstance())
        .getHop();
  }

  Hop await(WaitRequest request) {
    return kit.client(ProbeServiceGrpc::newBlockingStub, service).wait(request).getHop();
  }

  /** Tells how the call fails. */
  CallFailure fail(FailRequest request) {
    try {
      kit.client(ProbeServiceGrpc::newBlockingStub, service).fail(request);
      return CallFailure.getDefaultInstance();
    } catch (StatusRuntimeException failed) {
      return read(StatusProto.fromThrowable(failed));
    }
  }

  private static CallFailure read(com.google.rpc.Status said) {
    var failure = CallFailure.newBuilder().setCode(said.getCode()).setMessage(said.getMessage());
    try {
      for (var detail : said.getDetailsList()) {
        if (detail.is(ErrorInfo.class)) {
          var info = detail.unpack(ErrorInfo.class);
          failure.setReason(info.getReason()).setDomain(info.getDomain());
        }
        if (detail.is(BadRequest.class)) {
          for (var violation : detail.unpack(BadRequest.class).getFieldViolationsList()) {
            failure.addFields(violation.getField());
          }
        }
      }
    } catch (InvalidProtocolBufferException unreadable) {
      throw new IllegalStateException(unreadable);
    }
    return failure.build();
  }

  void count() {
    dropped(
        () -> {
          var numbers =
              kit.client(ProbeServiceGrpc::newBlockingStub, service)
                  .count(CountRequest.newBuilder().setTo(3).build());
          while (numbers.hasNext()) {
            numbers.next();
            if (abandon) {
              return;
            }
          }
        });
  }

  void sum() {
    dropped(
        () -> {
          var answers = new Answers<SumResponse>();
          var requests = kit.client(ProbeServiceGrpc::newStub, service).sum(answers);
          for (var number = 1; number <= 3; number++) {
            requests.onNext(SumRequest.newBuilder().setNumber(number).build());
            if (abandon) {
              return;
            }
          }
          requests.onCompleted();
          answers.next();
          answers.end();
        });
  }

  void chat() {
    dropped(
        () -> {
          var answers = new Answers<ChatResponse>();
          var requests = kit.client(ProbeServiceGrpc::newStub, service).chat(answers);
          for (var text : List.of("one", "two", "three")) {
            requests.onNext(ChatRequest.newBuilder().setText(text).build());
            answers.next();
            if (abandon) {
              return;
            }
          }
          requests.onCompleted();
          answers.end();
        });
  }

  /** Makes a call in a context of its own, whose end cancels what is left of it. */
  private static void dropped(Runnable call) {
    var context = Context.current().withCancellation();
    try {
      context.run(call);
    } finally {
      context.cancel(null);
    }
  }

  /** What comes back on a stream: messages, and at last its end. */
  private static final class Answers<R> implements StreamObserver<R> {
    private final BlockingQueue<Object> events = new LinkedBlockingQueue<>();

    @Override
    public void onNext(R message) {
      events.add(message);
    }

    @Override
    public void onError(Throwable failure) {
      events.add(failure);
    }

    @Override
    public void onCompleted() {
      events.add(this);
    }

    void next() {
      if (take() == this) {
        throw Status.INTERNAL.withDescription("the stream ended early").asRuntimeException();
      }
    }

    void end() {
      if (take() != this) {
        throw Status.INTERNAL.withDescription("the stream went on").asRuntimeException();
      }
    }

    private Object take() {
      try {
        var event = events.take();
        if (event instanceof RuntimeException failure) {
          throw failure;
        }
        return event;
      } catch (InterruptedException gone) {
        throw Status.CANCELLED.asRuntimeException();
      }
    }
  }
}
