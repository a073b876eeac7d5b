package main

import (
	"context"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc"
)

// followAsEnvoy does what an Envoy does that is the proxy of that id: it asks for all clusters and listeners, and for the
// endpoints of the clusters it was told of, by delta. Each assignment is given to take.
func followAsEnvoy(
	ctx context.Context, connection *grpc.ClientConn, id string, take func(*endpointv3.ClusterLoadAssignment),
) error {
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(connection).
		DeltaAggregatedResources(ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	// Consul talks to versions of Envoy that it knows
	version := &corev3.BuildVersion{Version: &typev3.SemanticVersion{MajorNumber: 1, MinorNumber: 35}}
	node := &corev3.Node{
		Id: id, Cluster: "caller", UserAgentName: "envoy",
		UserAgentVersionType: &corev3.Node_UserAgentBuildVersion{UserAgentBuildVersion: version},
	}
	for _, kind := range []string{clusters, listeners} {
		if err := stream.Send(&discoveryv3.DeltaDiscoveryRequest{Node: node, TypeUrl: kind}); err != nil {
			return err
		}
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		followed, err := taken(response, take)
		if err != nil {
			return err
		}
		if err := stream.Send(&discoveryv3.DeltaDiscoveryRequest{
			TypeUrl: response.GetTypeUrl(), ResponseNonce: response.GetNonce(),
		}); err != nil {
			return err
		}
		if len(followed) > 0 {
			if err := stream.Send(&discoveryv3.DeltaDiscoveryRequest{
				TypeUrl: assignments, ResourceNamesSubscribe: followed,
			}); err != nil {
				return err
			}
		}
	}
}

// taken gives the assignments of a response to take, and names those of the clusters in it.
func taken(
	response *discoveryv3.DeltaDiscoveryResponse, take func(*endpointv3.ClusterLoadAssignment),
) (followed []string, err error) {
	for _, resource := range response.GetResources() {
		assignment, cluster := &endpointv3.ClusterLoadAssignment{}, &clusterv3.Cluster{}
		switch response.GetTypeUrl() {
		case assignments:
			err = resource.GetResource().UnmarshalTo(assignment)
			take(assignment)
		case clusters:
			err = resource.GetResource().UnmarshalTo(cluster)
			if cluster.GetType() == clusterv3.Cluster_EDS {
				followed = append(followed, resource.GetName())
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return followed, nil
}
