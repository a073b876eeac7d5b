package dev.gossamer.kit;

import com.google.protobuf.Any;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import java.util.List;
import java.util.Map;

/**
 * A failure that a caller may know of. A service throws it; the caller gets a google.rpc.Status
 * with an ErrorInfo, whose domain is the package of the contract, and a BadRequest when fields are
 * to blame.
 */
public final class ServiceException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final Status.Code code;
  private final String reason;
  private final transient List<Field> fields;
  private final transient Map<String, String> metadata;
  private final transient List<com.google.protobuf.Message> details;

  /** One field of a request, such as items[0].quantity, and what is wrong with it. */
  public record Field(String path, String description) {}

  /**
   * Makes a failure.
   *
   * @param code the status of the call
   * @param reason in UPPER_SNAKE what went wrong, for programs
   * @param message the same for people
   */
  public ServiceException(Status.Code code, String reason, String message, Field... fields) {
    this(code, reason, message, List.of(fields), Map.of(), List.of());
  }

  private ServiceException(
      Status.Code code,
      String reason,
      String message,
      List<Field> fields,
      Map<String, String> metadata,
      List<com.google.protobuf.Message> details) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.fields = fields;
    this.metadata = metadata;
    this.details = details;
  }

  /** Gives the same failure with more for programs. */
  public ServiceException with(Map<String, String> more) {
    return new ServiceException(code, reason, getMessage(), fields, more, details);
  }

  /** Gives the same failure with further details, such as a PreconditionFailure. */
  public ServiceException with(com.google.protobuf.Message... more) {
    return new ServiceException(code, reason, getMessage(), fields, metadata, List.of(more));
  }

  /** Says what a caller of a contract of this package gets to see. */
  com.google.rpc.Status toStatus(String domain) {
    var info = ErrorInfo.newBuilder().setReason(reason).setDomain(domain).putAllMetadata(metadata);
    var status =
        com.google.rpc.Status.newBuilder()
            .setCode(code.value())
            .setMessage(getMessage())
            .addDetails(Any.pack(info.build()));
    if (!fields.isEmpty()) {
      var request = BadRequest.newBuilder();
      for (var field : fields) {
        request.addFieldViolationsBuilder().setField(field.path).setDescription(field.description);
      }
      status.addDetails(Any.pack(request.build()));
    }
    details.forEach(detail -> status.addDetails(Any.pack(detail)));
    return status.build();
  }
}
