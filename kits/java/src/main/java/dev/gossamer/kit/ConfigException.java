package dev.gossamer.kit;

import java.util.List;

/**
 * Everything that is wrong with a configuration, a sentence for each bad variable. A service ends
 * with status 64 on it.
 */
public final class ConfigException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Makes one of at least one sentence. */
  public ConfigException(List<String> problems) {
    super("bad configuration:\n  " + String.join("\n  ", problems));
  }
}
