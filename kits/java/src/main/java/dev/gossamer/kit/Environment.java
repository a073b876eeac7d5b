package dev.gossamer.kit;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.gossamer.kit.Config.HostPort;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * Reads the environment, once, and finds every mistake before anything is bound. It never connects
 * to anything.
 */
final class Environment {
  private static final Pattern SERVICE = Pattern.compile("[a-z]([a-z0-9-]{0,61}[a-z0-9])?");
  private static final Pattern LABEL = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");
  private static final Pattern DECIMAL = Pattern.compile("[0-9]*\\.?[0-9]+");
  private static final Pattern PORT = Pattern.compile("[0-9]{1,5}");
  private static final Pattern TIME = Pattern.compile("([0-9]*\\.?[0-9]+)(ns|us|µs|ms|s|m|h)");
  private static final Map<String, Double> NANOS =
      Map.of("ns", 1.0, "us", 1e3, "µs", 1e3, "ms", 1e6, "s", 1e9, "m", 60e9, "h", 3600e9);
  private static final String BOOTSTRAP_FILE = "GRPC_XDS_BOOTSTRAP";
  private static final String BOOTSTRAP = "GRPC_XDS_BOOTSTRAP_CONFIG";

  private final Map<String, String> variables;
  private final List<String> problems = new ArrayList<>();

  Environment(Map<String, String> variables) {
    this.variables = variables;
  }

  /** What the xDS bootstrap says that the kit itself needs. */
  private record Bootstrap(Optional<String> controlPlane, boolean carriesRetries) {
    static final Bootstrap NONE = new Bootstrap(Optional.empty(), false);
  }

  Config config() {
    var service = read("GOSSAMER_SERVICE", "", Environment::serviceName);
    var name = service == null ? "unnamed" : service;
    var sampler = read("OTEL_TRACES_SAMPLER", "parentbased_always_on", Environment::sampler);
    var addresses = read("GOSSAMER_DISCOVERY", "xds", Environment::discovery);
    var alone = addresses != null && addresses.isPresent();
    var bootstrap = alone ? Bootstrap.NONE : bootstrap();
    var config =
        new Config(
            service,
            read("GOSSAMER_INSTANCE", name + "-" + randomSuffix(), Environment::label),
            read("GOSSAMER_VERSION", "dev", Environment::label),
            read("GOSSAMER_ZONE", "local", Environment::label),
            read("GOSSAMER_LISTEN", "127.0.0.1:0", Environment::listen),
            read("GOSSAMER_ADVERTISE", "", Environment::advertise),
            read("GOSSAMER_DEADLINE", "5s", Environment::duration),
            read("GOSSAMER_DRAIN", "20s", Environment::duration),
            addresses,
            bootstrap.controlPlane,
            bootstrap.carriesRetries,
            read("CONSUL_HTTP_ADDR", alone ? "" : "http://127.0.0.1:8500", Environment::url),
            Optional.of(variables.getOrDefault("CONSUL_HTTP_TOKEN", ""))
                .filter(token -> !token.isEmpty()),
            read("OTEL_EXPORTER_OTLP_ENDPOINT", "", Environment::url),
            sampler == null || sampler.startsWith("parentbased_"),
            share(sampler),
            read("OTEL_BSP_SCHEDULE_DELAY", "200", Environment::milliseconds),
            read("OTEL_METRIC_EXPORT_INTERVAL", "5000", Environment::milliseconds));
    if (!problems.isEmpty()) {
      throw new ConfigException(problems);
    }
    return config;
  }

  /** Parses one variable; one that is empty counts as not set. Gives null for one that is wrong. */
  private <T> T read(String name, String otherwise, Function<String, T> parse) {
    var found = variables.getOrDefault(name, "");
    try {
      return parse.apply(found.isEmpty() ? otherwise : found);
    } catch (IllegalArgumentException problem) {
      problem(name, found, problem.getMessage());
      return null;
    }
  }

  private void problem(String name, String found, String expected) {
    problems.add(name + ": " + expected + ", found \"" + found + "\"");
  }

  private static IllegalArgumentException expected(String what) {
    return new IllegalArgumentException("expected " + what);
  }

  private static String serviceName(String text) {
    if (!SERVICE.matcher(text).matches()) {
      throw expected("a service's name of lower-case letters, digits and dashes, such as catalog");
    }
    return text;
  }

  private static String label(String text) {
    if (!LABEL.matcher(text).matches()) {
      throw expected("up to 128 letters, digits, dots, dashes and underscores, such as v2");
    }
    return text;
  }

  /** Accepts no name but localhost: what others resolve to is found out too late. */
  private static HostPort listen(String text) {
    var parsed =
        hostPort(text)
            .orElseThrow(() -> expected("host:port with an IP address, such as 127.0.0.1:0"));
    var host = parsed.host().equals("localhost") ? "127.0.0.1" : parsed.host();
    if (!Addresses.isIp(host)) {
      throw expected("host:port with an IP address, such as 127.0.0.1:0");
    }
    return new HostPort(host, parsed.port());
  }

  private static Optional<HostPort> hostPort(String text) {
    var colon = text.lastIndexOf(':');
    if (colon <= 0) {
      return Optional.empty();
    }
    var host = text.substring(0, colon);
    var port = text.substring(colon + 1);
    if (!PORT.matcher(port).matches() || Integer.parseInt(port) > 65535) {
      return Optional.empty();
    }
    if (host.startsWith("[") && host.endsWith("]")) {
      host = host.substring(1, host.length() - 1);
    } else if (host.contains(":")) {
      return Optional.empty();
    }
    return host.isEmpty()
        ? Optional.empty()
        : Optional.of(new HostPort(host, Integer.parseInt(port)));
  }

