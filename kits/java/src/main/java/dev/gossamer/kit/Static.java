package dev.gossamer.kit;

import io.grpc.Attributes;
import io.grpc.EquivalentAddressGroup;
import io.grpc.InsecureChannelCredentials;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import io.grpc.NameResolverRegistry;
import io.grpc.Status;
import io.grpc.StatusOr;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/** Channels to addresses that were given instead of a mesh: calls are spread over them. */
final class Static {
  private static final String SCHEME = "gossamer-static";

  static {
    NameResolverRegistry.getDefaultRegistry().register(new Provider());
  }

  private Static() {}

  static NettyChannelBuilder channel(List<String> addresses) {
    var target = SCHEME + ":///" + String.join(",", addresses);
    return NettyChannelBuilder.forTarget(target, InsecureChannelCredentials.create())
        .overrideAuthority("gossamer")
        .defaultLoadBalancingPolicy("round_robin");
  }

  private static final class Provider extends NameResolverProvider {
    @Override
    public NameResolver newNameResolver(URI target, NameResolver.Args arguments) {
      if (!SCHEME.equals(target.getScheme())) {
        return null;
      }
      var list = target.getPath().substring(1);
      return new Resolver(list.isEmpty() ? List.of() : List.of(list.split(",")));
    }

    @Override
    protected boolean isAvailable() {
      return true;
    }

    @Override
    protected int priority() {
      return 5;
    }

    @Override
    public String getDefaultScheme() {
      return SCHEME;
    }

    @Override
    public Collection<Class<? extends SocketAddress>> getProducedSocketAddressTypes() {
      return Set.of(InetSocketAddress.class);
    }
  }

  private static final class Resolver extends NameResolver {
    private final List<EquivalentAddressGroup> known;

    Resolver(List<String> addresses) {
      known = addresses.stream().map(Resolver::group).toList();
    }

    private static EquivalentAddressGroup group(String address) {
      var colon = address.lastIndexOf(':');
      var host = address.substring(0, colon).replaceAll("[\\[\\]]", "");
      return new EquivalentAddressGroup(
          new InetSocketAddress(host, Integer.parseInt(address.substring(colon + 1))),
          Attributes.EMPTY);
    }

    @Override
    public String getServiceAuthority() {
      return "gossamer";
    }

    @Override
    public void start(Listener2 listener) {
      if (known.isEmpty()) {
        listener.onError(Status.UNAVAILABLE.withDescription("no address was given for it"));
      } else {
        listener.onResult(
            ResolutionResult.newBuilder().setAddressesOrError(StatusOr.fromValue(known)).build());
      }
    }

    @Override
    public void shutdown() {}
  }
}
