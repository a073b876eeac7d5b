package postgres

// This file owns how a store is opened: the address, the wait for PostgreSQL and what is expected of it.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gossamer-mesh/gossamer/services/catalog/internal/catalog"
)

// StartupPatience is the longest that [Open] waits for a PostgreSQL that is not up yet.
const StartupPatience = 20 * time.Second

// ErrURL says that the database's address cannot be read. It never holds the address, which has a password in it.
var ErrURL = errors.New("expected postgresql://role:password@host:port/database")

// ParseURL reads the address of a database; its error wraps [ErrURL].
func ParseURL(url string) (*pgxpool.Config, error) {
	if url == "" {
		return nil, fmt.Errorf("%w, found nothing", ErrURL)
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil || !strings.HasPrefix(url, "postgresql://") && !strings.HasPrefix(url, "postgres://") {
		// What was found and why it does not do may both show the password.
		return nil, fmt.Errorf("%w, found something else (not shown: it may hold a password)", ErrURL)
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = patience
	}
	return config, nil
}

// Open connects to the database, waiting up to startup for PostgreSQL to come up, brings its schema up to date and
// loads first into it if it has never been done. Any number of instances may do so at once. The role needs no more than
// to own the database. The store is closed with [Store.Close].
func Open(
	ctx context.Context, config *pgxpool.Config, startup time.Duration, first []catalog.Product, log *slog.Logger,
) (*Store, error) {
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	if err := reach(ctx, pool, startup, log); err != nil {
		pool.Close()
		return nil, fmt.Errorf("PostgreSQL: %w", oneLine{err})
	}
	if err := migrate(ctx, pool, first); err != nil {
		pool.Close()
		return nil, fmt.Errorf("PostgreSQL: preparing the database: %w", oneLine{err})
	}
	return &Store{pool: pool, log: log}, nil
}

// Close ends all connections, when the questions under way are answered.
func (s *Store) Close() { s.pool.Close() }

// reach returns once PostgreSQL answers. It gives up at once when PostgreSQL refuses the role or is one that cannot
// serve, and after startup when it stays away.
func reach(ctx context.Context, pool *pgxpool.Pool, startup time.Duration, log *slog.Logger) error {
	const shortest, longest = 50 * time.Millisecond, time.Second
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()
	for pause := shortest; ; pause = min(2*pause, longest) {
		err := supported(ctx, pool)
		switch {
		case isRefused(err):
			return fmt.Errorf("it refuses the role, the password or the database of DATABASE_URL: %w", err)
		case err == nil, !isAway(err) && ctx.Err() == nil:
			return err
		}
		if pause == shortest {
			log.WarnContext(ctx, "waiting for PostgreSQL", "error", oneLine{err}.Error(), "at_most", startup.String())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer within %s: start it, or correct DATABASE_URL: %w", startup, err)
		case <-time.After(pause):
		}
	}
}

// supported asks whether this PostgreSQL can do what the schema needs.
func supported(ctx context.Context, pool *pgxpool.Pool) error {
	const oldest = 170000 // the first with the collation pg_c_utf8
	var version int
	var encoding string
	err := pool.QueryRow(ctx,
		`SELECT current_setting('server_version_num')::int, current_setting('server_encoding')`,
	).Scan(&version, &encoding)
	if err != nil {
		return err
	}
	if version < oldest || encoding != "UTF8" {
		return fmt.Errorf("expected version %d or newer and a database with the encoding UTF8, found version %d and %s",
			oldest/10000, version/10000, encoding)
	}
	return nil
}
