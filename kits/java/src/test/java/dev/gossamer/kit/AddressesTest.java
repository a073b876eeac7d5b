package dev.gossamer.kit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.gossamer.kit.Config.HostPort;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AddressesTest {
  private static HostPort advertised(String listen, String advertise) {
    var variables =
        Map.of(
            "GOSSAMER_SERVICE",
            "catalog",
            "GOSSAMER_DISCOVERY",
            "static:",
            "GOSSAMER_LISTEN",
            listen,
            "GOSSAMER_ADVERTISE",
            advertise);
    return Addresses.advertised(new Environment(variables).config(), 5000);
  }

  @ParameterizedTest
  @CsvSource({
    "127.0.0.1:0, '', 127.0.0.1:5000",
    "0.0.0.0:0, 10.0.0.7, 10.0.0.7:5000",
    "[::1]:0, '', [::1]:5000",
  })
  void othersReachAnInstanceByTheAddressThatItWasGivenOrBoundTo(
      String listen, String advertise, String expected) {
    assertEquals(expected, advertised(listen, advertise).toString());
  }

  @Test
  void boundToAllAnInstanceIsReachedByOneAddress() {
    var host = advertised("0.0.0.0:0", "").host();
    assertFalse(Addresses.isWildcard(host), host);
  }
}
