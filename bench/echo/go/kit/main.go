// Echoes from a server of the kit.
package main

import (
	"context"

	echoes "github.com/gossamer-mesh/gossamer/bench/echo/go"
	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
	kit "github.com/gossamer-mesh/gossamer/kits/go"
)

func main() { kit.Main(serve) }

func serve(ctx context.Context) error {
	config, err := kit.ConfigFromEnv()
	if err != nil {
		return err
	}
	k, err := kit.New(ctx, config)
	if err != nil {
		return err
	}
	probev1.RegisterProbeServiceServer(k.Server(), echoes.Server{})
	if err := k.Serve(); err != nil {
		return err
	}
	if err := k.Join(ctx); err != nil {
		return err
	}
	return k.Wait(ctx)
}
