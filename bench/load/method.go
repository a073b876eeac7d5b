package main

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
	catalogv1 "github.com/gossamer-mesh/gossamer/gen/go/shop/catalog/v1"
)

// call makes one call.
type call func(ctx context.Context, options ...grpc.CallOption) error

// findMethod returns what makes calls of the method on a connection.
func findMethod(s settings) (func(grpc.ClientConnInterface) call, error) {
	switch s.method {
	case "ProbeService/Echo":
		request := &probev1.EchoRequest{Payload: make([]byte, s.payload)}
		return func(conn grpc.ClientConnInterface) call {
			client := probev1.NewProbeServiceClient(conn)
			return func(ctx context.Context, options ...grpc.CallOption) error {
				_, err := client.Echo(ctx, request, options...)
				return err
			}
		}, nil
	case "CatalogService/GetProduct":
		request := &catalogv1.GetProductRequest{Id: s.id}
		return func(conn grpc.ClientConnInterface) call {
			client := catalogv1.NewCatalogServiceClient(conn)
			return func(ctx context.Context, options ...grpc.CallOption) error {
				_, err := client.GetProduct(ctx, request, options...)
				return err
			}
		}, nil
	default:
		return nil, fmt.Errorf("unknown method %q: expected ProbeService/Echo or CatalogService/GetProduct", s.method)
	}
}
