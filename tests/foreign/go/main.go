// A server on grpc-go alone, as its examples are written: it knows nothing of a mesh, and SIGTERM ends it at once.
//
//	go PORT NAME          serves ProbeService's Echo; NAME is who answers
//	go PORT NAME known    also says its health, and by reflection what it serves
package main

import (
	"context"
	"log"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

// held is how long a call takes, so that some always run.
const held = 100 * time.Millisecond

type server struct {
	probev1.UnimplementedProbeServiceServer
	name string
}

func (s server) Echo(_ context.Context, request *probev1.EchoRequest) (*probev1.EchoResponse, error) {
	time.Sleep(held)
	return &probev1.EchoResponse{Payload: request.GetPayload(), Hop: &probev1.Hop{Instance: s.name}}, nil
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	served := grpc.NewServer()
	probev1.RegisterProbeServiceServer(served, server{name: os.Args[2]})
	if len(os.Args) > 3 {
		grpc_health_v1.RegisterHealthServer(served, health.NewServer())
		reflection.Register(served)
	}
	log.Fatal(served.Serve(listener))
}
