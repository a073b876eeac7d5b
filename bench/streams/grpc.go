package main

import (
	"context"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
)

const (
	assignments = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	clusters    = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	listeners   = "type.googleapis.com/envoy.config.listener.v3.Listener"
	routes      = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
)

// follow does what a gRPC client does that calls these services, and gives each assignment to take.
//
// It begins with the assignments, for the sake of a control plane that knows nothing else.
func follow(
	ctx context.Context, connection *grpc.ClientConn, node string, names []string,
	take func(*endpointv3.ClusterLoadAssignment),
) error {
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(connection).
		StreamAggregatedResources(ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	for _, kind := range []string{assignments, clusters, listeners, routes} {
		request := &discoveryv3.DiscoveryRequest{
			Node: &corev3.Node{
				Id: node, Cluster: "caller", Locality: &corev3.Locality{Zone: "local"}, UserAgentName: "gRPC Go",
			},
			TypeUrl: kind, ResourceNames: names,
		}
		if err := stream.Send(request); err != nil {
			return err
		}
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, resource := range response.GetResources() {
			assignment := &endpointv3.ClusterLoadAssignment{}
			if resource.MessageIs(assignment) {
				if err := resource.UnmarshalTo(assignment); err != nil {
					return err
				}
				take(assignment)
			}
		}
		err = stream.Send(&discoveryv3.DiscoveryRequest{
			TypeUrl: response.GetTypeUrl(), ResourceNames: names,
			ResponseNonce: response.GetNonce(), VersionInfo: response.GetVersionInfo(),
		})
		if err != nil {
			return err
		}
	}
}
