package dev.gossamer.kit;

import dev.gossamer.kit.Config.HostPort;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.util.regex.Pattern;

/** The choice of the address that others reach an instance by. */
final class Addresses {
  private static final Pattern FOUR = Pattern.compile("[0-9]{1,3}(\\.[0-9]{1,3}){3}");
  private static final Pattern SIX = Pattern.compile("[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*");

  private Addresses() {}

  /** Tells an IP address from a name, which is never looked up. */
  static boolean isIp(String text) {
    if (!FOUR.matcher(text).matches() && !SIX.matcher(text).matches()) {
      return false;
    }
    try {
      InetAddress.getByName(text);
      return true;
    } catch (UnknownHostException no) {
      return false;
    }
  }

  static boolean isWildcard(String ip) {
    try {
      return InetAddress.getByName(ip).isAnyLocalAddress();
    } catch (UnknownHostException no) {
      return false;
    }
  }

  /**
   * Says where others reach an instance: at the port that was bound, by the address that was
   * configured, else the one that was bound, else (bound to all) the one that this machine has
   * towards others.
   */
  static HostPort advertised(Config config, int port) {
    var bound = config.listen().host();
    var host =
        config
            .advertise()
            .orElseGet(() -> isWildcard(bound) ? outgoing(bound.contains(":")) : bound);
    return new HostPort(host, port);
  }

  /** Gives the address that outgoing packets have; loopback when there is no way to others. */
  private static String outgoing(boolean six) {
    try (var socket = new DatagramSocket()) {
      socket.connect(
          new InetSocketAddress(six ? "2001:db8::1" : "192.0.2.1", 9)); // which sends nothing
      var found = socket.getLocalAddress();
      if (!found.isAnyLocalAddress()) {
        return found.getHostAddress();
      }
    } catch (SocketException | java.io.UncheckedIOException noWay) {
      // told by loopback
    }
    return six ? "::1" : "127.0.0.1";
  }
}
