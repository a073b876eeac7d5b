// Echoes from grpc-go alone. It announces itself like the kit does, and has health, without which it could be in no mesh.
package main

import (
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	echoes "github.com/gossamer-mesh/gossamer/bench/echo/go"
	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	probev1.RegisterProbeServiceServer(server, echoes.Server{})
	healthpb.RegisterHealthServer(server, health.NewServer())
	fmt.Printf("{\"message\":\"announce\",\"address\":%q}\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}
