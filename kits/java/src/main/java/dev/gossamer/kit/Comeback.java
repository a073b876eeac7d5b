package dev.gossamer.kit;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ConnectivityState;
import io.grpc.ForwardingChannelBuilder2;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.ManagedChannelProvider;
import io.grpc.ManagedChannelRegistry;
import io.grpc.MethodDescriptor;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.xds.XdsCredentialsProvider;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/**
 * How soon gRPC's xDS client is back after the control plane was away. By itself, after a minute
 * away, it looks again once in a minute or two: the connection and the stream on it each wait
 * longer after every failure. Here the connection is tried again every two seconds, and a stream
 * waits for the connection.
 *
 * <p>It stands in for the credentials named "insecure" in every bootstrap, since gRPC chooses by
 * its credentials how a channel to a control plane is made. It is found by META-INF/services, and
 * public for that alone.
 */
public final class Comeback extends XdsCredentialsProvider {
  private static final Executor LATER = CompletableFuture.delayedExecutor(2, TimeUnit.SECONDS);
  private static final int BEFORE_GRPCS_OWN = 6;
  private static final int AFTER_GRPCS_OWN = 1;

  static {
    ManagedChannelRegistry.getDefaultRegistry().register(new Provider());
  }

  @Override
  protected ChannelCredentials newChannelCredentials(Map<String, ?> config) {
    return new Plaintext();
  }

  @Override
  protected String getName() {
    return "insecure";
  }

  @Override
  public boolean isAvailable() {
    return true;
  }

  @Override
  public int priority() {
    return BEFORE_GRPCS_OWN;
  }

  private static final class Plaintext extends ChannelCredentials {
    @Override
    public ChannelCredentials withoutBearerTokens() {
      return this;
    }
  }

  /** Makes the channels that have these credentials, and no others. */
  private static final class Provider extends ManagedChannelProvider {
    @Override
    protected NewChannelBuilderResult newChannelBuilder(
        String target, ChannelCredentials credentials) {
      return credentials instanceof Plaintext
          ? NewChannelBuilderResult.channelBuilder(new Builder(builderForTarget(target)))
          : NewChannelBuilderResult.error("expected credentials of an xDS bootstrap");
    }

    @Override
    protected ManagedChannelBuilder<?> builderForTarget(String target) {
      return NettyChannelBuilder.forTarget(target, InsecureChannelCredentials.create());
    }

    @Override
    protected ManagedChannelBuilder<?> builderForAddress(String name, int port) {
      return NettyChannelBuilder.forAddress(name, port, InsecureChannelCredentials.create());
    }

    @Override
    protected boolean isAvailable() {
      return true;
    }

    @Override
    protected int priority() {
      return AFTER_GRPCS_OWN;
    }

    @Override
    protected Collection<Class<? extends SocketAddress>> getSupportedSocketAddressTypes() {
      return Set.of(InetSocketAddress.class);
    }
  }

  private static final class Builder extends ForwardingChannelBuilder2<Builder> {
    private final ManagedChannelBuilder<?> plain;

    Builder(ManagedChannelBuilder<?> plain) {
      this.plain = plain;
    }

    @Override
    protected ManagedChannelBuilder<?> delegate() {
      return plain;
    }

    @Override
    public ManagedChannel build() {
      var waiting = new Waiting();
      var channel = plain.intercept(waiting).build();
      waiting.watch(channel);
      return channel;
    }
  }

  /**
   * Lets a stream fail at once when the connection has only just broken, so that whoever needs
   * something new is told, and has the next one wait.
   */
  private static final class Waiting implements ClientInterceptor {
    private volatile boolean away;

    @Override
    public <Q, R> ClientCall<Q, R> interceptCall(
        MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
      return next.newCall(method, away ? options.withWaitForReady() : options);
    }

    void watch(ManagedChannel channel) {
      var state = channel.getState(false);
      switch (state) {
        case SHUTDOWN -> {}
        case TRANSIENT_FAILURE -> { // and it stays so until there is a connection
          away = true;
          LATER.execute(() -> retry(channel));
        }
        default -> {
          away = away && state != ConnectivityState.READY;
          channel.notifyWhenStateChanged(state, () -> watch(channel));
        }
      }
    }

    private void retry(ManagedChannel channel) {
      channel.resetConnectBackoff();
      watch(channel);
    }
  }
}
