// A gRPC server and client in Go without the kit, for the row "foreign" of the kit contract.
//
//	foreign serve            serves gossamer.probe.v1.ProbeService's Relay, and prints its address
//	foreign call ADDRESS     calls Echo, and prints the instance that answered
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve":
		err = serve()
	case len(os.Args) == 3 && os.Args[1] == "call":
		err = call(os.Args[2])
	default:
		err = fmt.Errorf("usage: %s serve | call ADDRESS", os.Args[0])
	}
	if err != nil {
		log.Fatal(err)
	}
}

type server struct {
	probev1.UnimplementedProbeServiceServer
}

func (server) Relay(context.Context, *probev1.RelayRequest) (*probev1.RelayResponse, error) {
	return &probev1.RelayResponse{Hops: []*probev1.Hop{{Instance: "foreign", Language: "go"}}}, nil
}

func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := grpc.NewServer()
	probev1.RegisterProbeServiceServer(served, server{})
	fmt.Println(listener.Addr())
	return served.Serve(listener)
}

func call(address string) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer, err := probev1.NewProbeServiceClient(connection).Echo(ctx, &probev1.EchoRequest{})
	if err != nil {
		return err
	}
	fmt.Println(answer.GetHop().GetInstance())
	return nil
}
