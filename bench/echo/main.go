// Echo is what bench/kit_overhead.py and bench/sidecars.py call: it answers ProbeService/Echo with one and the same
// handler, either from a bare grpc-go server (-bare) or from a server of the kit, so that a difference is the kit's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime/pprof"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
	kit "github.com/gossamer-mesh/gossamer/kits/go"
)

type echoes struct {
	probev1.UnimplementedProbeServiceServer
}

func (echoes) Echo(_ context.Context, request *probev1.EchoRequest) (*probev1.EchoResponse, error) {
	return &probev1.EchoResponse{Payload: request.GetPayload()}, nil
}

func main() {
	bare := flag.Bool("bare", false, "serve without the kit")
	profile := flag.String("cpuprofile", "", "file to write a CPU profile to")
	flag.Parse()
	serve := serveKit
	if *bare {
		serve = serveBare
	}
	kit.Main(func(ctx context.Context) error { return profiled(ctx, *profile, serve) })
}

// profiled serves, and writes a profile when a file is given for it.
func profiled(ctx context.Context, path string, serve func(context.Context) error) error {
	if path == "" {
		return serve(ctx)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	err = serve(ctx)
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}

// serveBare announces itself like the kit does, and has health, without which it could be in no mesh.
func serveBare(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	probev1.RegisterProbeServiceServer(server, echoes{})
	healthpb.RegisterHealthServer(server, health.NewServer())
	context.AfterFunc(ctx, server.Stop)
	fmt.Printf("{\"message\":\"announce\",\"address\":%q}\n", listener.Addr())
	return server.Serve(listener)
}

func serveKit(ctx context.Context) error {
	config, err := kit.ConfigFromEnv()
	if err != nil {
		return err
	}
	k, err := kit.New(ctx, config)
	if err != nil {
		return err
	}
	probev1.RegisterProbeServiceServer(k.Server(), echoes{})
	if err := k.Serve(); err != nil {
		return err
	}
	if err := k.Join(ctx); err != nil {
		return err
	}
	return k.Wait(ctx)
}
