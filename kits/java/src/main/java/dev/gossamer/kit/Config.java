package dev.gossamer.kit;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * All that a kit is told from outside.
 *
 * @param service the service's name in Consul, for example "catalog"
 * @param instance this process's id, unique in the mesh
 * @param version a label that splits and subsets go by
 * @param zone where the instance runs
 * @param listen where to serve; port 0 lets the system choose
 * @param advertise the IP address that others reach it by; empty: that of {@code listen}, or the
 *     first no loopback
 * @param deadline what outgoing calls get that have none
 * @param drain the most time that a drain takes
 * @param addresses of each service, as host:port; empty: names are followed by xDS
 * @param controlPlane host:port of the control plane; empty: there is none
 * @param carriesRetries whether calls are tried again here, so that gRPC itself is not told to
 * @param consul the URL of Consul's HTTP API; empty: the instance joins nothing
 * @param consulToken sent to Consul
 * @param collector the OTLP endpoint; empty: nothing is exported
 * @param followsSampling whether what a caller says about keeping its trace holds here too
 * @param sampledShare the share that is kept of the traces that begin here, from 0 to 1
 * @param spanDelay how long a finished span waits for others before it is sent
 * @param metricInterval the time between two reports of the metrics
 */
public record Config(
    String service,
    String instance,
    String version,
    String zone,
    HostPort listen,
    Optional<String> advertise,
    Duration deadline,
    Duration drain,
    Optional<Map<String, List<String>>> addresses,
    Optional<String> controlPlane,
    boolean carriesRetries,
    Optional<String> consul,
    Optional<String> consulToken,
    Optional<String> collector,
    boolean followsSampling,
    double sampledShare,
    Duration spanDelay,
    Duration metricInterval) {

  /** Where something listens. */
  public record HostPort(String host, int port) {
    @Override
    public String toString() {
      return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
    }
  }

  /**
   * Reads the environment.
   *
   * @throws ConfigException naming every bad variable
   */
  public static Config fromEnvironment() {
    return new Environment(System.getenv()).config();
  }
}
