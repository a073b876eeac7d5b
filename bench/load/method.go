package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

// call makes one call.
type call func(ctx context.Context, options ...grpc.CallOption) error

// findMethod returns what makes calls of the method on a connection.
func findMethod(s settings) (func(grpc.ClientConnInterface) call, error) {
	if s.method == "ProbeService/Echo" { // compiled, since it finds the most that a server can do
		request := &probev1.EchoRequest{Payload: make([]byte, s.payload)}
		return func(conn grpc.ClientConnInterface) call {
			client := probev1.NewProbeServiceClient(conn)
			return func(ctx context.Context, options ...grpc.CallOption) error {
				_, err := client.Echo(ctx, request, options...)
				return err
			}
		}, nil
	}
	method, err := readMethod(s.contracts, s.method)
	if err != nil {
		return nil, err
	}
	request := dynamicpb.NewMessage(method.Input())
	if err := protojson.Unmarshal([]byte(s.json), request); err != nil {
		return nil, fmt.Errorf("-json does not fit %s: %w", method.Input().FullName(), err)
	}
	return func(conn grpc.ClientConnInterface) call {
		return func(ctx context.Context, options ...grpc.CallOption) error {
			return conn.Invoke(ctx, "/"+s.method, request, dynamicpb.NewMessage(method.Output()), options...)
		}
	}, nil
}

// readMethod finds a unary method in an image of contracts.
func readMethod(contracts, name string) (protoreflect.MethodDescriptor, error) {
	image, err := os.ReadFile(contracts)
	if err != nil {
		return nil, fmt.Errorf("-contracts: %w", err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(image, set); err != nil {
		return nil, fmt.Errorf("-contracts: %s is no image of contracts: %w", contracts, err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, fmt.Errorf("-contracts: %s: %w", contracts, err)
	}
	found, err := files.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(name, "/", ".")))
	method, ok := found.(protoreflect.MethodDescriptor)
	if err != nil || !ok || method.IsStreamingClient() || method.IsStreamingServer() {
		return nil, fmt.Errorf("-method %q: expected ProbeService/Echo or a unary package.Service/Method of %s", name, contracts)
	}
	return method, nil
}