  private static Optional<String> advertise(String text) {
    if (text.isEmpty()) {
      return Optional.empty();
    }
    if (!Addresses.isIp(text) || Addresses.isWildcard(text)) {
      throw expected("an IP address that others can reach, without a port, such as 10.0.0.7");
    }
    return Optional.of(text);
  }

  private static Duration duration(String text) {
    var parts = TIME.matcher(text);
    var end = 0;
    var nanos = 0.0;
    while (parts.find() && parts.start() == end) {
      nanos += Double.parseDouble(parts.group(1)) * NANOS.get(parts.group(2));
      end = parts.end();
    }
    if (end != text.length() || nanos < 1 || nanos > Long.MAX_VALUE) {
      throw expected("a time above zero with its unit, such as 5s or 500ms");
    }
    return Duration.ofNanos((long) nanos);
  }

  private static Duration milliseconds(String text) {
    if (!text.matches("[0-9]{1,10}")
        || Long.parseLong(text) < 1
        || Long.parseLong(text) > Integer.MAX_VALUE) {
      throw expected("a number of milliseconds above zero, such as 200");
    }
    return Duration.ofMillis(Long.parseLong(text));
  }

  private static String sampler(String text) {
    var kind = text.startsWith("parentbased_") ? text.substring("parentbased_".length()) : text;
    if (!List.of("always_on", "always_off", "traceidratio").contains(kind)) {
      throw expected("always_on, always_off or traceidratio, or one of these after parentbased_");
    }
    return text;
  }

  private double share(String sampler) {
    if (sampler == null || sampler.endsWith("always_on")) {
      return 1;
    }
    if (sampler.endsWith("always_off")) {
      return 0;
    }
    var share =
        read(
            "OTEL_TRACES_SAMPLER_ARG",
            "1",
            text -> {
              if (!DECIMAL.matcher(text).matches() || Double.parseDouble(text) > 1) {
                throw expected("a share from 0 to 1, such as 0.01");
              }
              return Double.parseDouble(text);
            });
    return share == null ? 1 : share;
  }

  private static Optional<Map<String, List<String>>> discovery(String text) {
    if (text.equals("xds")) {
      return Optional.empty();
    }
    var bad = expected("xds or static:name=host:port,..., such as static:catalog=127.0.0.1:5000");
    if (!text.startsWith("static:")) {
      throw bad;
    }
    Map<String, List<String>> addresses = new LinkedHashMap<>();
    for (var entry : text.substring("static:".length()).split(",")) {
      if (entry.isEmpty()) {
        continue;
      }
      var equals = entry.indexOf('=');
      var address =
          hostPort(entry.substring(equals + 1))
              .filter(found -> found.port() > 0)
              .orElseThrow(() -> bad);
      if (equals < 0 || !SERVICE.matcher(entry.substring(0, equals)).matches()) {
        throw bad;
      }
      addresses
          .computeIfAbsent(entry.substring(0, equals), name -> new ArrayList<>())
          .add(address.toString());
    }
    return Optional.of(addresses);
  }

  /** Accepts an address without its scheme, as Consul's own tools do. */
  private static Optional<String> url(String text) {
    if (text.isEmpty()) {
      return Optional.empty();
    }
    var whole = text.contains("://") ? text : "http://" + text;
    try {
      var parsed = new URI(whole);
      var schemed = "http".equals(parsed.getScheme()) || "https".equals(parsed.getScheme());
      if (schemed
          && parsed.getHost() != null
          && parsed.getPort() != 0
          && parsed.getPort() <= 65535) {
        return Optional.of(whole);
      }
    } catch (URISyntaxException ignored) {
      // told below
    }
    throw expected("an address such as http://127.0.0.1:8500");
  }

  /** Reads the bootstrap where gRPC does: a file goes before the text (gRFC A27). */
  private Bootstrap bootstrap() {
    var path = variables.getOrDefault(BOOTSTRAP_FILE, "");
    if (!path.isEmpty()) {
      try {
        return bootstrap(BOOTSTRAP_FILE, path, Files.readString(Path.of(path)));
      } catch (IOException unreadable) {
        problem(BOOTSTRAP_FILE, path, "expected the path of a readable xDS bootstrap");
        return Bootstrap.NONE;
      }
    }
    var text = variables.getOrDefault(BOOTSTRAP, "");
    if (text.isEmpty()) {
      problem(
          BOOTSTRAP,
          "",
          "expected an xDS bootstrap, or GOSSAMER_DISCOVERY=static:... to do without a control plane");
      return Bootstrap.NONE;
    }
    return bootstrap(BOOTSTRAP, text, text);
  }

  private Bootstrap bootstrap(String name, String found, String text) {
    try {
      var parsed = JsonParser.parseString(text).getAsJsonObject();
      var server = parsed.getAsJsonArray("xds_servers").get(0).getAsJsonObject();
      var node = member(member(parsed, "node"), "metadata");
      var retries = node.has("gossamer.retries") ? node.get("gossamer.retries").getAsString() : "";
      return new Bootstrap(
          Optional.of(server.get("server_uri").getAsString()), retries.equals("kit"));
    } catch (JsonParseException
        | IllegalStateException
        | NullPointerException
        | IndexOutOfBoundsException
        | UnsupportedOperationException
        | ClassCastException wrong) {
      problem(name, found, "expected an xDS bootstrap in JSON with xds_servers[0].server_uri");
      return Bootstrap.NONE;
    }
  }

  private static JsonObject member(JsonObject of, String name) {
    JsonElement found = of.get(name);
    return found != null && found.isJsonObject() ? found.getAsJsonObject() : new JsonObject();
  }

  private static String randomSuffix() {
    var random = new byte[4];
    new SecureRandom().nextBytes(random);
    return HexFormat.of().formatHex(random);
  }
}
