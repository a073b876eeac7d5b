package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gossamer-mesh/gossamer/services/catalog/data"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/catalog"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/pgtest"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/postgres"
)

// These tests ask a real PostgreSQL. Without one they fail, and say how to get one.

var server *pgtest.Server

func TestMain(m *testing.M) {
	var err error
	if server, err = pgtest.New(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// limited returns a context that ends a test which waits for something that never comes.
func limited(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// open opens a store that begins with these products.
func open(t testing.TB, url string, first []catalog.Product) *postgres.Store {
	t.Helper()
	store, err := tryOpen(limited(t), url, first)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func tryOpen(ctx context.Context, url string, first []catalog.Product) (*postgres.Store, error) {
	config, err := postgres.ParseURL(url)
	if err != nil {
		return nil, err
	}
	return postgres.Open(ctx, config, 5*time.Second, first, slog.New(slog.DiscardHandler))
}

// products returns what the shop opens with.
func products(t testing.TB) []catalog.Product {
	t.Helper()
	first, err := data.Products()
	if err != nil {
		t.Fatal(err)
	}
	return first
}

// connect returns a connection to a store's database that goes around the store.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	connection, err := pgx.Connect(limited(t), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close(context.Background()) })
	return connection
}

func execute(t testing.TB, connection *pgx.Conn, statement string, arguments ...any) {
	t.Helper()
	if _, err := connection.Exec(limited(t), statement, arguments...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
