package dev.gossamer.kit;

import dev.gossamer.kit.Config.HostPort;
import java.io.IOException;

/** The address to serve on can't be had. */
public final class BindException extends RuntimeException {
  private static final long serialVersionUID = 1;

  BindException(HostPort listen, IOException cause) {
    super(
        "expected to listen on "
            + listen
            + " (GOSSAMER_LISTEN), but it can't be had; is it in use? Port 0 takes any that is free: "
            + (cause.getCause() == null ? cause.getMessage() : cause.getCause().getMessage()),
        cause);
  }
}
