package postgres_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gossamer-mesh/gossamer/services/catalog/internal/catalog"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/pgtest"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/postgres"
)

func TestManyInstancesThatStartAtOnceLoadOnce(t *testing.T) {
	url := server.Database(t)
	var starting sync.WaitGroup
	for range 6 {
		starting.Go(func() {
			store, err := tryOpen(limited(t), url, products(t))
			if err != nil {
				t.Error(err)
				return
			}
			defer store.Close()
			found, err := store.List(limited(t), "", catalog.Position{}, 1000)
			if err != nil || len(found) != len(products(t)) {
				t.Errorf("expected %d products as soon as it is open, found %d, %v", len(products(t)), len(found), err)
			}
		})
	}
	starting.Wait()
}

func TestAStartWaitsForOneThatIsUnderWay(t *testing.T) {
	url := server.Database(t)
	open(t, url, nil)
	holder := connect(t, url)
	execute(t, holder, `BEGIN`)
	execute(t, holder, `SELECT pg_advisory_xact_lock(1)`)
	opened := make(chan error, 1)
	go func() {
		store, err := tryOpen(limited(t), url, nil)
		if err == nil {
			store.Close()
		}
		opened <- err
	}()
	awaitWaitingLock(t, url)
	select {
	case <-opened:
		t.Fatal("opened while another instance held the lock")
	default:
	}
	execute(t, holder, `COMMIT`)
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
}

// awaitWaitingLock returns once someone waits for an advisory lock in the database.
func awaitWaitingLock(t *testing.T, url string) {
	t.Helper()
	watcher, ctx := connect(t, url), limited(t)
	for waiting := 0; waiting == 0; time.Sleep(5 * time.Millisecond) {
		err := watcher.QueryRow(ctx, `SELECT count(*) FROM pg_locks JOIN pg_database ON database = pg_database.oid
			WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted`).Scan(&waiting)
		if err != nil {
			t.Fatalf("no one waits for the lock: %v", err)
		}
	}
}

func TestAChangedPriceSurvivesARestart(t *testing.T) {
	url := server.Database(t)
	open(t, url, products(t)).Close()
	execute(t, connect(t, url), `UPDATE products SET price_minor = 1 WHERE id = 'alpaca-throw'`)
	execute(t, connect(t, url), `DELETE FROM products WHERE id = 'plush-lynx'`)
	store := open(t, url, products(t))
	if found, err := store.Product(limited(t), "alpaca-throw"); err != nil || found.Price != 1 {
		t.Errorf("expected the price of the database, found %s, %v", found.Price, err)
	}
	if _, err := store.Product(limited(t), "plush-lynx"); !errors.Is(err, catalog.ErrProductNotFound) {
		t.Errorf("expected what was deleted to stay away, found %v", err)
	}
}

func TestAStartThatFailsLeavesNothingBehind(t *testing.T) {
	url := server.Database(t)
	first := products(t)
	twice := append(first[:len(first):len(first)], first[0])
	if _, err := tryOpen(limited(t), url, twice); err == nil {
		t.Fatal("expected a product that is there twice to be refused")
	}
	open(t, url, first)
}

func TestAnAppliedMigrationThatWasEditedIsRefused(t *testing.T) {
	url := server.Database(t)
	open(t, url, nil).Close()
	execute(t, connect(t, url), `UPDATE migrations SET sha256 = 'other' WHERE name = 'migrations/0001_products.sql'`)
	_, err := tryOpen(limited(t), url, nil)
	if err == nil || !strings.Contains(err.Error(), "0001_products.sql: was changed after it had been applied") {
		t.Errorf("found %v", err)
	}
}

func TestAWrongPasswordIsRefusedAtOnce(t *testing.T) {
	url := strings.Replace(server.Database(t), ":only-in-tests@", ":wrong@", 1)
	_, err := tryOpen(limited(t), url, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "PostgreSQL: it refuses the role, the password or the database") {
		t.Errorf("expected a refusal, not a wait, found %v", err)
	}
}

func TestAnotherServicesDatabaseIsRefusedAtOnce(t *testing.T) {
	mine, another := parse(t, server.Database(t)), parse(t, server.Database(t))
	mine.Path = another.Path
	_, err := tryOpen(limited(t), mine.String(), nil)
	if err == nil || !strings.HasPrefix(err.Error(), "PostgreSQL: it refuses the role, the password or the database") {
		t.Errorf("expected a refusal, not a wait, found %v", err)
	}
}

func TestAStartWaitsForPostgreSQLAndSaysSoOnce(t *testing.T) {
	mine := start(t)
	url := mine.Database(t)
	kill(t, mine)
	var lines syncBuffer
	config, err := postgres.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		store, err := postgres.Open(limited(t), config, 20*time.Second, nil, slog.New(slog.NewTextHandler(&lines, nil)))
		if err == nil {
			store.Close()
		}
		opened <- err
	}()
	for !strings.Contains(lines.String(), "waiting for PostgreSQL") {
		select {
		case err := <-opened:
			t.Fatalf("did not wait: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err := mine.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	if written := strings.Count(lines.String(), "\n"); written != 1 {
		t.Errorf("expected one line, found %d:\n%s", written, lines.String())
	}
}

func TestAStartWithoutPostgreSQLEndsWithOneClearError(t *testing.T) {
	config, err := postgres.ParseURL("postgresql://catalog:secret@127.0.0.1:1/catalog") // nothing listens on port 1
	if err != nil {
		t.Fatal(err)
	}
	_, err = postgres.Open(limited(t), config, 100*time.Millisecond, nil, slog.New(slog.DiscardHandler))
	if err == nil || !strings.HasPrefix(err.Error(), "PostgreSQL: no answer within 100ms") {
		t.Fatalf("found %v", err)
	}
	if said := err.Error(); strings.Contains(said, "\n") || strings.Contains(said, "secret") {
		t.Errorf("expected one line without the password, found %q", said)
	}
}

func TestAnAddressThatIsNoneIsRefusedWithoutShowingIt(t *testing.T) {
	for _, url := range []string{"", "catalog", "mysql://a:secret@b/c", "postgresql://a:secret@b:port/c", "host=a password=secret"} {
		_, err := postgres.ParseURL(url)
		if !errors.Is(err, postgres.ErrURL) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: found %v", url, err)
		}
	}
}

func parse(t *testing.T, address string) *url.URL {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// start starts a server that the test may kill.
func start(t *testing.T) *pgtest.Server {
	t.Helper()
	mine, err := pgtest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mine.Close(); err != nil {
			t.Error(err)
		}
	})
	return mine
}

func kill(t *testing.T, mine *pgtest.Server) {
	t.Helper()
	if err := mine.Kill(); err != nil {
		t.Fatal(err)
	}
}

type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
