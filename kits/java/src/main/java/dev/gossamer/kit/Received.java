package dev.gossamer.kit;

import io.grpc.Metadata;
import java.util.Map;
import java.util.TreeMap;

/** What came with the present call. */
public final class Received {
  private Received() {}

  /**
   * Gives its metadata, the last value of each key; binary ones left out. Empty outside of calls.
   */
  public static Map<String, String> metadata() {
    Map<String, String> found = new TreeMap<>();
    var headers = Incoming.HEADERS.get();
    for (var name : headers == null ? java.util.Set.<String>of() : headers.keys()) {
      if (!name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
        found.put(name, headers.get(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER)));
      }
    }
    return found;
  }
}
