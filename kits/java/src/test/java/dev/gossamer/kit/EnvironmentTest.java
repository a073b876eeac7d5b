package dev.gossamer.kit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gossamer.kit.Config.HostPort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EnvironmentTest {
  private static final String BOOTSTRAP =
      "{\"xds_servers\": [{\"server_uri\": \"127.0.0.1:18000\"}]}";

  private static Config read(String... namesAndValues) {
    Map<String, String> variables = new HashMap<>(Map.of("GOSSAMER_SERVICE", "catalog"));
    for (var i = 0; i < namesAndValues.length; i += 2) {
      variables.put(namesAndValues[i], namesAndValues[i + 1]);
    }
    return new Environment(variables).config();
  }

  @Test
  void thereAreDefaults() {
    var config = read("GRPC_XDS_BOOTSTRAP_CONFIG", BOOTSTRAP);
    assertTrue(config.instance().matches("catalog-[0-9a-f]{8}"), config.instance());
    var expected =
        new Config(
            "catalog",
            config.instance(),
            "dev",
            "local",
            new HostPort("127.0.0.1", 0),
            Optional.empty(),
            Duration.ofSeconds(5),
            Duration.ofSeconds(20),
            Optional.empty(),
            Optional.of("127.0.0.1:18000"),
            false,
            Optional.of("http://127.0.0.1:8500"),
            Optional.empty(),
            Optional.empty(),
            true,
            1,
            Duration.ofMillis(200),
            Duration.ofSeconds(5));
    assertEquals(expected, config);
  }

  @Test
  void everyBadVariableIsNamedAtOnce() {
    var bad =
        Map.ofEntries(
            Map.entry("GOSSAMER_SERVICE", "Not A Name"),
            Map.entry("GOSSAMER_INSTANCE", "a b"),
            Map.entry("GOSSAMER_VERSION", "-"),
            Map.entry("GOSSAMER_ZONE", "zone/1"),
            Map.entry("GOSSAMER_LISTEN", "127.0.0.1"),
            Map.entry("GOSSAMER_ADVERTISE", "10.0.0.1:80"),
            Map.entry("GOSSAMER_DEADLINE", "soon"),
            Map.entry("GOSSAMER_DRAIN", "-1s"),
            Map.entry("CONSUL_HTTP_ADDR", "http://"),
            Map.entry("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://collector"),
            Map.entry("OTEL_BSP_SCHEDULE_DELAY", "200ms"),
            Map.entry("OTEL_METRIC_EXPORT_INTERVAL", "0"),
            Map.entry("OTEL_TRACES_SAMPLER", "sometimes"),
            Map.entry("GRPC_XDS_BOOTSTRAP_CONFIG", "{}"));
    var told =
        assertThrows(ConfigException.class, () -> new Environment(bad).config()).getMessage();
    bad.forEach(
        (name, value) -> {
          assertTrue(told.contains(name + ": expected"), told);
          assertTrue(told.contains("found \"" + value + "\""), told);
        });
    assertEquals(1 + bad.size(), told.lines().count(), told);
  }

  @Test
  void givenAddressesNeedNeitherControlPlaneNorConsul() {
    var config =
        read(
            "GOSSAMER_DISCOVERY",
            "static:catalog=127.0.0.1:5000,catalog=127.0.0.1:5001,tax=[::1]:6000");
    assertEquals(Optional.empty(), config.consul());
    assertEquals(Optional.empty(), config.controlPlane());
    assertEquals(
        Map.of(
            "catalog", List.of("127.0.0.1:5000", "127.0.0.1:5001"), "tax", List.of("[::1]:6000")),
        config.addresses().orElseThrow());
  }

  @Test
  void theBootstrapsFileGoesBeforeItsText(@TempDir Path folder) throws IOException {
    var file = Files.writeString(folder.resolve("bootstrap.json"), BOOTSTRAP.replace("18000", "1"));
    var config =
        read("GRPC_XDS_BOOTSTRAP", file.toString(), "GRPC_XDS_BOOTSTRAP_CONFIG", BOOTSTRAP);
    assertEquals(Optional.of("127.0.0.1:1"), config.controlPlane());
  }

  @Test
  void theBootstrapSaysWhoTriesAgain() {
    var text =
        BOOTSTRAP.replaceFirst(
            "\\{", "{\"node\": {\"metadata\": {\"gossamer.retries\": \"kit\"}}, ");
    assertTrue(read("GRPC_XDS_BOOTSTRAP_CONFIG", text).carriesRetries());
  }

  @Test
  void theAddressOfConsulMayLackItsScheme() {
    var config = read("GOSSAMER_DISCOVERY", "static:", "CONSUL_HTTP_ADDR", "127.0.0.1:8501");
    assertEquals(Optional.of("http://127.0.0.1:8501"), config.consul());
  }

  @ParameterizedTest
  @CsvSource({"1m30s,90000", "1.5s,1500", "250ms,250", ".5s,500"})
  void aTimeMayHaveSeveralParts(String text, long milliseconds) {
    var config = read("GOSSAMER_DISCOVERY", "static:", "GOSSAMER_DEADLINE", text);
    assertEquals(Duration.ofMillis(milliseconds), config.deadline());
  }

  @ParameterizedTest
  @CsvSource({
    "always_on,false,1",
    "always_off,false,0",
    "traceidratio,false,0.25",
    "parentbased_always_on,true,1",
    "parentbased_always_off,true,0",
    "parentbased_traceidratio,true,0.25"
  })
  void aSamplerOfOpenTelemetryIsTaken(String sampler, boolean follows, double share) {
    var config =
        read(
            "GOSSAMER_DISCOVERY",
            "static:",
            "OTEL_TRACES_SAMPLER",
            sampler,
            "OTEL_TRACES_SAMPLER_ARG",
            "0.25");
    assertEquals(follows, config.followsSampling());
    assertEquals(share, config.sampledShare());
  }

  @ParameterizedTest
  @CsvSource({"-0.1", "1.1", "NaN", "half"})
  void aShareIsFromZeroToOne(String text) {
    assertThrows(
        ConfigException.class,
        () ->
            read(
                "GOSSAMER_DISCOVERY",
                "static:",
                "OTEL_TRACES_SAMPLER",
                "traceidratio",
                "OTEL_TRACES_SAMPLER_ARG",
                text));
  }
}
