package dev.gossamer.kit;

import com.google.gson.GsonBuilder;
import dev.gossamer.kit.Config.HostPort;
import gossamer.mesh.v1.Mesh.AwaitDrainRequest;
import gossamer.mesh.v1.MeshServiceGrpc;
import io.grpc.BindableService;
import io.grpc.Channel;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.ProtoReflectionService;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * One instance of a service, from its configuration to its drain.
 *
 * <pre>{@code
 * public static void main(String[] arguments) {
 *   Kit.main(config -> {                       // 1 config
 *     try (var kit = new Kit(config)) {
 *       kit.add(new Catalog(kit));             // 2 service
 *       kit.serve();                           // 3 serve
 *       kit.join();                            // 4 join
 *       kit.await();                           // 5 wait
 *     }
 *   });
 * }
 * }</pre>
 */
public final class Kit implements AutoCloseable {
  static final int MOST_MESSAGE_BYTES = 4 << 20;
  private static final int MOST_HEADER_BYTES = 16 << 10;
  private static final int MOST_STREAMS = 1000;
  private static final long LEAST_PING_SECONDS =
      5; // so that pings every 10 s pass even when the network bunches them
  private static final long CONFIRMED_WITHIN_MS = 5000;
  private static final long LAST_PICKS_MS =
      1000; // a client accepts an assignment before its last pick by the old one
  private static final long ASKS_EVERY_MS = 100;
  private static final long LAST_WORDS_MS = 1000;
  private static final long WARM_WITHIN_S = 2;
  private static final int FAILED = 1;
  private static final int BAD_CONFIGURATION = 64; // EX_USAGE of sysexits.h

  /** Whether this run is for the archive of classes alone, which build.py makes. */
  private static final boolean REHEARSES = Boolean.getBoolean("gossamer.rehearsal");

  private final Config config;
  private final Log log;
  private final Stop stop = new Stop();
  private final Telemetry telemetry;
  private final Policies policies;
  private final Health health = new Health();
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(Threads.daemon("gossamer-timer"));
  private final Map<String, ManagedChannel> channels = new HashMap<>();
  private final NettyServerBuilder building;
  private final Checks checks = new Checks();
  private final List<ServerServiceDefinition> services = new ArrayList<>();
  private List<String> contracts;
  private Server server;
  private HostPort address;
  private Registration registration;

  /** A service's main, given its configuration. */
  public interface Main {
    /** Runs until the instance has ended in order. */
    void run(Config config) throws Exception;
  }

  /** Runs a service and ends the process: with 0, 64 for a bad configuration, or 1. */
  public static void main(Main main) {
    var status = FAILED;
    try {
      main.run(Config.fromEnvironment());
      status = 0;
    } catch (ConfigException bad) {
      System.err.println(bad.getMessage());
      status = BAD_CONFIGURATION;
    } catch (BindException failed) {
      System.err.println(failed.getMessage());
    } catch (Exception failed) {
      failed.printStackTrace();
    }
    System.out.flush();
    Runtime.getRuntime().halt(status); // a handler that ignores its end must not keep the process
  }

  /** Makes a kit. It binds nothing and waits for no one. */
  public Kit(Config config) {
    this.config = config;
    this.log = new Log(config.service(), config.instance(), System.err);
    log.takeOver();
    stop.listen();
    telemetry = new Telemetry(config);
    policies = new Policies(config, log);
    building =
        NettyServerBuilder.forAddress(
                new InetSocketAddress(config.listen().host(), config.listen().port()))
            .maxInboundMessageSize(MOST_MESSAGE_BYTES)
            .maxInboundMetadataSize(MOST_HEADER_BYTES)
            .maxConcurrentCallsPerConnection(MOST_STREAMS)
            .permitKeepAliveTime(LEAST_PING_SECONDS, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true)
            .intercept(new Incoming(telemetry.incoming, checks, new Guard(log)));
  }

  /** The configuration. */
  public Config config() {
    return config;
  }

  /** Where the service logs. */
  public Log log() {
    return log;
  }

  /** Waits so long, unless the instance is to stop. Tells whether it waited to the end. */
  public boolean pause(Duration time) throws InterruptedException {
    return stop.sleep(time);
  }

  /** Adds what serves a contract, before {@link #serve}. */
  public void add(BindableService service) {
    var definition = service.bindService();
    services.add(definition);
    building.addService(Unreadable.passedOn(definition));
  }

  /**
   * Opens a client of a service by name, such as {@code client(CatalogServiceGrpc::newBlockingStub,
   * "catalog")}.
   */
  public <S> S client(Function<Channel, S> stub, String service) {
    synchronized (channels) {
      return stub.apply(channels.computeIfAbsent(service, this::open));
    }
  }

  private ManagedChannel open(String service) {
    var calls =
        new Outgoing(telemetry.outgoing, service, policies.of(service), config.deadline(), timer);
    var opened =
        config
            .addresses()
            .map(addresses -> Static.channel(addresses.getOrDefault(service, List.of())))
            .orElseGet(
                () ->
                    NettyChannelBuilder.forTarget(
                        "xds:///" + service, InsecureChannelCredentials.create()));
    return opened
        .maxInboundMessageSize(MOST_MESSAGE_BYTES)
        .maxInboundMetadataSize(MOST_HEADER_BYTES)
        .userAgent(Observer.agentOf(config.service()))
        .intercept(new Expiry(), calls) // the last one is the first that a call meets
        .build();
  }

