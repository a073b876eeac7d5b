package dev.gossamer.kit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ObserverTest {
  @ParameterizedTest
  @CsvSource({
    "gossamer/orders grpc-java-netty/1.85.0, orders",
    "gossamer/orders, orders",
    "grpc-java-netty/1.85.0, ''",
    "gossamer/Not-A-Name x, ''",
    "x gossamer/orders, ''",
    "'', ''",
  })
  void aCallerIsKnownByItsUserAgent(String agent, String caller) {
    assertEquals(caller, Observer.callerOf(agent));
  }
}
