// Package kit is what a Go service of the mesh is built on.
//
// It joins grpc-go, Consul's client, OpenTelemetry and protovalidate, so that a service names none of them. A main is
// five steps, the same in every language:
//
//	func main() { kit.Main(run) }
//
//	func run(ctx context.Context) error {
//		config, err := kit.ConfigFromEnv() // 1 config
//		if err != nil {
//			return err
//		}
//		k, err := kit.New(ctx, config)
//		if err != nil {
//			return err
//		}
//		defer k.Close()
//		store := catalog.NewStore() // 2 service: the pure domain behind a thin adapter
//		catalogv1.RegisterCatalogServiceServer(k.Server(), adapter{store})
//		if err := k.Serve(); err != nil { // 3 serve
//			return err
//		}
//		if err := k.Join(ctx); err != nil { // 4 join
//			return err
//		}
//		return k.Wait(ctx) // 5 wait, then drain
//	}
//
// A client of another service is opened by its name:
//
//	catalog := catalogv1.NewCatalogServiceClient(k.Client("catalog"))
//
// What callers and callees can rely on (deadlines, traces, errors, limits, the order of a drain) is the same for the
// kits of all languages, and tests/conformance checks it from outside.
package kit