  /**
   * Binds, answers and announces; health says NOT_SERVING.
   *
   * @throws BindException if the address can't be had
   */
  @SuppressWarnings("deprecation") // v1alpha of reflection, which many clients still ask for
  public void serve() {
    contracts =
        services.stream()
            .map(service -> service.getServiceDescriptor().getName())
            .sorted()
            .toList();
    checks.prepare(services);
    health.cover(contracts);
    building
        .addService(health)
        .addService(ProtoReflectionServiceV1.newInstance())
        .addService(ProtoReflectionService.newInstance());
    try {
      server = building.build().start();
    } catch (IOException taken) {
      throw new BindException(config.listen(), taken);
    }
    address = Addresses.advertised(config, server.getPort());
    warmUp();
    announce();
  }

  /**
   * Becomes healthy, then known to the mesh. Returns when both are so, or when a signal came first.
   */
  public void join() throws InterruptedException {
    health.set(ServingStatus.SERVING);
    if (config.consul().isPresent()) {
      registration = new Registration(config, config.consul().get(), address, contracts, log);
      registration.join(stop);
    }
  }

  /** Waits for SIGTERM or SIGINT, then drains. A second signal ends the waiting for others. */
  public void await() throws InterruptedException {
    stop.await();
    log.info("draining");
    var until = System.nanoTime() + config.drain().toNanos();
    health.set(ServingStatus.NOT_SERVING);
    if (registration != null && registration.drain()) {
      settle(until);
    }
    stopServer(until);
    goodbye();
    log.info("drained");
  }

  /** Ends at once what still runs. After {@link #await} it does nothing more. */
  @Override
  public void close() {
    health.endWatches();
    if (server != null) {
      server.shutdownNow();
    }
    try {
      goodbye();
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
    }
  }

  /** Has loaded what a first call needs, which would wait for it. */
  private void warmUp() {
    var host = Addresses.isWildcard(config.listen().host()) ? "localhost" : config.listen().host();
    var own =
        NettyChannelBuilder.forAddress(host, server.getPort(), InsecureChannelCredentials.create())
            .build();
    try {
      callOnce(HealthGrpc.newBlockingStub(own));
      if (REHEARSES) {
        callOnce(client(HealthGrpc::newBlockingStub, config.service()));
      }
    } finally {
      own.shutdownNow();
    }
  }

  private static void callOnce(HealthGrpc.HealthBlockingStub health) {
    try {
      health
          .withDeadlineAfter(WARM_WITHIN_S, TimeUnit.SECONDS)
          .check(HealthCheckRequest.getDefaultInstance());
    } catch (StatusRuntimeException failed) {
      // what is to be loaded is loaded
    }
  }

  private void announce() {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("time", Instant.now().truncatedTo(ChronoUnit.MILLIS).toString());
    line.put("level", "info");
    line.put("service", config.service());
    line.put("instance", config.instance());
    line.put("message", "announce");
    line.put("address", address.toString());
    line.put("contracts", contracts);
    System.out.println(new GsonBuilder().disableHtmlEscaping().create().toJson(line));
    System.out.flush();
  }

  /** Waits until no client calls the instance any more, as far as that can be known. */
  private void settle(long until) throws InterruptedException {
    if (config.controlPlane().isPresent()) {
      var confirmed =
          Math.min(System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CONFIRMED_WITHIN_MS), until);
      if (!confirmed(config.controlPlane().get(), confirmed)) {
        log.warn("not every client is known to have left");
      }
    }
    stop.pause(
        Math.max(
            Math.min(LAST_PICKS_MS, TimeUnit.NANOSECONDS.toMillis(until - System.nanoTime())), 0));
  }

  /** Asks the control plane until it says that every client has left, also while it is away. */
  private boolean confirmed(String control, long until) throws InterruptedException {
    var request =
        AwaitDrainRequest.newBuilder()
            .setService(config.service())
            .setInstanceId(config.instance());
    request.getMaxWaitBuilder().setNanos((int) TimeUnit.MILLISECONDS.toNanos(ASKS_EVERY_MS));
    var channel = Grpc.newChannelBuilder(control, InsecureChannelCredentials.create()).build();
    try {
      var mesh = MeshServiceGrpc.newBlockingStub(channel);
      while (System.nanoTime() < until && !stop.hurried()) {
        try {
          var left = until - System.nanoTime();
          if (mesh.withDeadlineAfter(left, TimeUnit.NANOSECONDS)
              .awaitDrain(request.build())
              .getDrained()) {
            return true;
          }
        } catch (StatusRuntimeException away) {
          if (!stop.pause(ASKS_EVERY_MS)) {
            return false;
          }
        }
      }
      return false;
    } finally {
      channel.shutdownNow();
    }
  }

  /** Lets running calls finish as long as there is time, and then cancels them. */
  private void stopServer(long until) throws InterruptedException {
    health.endWatches();
    server.shutdown();
    while (!server.awaitTermination(20, TimeUnit.MILLISECONDS)) {
      if (System.nanoTime() > until || stop.hurried()) {
        log.warn("stopped without waiting longer for running calls");
        server.shutdownNow();
        if (!server.awaitTermination(LAST_WORDS_MS, TimeUnit.MILLISECONDS)) {
          log.warn("a handler goes on although its call was cancelled");
        }
        return;
      }
    }
  }

  /** Leaves Consul, closes clients, and sends what telemetry is left. */
  private void goodbye() throws InterruptedException {
    if (registration != null) {
      registration.leave();
      registration = null;
    }
    policies.close();
    synchronized (channels) {
      channels.values().forEach(ManagedChannel::shutdownNow);
      channels.clear();
    }
    if (server != null) { // there is something to tell
      telemetry.close();
    }
  }
}
