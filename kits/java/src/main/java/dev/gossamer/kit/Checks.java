package dev.gossamer.kit;

import build.buf.protovalidate.Config;
import build.buf.protovalidate.Validator;
import build.buf.protovalidate.ValidatorFactory;
import build.buf.protovalidate.exceptions.ValidationException;
import build.buf.validate.FieldPath;
import build.buf.validate.FieldPathElement;
import com.google.protobuf.Message;
import dev.gossamer.kit.ServiceException.Field;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;

/**
 * The check of every request against the rules that its contract holds (buf.validate), before a
 * handler sees it.
 */
final class Checks {
  /**
   * Of larger messages only the first violation is looked for: a hostile one could keep a processor
   * busy for seconds.
   */
  private static final int LARGE_BYTES = 4 << 10;

  /** As many are told: clients refuse an answer whose details are too large. */
  private static final int MOST_VIOLATIONS = 20;

  private Validator all = ValidatorFactory.newBuilder().build();
  private final Validator first =
      ValidatorFactory.newBuilder()
          .withConfig(Config.newBuilder().setFailFast(true).build())
          .build();

  /**
   * Has the rules of what a service takes ready before its first call, which would wait half a
   * second for them.
   *
   * @throws IllegalArgumentException if the contract's rules can't be used
   */
  void prepare(Collection<ServerServiceDefinition> services) {
    List<Message> requests =
        services.stream()
            .flatMap(service -> service.getMethods().stream())
            .flatMap(Checks::request)
            .toList();
    var types = requests.stream().map(Message::getDescriptorForType).distinct().toList();
    try {
      all = ValidatorFactory.newBuilder().buildWithDescriptors(types, false);
      for (var request : requests) {
        all.validate(request);
      }
    } catch (ValidationException wrong) {
      throw new IllegalArgumentException("expected rules of buf.validate in the contract", wrong);
    }
  }

  private static Stream<Message> request(ServerMethodDefinition<?, ?> method) {
    return method.getMethodDescriptor().getRequestMarshaller()
                instanceof PrototypeMarshaller<?> made
            && made.getMessagePrototype() instanceof Message message
        ? Stream.of(message)
        : Stream.empty();
  }

  /**
   * Checks a request.
   *
   * @throws ServiceException naming each bad field
   * @throws ValidationException if the contract's rules can't be used
   */
  void check(Object request) throws ValidationException {
    if (!(request instanceof Message message)) {
      return;
    }
    var validator = message.getSerializedSize() > LARGE_BYTES ? first : all;
    var violations = validator.validate(message).getViolations();
    if (!violations.isEmpty()) {
      var fields =
          violations.stream()
              .limit(MOST_VIOLATIONS)
              .map(violation -> violation.toProto())
              .map(violation -> new Field(path(violation.getField()), violation.getMessage()))
              .toArray(Field[]::new);
      throw new ServiceException(
          Status.Code.INVALID_ARGUMENT, "INVALID_REQUEST", "invalid request", fields);
    }
  }

  /** Spells a path as protovalidate does, such as items[0].quantity. */
  static String path(FieldPath path) {
    var text = new StringBuilder();
    for (var element : path.getElementsList()) {
      text.append(text.isEmpty() ? "" : ".")
          .append(element.getFieldName())
          .append(subscript(element));
    }
    return text.toString();
  }

  private static String subscript(FieldPathElement element) {
    return switch (element.getSubscriptCase()) {
      case INDEX -> "[" + element.getIndex() + "]";
      case BOOL_KEY -> "[" + element.getBoolKey() + "]";
      case INT_KEY -> "[" + element.getIntKey() + "]";
      case UINT_KEY -> "[" + Long.toUnsignedString(element.getUintKey()) + "]";
      case STRING_KEY -> "[\"" + element.getStringKey() + "\"]";
      case SUBSCRIPT_NOT_SET -> "";
    };
  }
}
