package dev.gossamer.kit;

import com.google.gson.Gson;
import dev.gossamer.kit.Config.HostPort;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * The instance's entry in Consul: it is there while the instance serves, also when Consul comes
 * late or restarts empty, in maintenance while it drains, and gone afterwards.
 */
final class Registration {
  private static final Duration ANSWERS_WITHIN = Duration.ofSeconds(2);
  private static final int LOOKS_EVERY_SECONDS = 1;
  private static final int NOT_FOUND = 404;

  private final Config config;
  private final String consul;
  private final HostPort address;
  private final List<String> contracts;
  private final Log log;
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(ANSWERS_WITHIN).build();
  private final ScheduledExecutorService keeping =
      Executors.newSingleThreadScheduledExecutor(Threads.daemon("gossamer-consul"));
  private final CountDownLatch registered = new CountDownLatch(1);
  private boolean away;

  Registration(Config config, String consul, HostPort address, List<String> contracts, Log log) {
    this.config = config;
    this.consul = consul.replaceAll("/+$", "");
    this.address = address;
    this.contracts = contracts;
    this.log = log;
  }

  /**
   * Registers, and from then on again whenever Consul has lost the entry. Returns when it is there
   * for the first time.
   */
  void join(Stop stop) throws InterruptedException {
    keeping.scheduleWithFixedDelay(this::look, 0, LOOKS_EVERY_SECONDS, TimeUnit.SECONDS);
    while (!registered.await(20, TimeUnit.MILLISECONDS)) {
      if (stop.asked()) {
        return;
      }
    }
  }

  /** Takes the instance out of every assignment at once. Tells whether it was in any. */
  boolean drain() throws InterruptedException {
    stopKeeping();
    if (registered.getCount() > 0) {
      return false;
    }
    var path = "/v1/agent/service/maintenance/" + id() + "?enable=true&reason=draining";
    attempt("maintenance in Consul failed", () -> put(path, ""));
    return true;
  }

  /** Removes the entry, if there is one. */
  void leave() throws InterruptedException {
    stopKeeping();
    if (registered.getCount() == 0) {
      attempt(
          "deregistration from Consul failed",
          () -> put("/v1/agent/service/deregister/" + id(), ""));
    }
  }

  private interface Request {
    int send() throws IOException, InterruptedException;
  }

  private void attempt(String complaint, Request request) throws InterruptedException {
    try {
      var status = request.send();
      if (status >= 300 && status != NOT_FOUND) {
        log.warn(complaint, "error", "status " + status);
      }
    } catch (IOException error) {
      log.warn(complaint, "error", error.toString());
    }
  }

  private void stopKeeping() throws InterruptedException {
    keeping.shutdown(); // what is being asked of Consul is not cut off: it may have been done
    keeping.awaitTermination(ANSWERS_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
  }

  /**
   * Registers if the entry is not there; the first time whatever is, which an earlier process may
   * have left.
   */
  private void look() {
    try {
      if (registered.getCount() > 0 || get("/v1/agent/service/" + id()) == NOT_FOUND) {
        var status =
            put(
                "/v1/agent/service/register?replace-existing-checks=true",
                new Gson().toJson(entry()));
        if (status >= 300) {
          throw new IOException("status " + status);
        }
        log.info("registered in Consul", "address", address.toString());
        registered.countDown();
      }
      away = false;
    } catch (IOException error) {
      if (!away) {
        log.warn("cannot register in Consul, trying again every second", "error", error.toString());
      }
      away = true;
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
    }
  }

  private Map<String, Object> entry() {
    Map<String, Object> check =
        Map.of(
            "GRPC", address.toString(),
            "Interval", "1s",
            "Timeout", "3s", // a machine that is busy for a moment must not take every instance out
            "Status", "passing", // it says SERVING before it is registered
            "DeregisterCriticalServiceAfter", "1m");
    Map<String, String> meta =
        Map.of(
            "version", config.version(),
            "zone", config.zone(),
            "language", "java",
            "contracts", String.join(",", contracts));
    return Map.of(
        "ID", config.instance(),
        "Name", config.service(),
        "Address", address.host(),
        "Port", address.port(),
        "Meta", meta,
        "Check", check);
  }

  private String id() {
    return URLEncoder.encode(config.instance(), StandardCharsets.UTF_8);
  }

  private int get(String path) throws IOException, InterruptedException {
    return send(request(path).GET());
  }

  private int put(String path, String body) throws IOException, InterruptedException {
    return send(request(path).PUT(BodyPublishers.ofString(body)));
  }

  private HttpRequest.Builder request(String path) {
    var made = HttpRequest.newBuilder(URI.create(consul + path)).timeout(ANSWERS_WITHIN);
    config.consulToken().ifPresent(token -> made.header("X-Consul-Token", token));
    return made;
  }

  private int send(HttpRequest.Builder request) throws IOException, InterruptedException {
    return http.send(request.build(), BodyHandlers.discarding()).statusCode();
  }
}
