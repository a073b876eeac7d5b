// Command catalog serves what the shop sells, and at what price.
package main

import (
	"context"

	catalogv1 "github.com/gossamer-mesh/gossamer/gen/go/shop/catalog/v1"
	kit "github.com/gossamer-mesh/gossamer/kits/go"
	"github.com/gossamer-mesh/gossamer/services/catalog/data"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/catalog"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/postgres"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/rpc"
)

func main() { kit.Main(run) }

func run(ctx context.Context) error {
	config, err := configure() // 1 config
	if err != nil {
		return err
	}
	k, err := kit.New(ctx, config.Config)
	if err != nil {
		return err
	}
	defer k.Close()
	first, err := data.Products()
	if err != nil {
		return err
	}
	store, err := postgres.Open(ctx, config.database, postgres.StartupPatience, first, k.Log())
	if err != nil && ctx.Err() != nil {
		return nil // told to stop before it served
	}
	if err != nil {
		return err
	}
	defer store.Close()
	server := rpc.NewServer(catalog.New(store)) // 2 service
	catalogv1.RegisterCatalogServiceServer(k.Server(), server)
	if err := k.Serve(); err != nil { // 3 serve
		return err
	}
	if err := k.Join(ctx); err != nil { // 4 join
		return err
	}
	return k.Wait(ctx) // 5 wait
}
