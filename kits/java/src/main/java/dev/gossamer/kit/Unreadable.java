package dev.gossamer.kit;

import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.StatusRuntimeException;
import java.io.InputStream;

/**
 * Stands in for a request that can't be read. By itself gRPC reads a request where no interceptor
 * sees that it can't, and answers UNKNOWN.
 */
record Unreadable(StatusRuntimeException failure) {
  /** Gives the same service, whose interceptors get what can't be read as an Unreadable. */
  static ServerServiceDefinition passedOn(ServerServiceDefinition service) {
    var descriptor = service.getServiceDescriptor();
    var methods = service.getMethods().stream().map(Unreadable::passedOn).toList();
    var made =
        ServiceDescriptor.newBuilder(descriptor.getName())
            .setSchemaDescriptor(descriptor.getSchemaDescriptor());
    methods.forEach(method -> made.addMethod(method.getMethodDescriptor()));
    var wrapped = ServerServiceDefinition.builder(made.build());
    methods.forEach(wrapped::addMethod);
    return wrapped.build();
  }

  private static <Q, R> ServerMethodDefinition<Q, R> passedOn(ServerMethodDefinition<Q, R> method) {
    MethodDescriptor<Q, R> known = method.getMethodDescriptor();
    var lenient =
        known.toBuilder(new Lenient<>(known.getRequestMarshaller()), known.getResponseMarshaller());
    return ServerMethodDefinition.create(lenient.build(), method.getServerCallHandler());
  }

  private record Lenient<Q>(Marshaller<Q> strict) implements Marshaller<Q> {
    @Override
    public InputStream stream(Q request) {
      return strict.stream(request);
    }

    @Override
    @SuppressWarnings("unchecked") // no more than the interceptor sees it, which asks
    public Q parse(InputStream bytes) {
      try {
        return strict.parse(bytes);
      } catch (StatusRuntimeException failure) {
        return (Q) new Unreadable(failure);
      }
    }
  }
}
