package dev.gossamer.kit;

import io.grpc.ClientStreamTracer;
import io.grpc.ConnectivityState;
import io.grpc.LoadBalancer;
import io.grpc.LoadBalancer.Helper;
import io.grpc.LoadBalancer.PickResult;
import io.grpc.LoadBalancer.PickSubchannelArgs;
import io.grpc.LoadBalancer.SubchannelPicker;
import io.grpc.LoadBalancerProvider;
import io.grpc.Metadata;
import io.grpc.NameResolver.ConfigOrError;
import io.grpc.Status;
import io.grpc.util.ForwardingClientStreamTracer;
import io.grpc.util.ForwardingLoadBalancerHelper;
import io.grpc.util.OutlierDetectionLoadBalancerProvider;
import java.lang.reflect.Method;
import java.util.Map;

/**
 * gRPC's ejection of outliers, which by itself throws when it counts a call that was picked just as
 * its instance left: the connection ends with all its calls, and that one is never answered. Here
 * such a call is not counted.
 *
 * <p>It is found by META-INF/services, under the name of gRPC's own, and public for that alone.
 */
public final class Outliers extends LoadBalancerProvider {
  private static final Method COUNTED_BEFORE = countedBefore();

  private final LoadBalancerProvider grpcs = new OutlierDetectionLoadBalancerProvider();

  @Override
  public LoadBalancer newLoadBalancer(Helper helper) {
    return grpcs.newLoadBalancer(
        new ForwardingLoadBalancerHelper() {
          @Override
          protected Helper delegate() {
            return helper;
          }

          @Override
          public void updateBalancingState(ConnectivityState state, SubchannelPicker picker) {
            super.updateBalancingState(state, new Picker(picker));
          }
        });
  }

  @Override
  public boolean isAvailable() {
    return true;
  }

  @Override
  public int getPriority() {
    return grpcs.getPriority() + 1;
  }

  @Override
  public String getPolicyName() {
    return grpcs.getPolicyName();
  }

  @Override
  public ConfigOrError parseLoadBalancingPolicyConfig(Map<String, ?> config) {
    return grpcs.parseLoadBalancingPolicyConfig(config);
  }

  private static final class Picker extends SubchannelPicker {
    private final SubchannelPicker grpcs;

    Picker(SubchannelPicker grpcs) {
      this.grpcs = grpcs;
    }

    @Override
    public PickResult pickSubchannel(PickSubchannelArgs arguments) {
      var picked = grpcs.pickSubchannel(arguments);
      var counts = picked.getStreamTracerFactory();
      return counts == null ? picked : picked.copyWithStreamTracerFactory(new Counts(counts));
    }
  }

  private static final class Counts extends ClientStreamTracer.Factory {
    private final ClientStreamTracer.Factory grpcs;

    Counts(ClientStreamTracer.Factory grpcs) {
      this.grpcs = grpcs;
    }

    @Override
    public ClientStreamTracer newClientStreamTracer(
        ClientStreamTracer.StreamInfo info, Metadata headers) {
      return new Count(grpcs.newClientStreamTracer(info, headers));
    }
  }

  private static final class Count extends ForwardingClientStreamTracer {
    private final ClientStreamTracer grpcs;

    Count(ClientStreamTracer grpcs) {
      this.grpcs = grpcs;
    }

    @Override
    protected ClientStreamTracer delegate() {
      return grpcs;
    }

    @Override
    public void streamClosed(Status status) {
      try {
        super.streamClosed(status);
      } catch (NullPointerException nothingToCountOn) {
        if (grpcs instanceof ForwardingClientStreamTracer) {
          others().streamClosed(status);
        }
      }
    }

    /** Gives what else is counted of the call, such as that it is over. */
    private ClientStreamTracer others() {
      try {
        return (ClientStreamTracer) COUNTED_BEFORE.invoke(grpcs);
      } catch (ReflectiveOperationException changed) {
        throw new IllegalStateException(changed);
      }
    }
  }

  private static Method countedBefore() {
    try {
      var method = ForwardingClientStreamTracer.class.getDeclaredMethod("delegate");
      method.setAccessible(true);
      return method;
    } catch (ReflectiveOperationException changed) {
      throw new IllegalStateException(changed);
    }
  }
}
