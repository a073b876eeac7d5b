package dev.gossamer.kit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.Attributes;
import io.grpc.ChannelLogger;
import io.grpc.ClientStreamTracer;
import io.grpc.ConnectivityState;
import io.grpc.EquivalentAddressGroup;
import io.grpc.LoadBalancer;
import io.grpc.LoadBalancer.CreateSubchannelArgs;
import io.grpc.LoadBalancer.Helper;
import io.grpc.LoadBalancer.PickResult;
import io.grpc.LoadBalancer.PickSubchannelArgs;
import io.grpc.LoadBalancer.ResolvedAddresses;
import io.grpc.LoadBalancer.Subchannel;
import io.grpc.LoadBalancer.SubchannelPicker;
import io.grpc.LoadBalancerProvider;
import io.grpc.LoadBalancerRegistry;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.SynchronizationContext;
import io.grpc.util.GracefulSwitchLoadBalancer;
import io.grpc.util.OutlierDetectionLoadBalancer.OutlierDetectionLoadBalancerConfig;
import io.grpc.util.OutlierDetectionLoadBalancerProvider;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A call that is picked just when its instance leaves. */
final class OutliersTest {
  private final List<Status> ended = new ArrayList<>();
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(Threads.daemon("test"));
  private Subchannel instance;
  private SubchannelPicker picker;

  @AfterEach
  void end() {
    timer.shutdownNow();
  }

  @Test
  void aCallOfAnInstanceThatHasLeftEndsForAllThatCountOnIt() {
    callAfterItsInstanceLeft(new Outliers());
    assertEquals(List.of(Status.OK), ended);
  }

  /** The control: as long as it passes, the class is needed. */
  @Test
  void grpcItselfThrowsAtItsEnd() {
    assertThrows(
        NullPointerException.class,
        () -> callAfterItsInstanceLeft(new OutlierDetectionLoadBalancerProvider()));
    assertEquals(List.of(), ended);
  }

  @Test
  void grpcTakesItForItsOwn() {
    var taken =
        LoadBalancerRegistry.getDefaultRegistry()
            .getProvider(new OutlierDetectionLoadBalancerProvider().getPolicyName());
    assertInstanceOf(Outliers.class, taken);
  }

  private void callAfterItsInstanceLeft(LoadBalancerProvider provider) {
    var child = GracefulSwitchLoadBalancer.createLoadBalancingPolicyConfig(new Children(), null);
    provider
        .newLoadBalancer(new Channel())
        .acceptResolvedAddresses(
            ResolvedAddresses.newBuilder()
                .setAddresses(
                    List.of(new EquivalentAddressGroup(new InetSocketAddress("127.0.0.1", 1))))
                .setLoadBalancingPolicyConfig(
                    new OutlierDetectionLoadBalancerConfig.Builder().setChildConfig(child).build())
                .build());
    instance.shutdown();
    picker
        .pickSubchannel(null)
        .getStreamTracerFactory()
        .newClientStreamTracer(ClientStreamTracer.StreamInfo.newBuilder().build(), new Metadata())
        .streamClosed(Status.OK);
  }

  /** Balances over one instance, and counts its calls, too. */
  private final class Children extends LoadBalancer.Factory {
    @Override
    public LoadBalancer newLoadBalancer(Helper helper) {
      return new LoadBalancer() {
        @Override
        public Status acceptResolvedAddresses(ResolvedAddresses resolved) {
          instance =
              helper.createSubchannel(
                  CreateSubchannelArgs.newBuilder().setAddresses(resolved.getAddresses()).build());
          instance.start(state -> {});
          helper.updateBalancingState(ConnectivityState.READY, new Only());
          return Status.OK;
        }

        @Override
        public void handleNameResolutionError(Status error) {}

        @Override
        public void shutdown() {}
      };
    }
  }

  private final class Only extends SubchannelPicker {
    @Override
    public PickResult pickSubchannel(PickSubchannelArgs arguments) {
      return PickResult.withSubchannel(
          instance,
          new ClientStreamTracer.Factory() {
            @Override
            public ClientStreamTracer newClientStreamTracer(
                ClientStreamTracer.StreamInfo info, Metadata headers) {
              return new ClientStreamTracer() {
                @Override
                public void streamClosed(Status status) {
                  ended.add(status);
                }
              };
            }
          });
    }
  }

  /** What a channel is to its balancer. */
  private final class Channel extends Helper {
    private final SynchronizationContext context =
        new SynchronizationContext(
            (thread, failure) -> {
              throw new AssertionError(failure);
            });

    @Override
    public void updateBalancingState(ConnectivityState state, SubchannelPicker made) {
      picker = made;
    }

    @Override
    public Subchannel createSubchannel(CreateSubchannelArgs arguments) {
      return new Subchannel() {
        @Override
        public void start(LoadBalancer.SubchannelStateListener listener) {}

        @Override
        public void shutdown() {}

        @Override
        public void requestConnection() {}

        @Override
        public List<EquivalentAddressGroup> getAllAddresses() {
          return arguments.getAddresses();
        }

        @Override
        public Attributes getAttributes() {
          return arguments.getAttributes();
        }

        @Override
        public ChannelLogger getChannelLogger() {
          return Channel.this.getChannelLogger();
        }
      };
    }

    @Override
    public ManagedChannel createOobChannel(EquivalentAddressGroup addresses, String authority) {
      throw new UnsupportedOperationException();
    }

    @Override
    public String getAuthority() {
      return "catalog";
    }

    @Override
    public SynchronizationContext getSynchronizationContext() {
      return context;
    }

    @Override
    public ScheduledExecutorService getScheduledExecutorService() {
      return timer;
    }

    @Override
    public ChannelLogger getChannelLogger() {
      return new ChannelLogger() {
        @Override
        public void log(ChannelLogLevel level, String message) {}

        @Override
        public void log(ChannelLogLevel level, String format, Object... values) {}
      };
    }
  }
}
