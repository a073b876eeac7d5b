package postgres

// This file owns how a database gets its schema and its first products.

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gossamer-mesh/gossamer/services/catalog/internal/catalog"
)

// The schema is the SQL files of migrations/, applied once each in the order of their names. An applied file never
// changes again: what comes later is a new file.
//
//go:embed migrations/*.sql
var migrations embed.FS

// firstLoad is what the load of the first products is recorded as, beside the names of the SQL files.
const firstLoad = "first products"

// migrationLock is the key of the advisory lock that lets one instance migrate at a time. Only this database's owner
// takes locks in it, so any number does.
const migrationLock = 1

// migrate brings the schema up to date and loads the first products, all in one transaction: another instance waits
// for its end, and one that dies on the way leaves nothing behind.
func migrate(ctx context.Context, pool *pgxpool.Pool, first []catalog.Product) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, migrationLock); err != nil {
			return err
		}
		applied, err := appliedMigrations(ctx, tx)
		if err != nil {
			return err
		}
		files, err := fs.Glob(migrations, "migrations/*.sql") // sorted
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := applyFile(ctx, tx, file, applied); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		if _, done := applied[firstLoad]; done {
			return nil
		}
		return load(ctx, tx, first)
	})
}

// appliedMigrations returns the checksum of everything that has been applied, by name.
func appliedMigrations(ctx context.Context, tx pgx.Tx) (map[string]string, error) {
	_, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS migrations (
		name       text PRIMARY KEY,
		sha256     text NOT NULL,
		applied_at timestamptz NOT NULL DEFAULT now()
	)`)
	if err != nil {
		return nil, err
	}
	applied := map[string]string{}
	var name, sum string
	rows, _ := tx.Query(ctx, `SELECT name, sha256 FROM migrations`) // ForEachRow returns its error
	_, err = pgx.ForEachRow(rows, []any{&name, &sum}, func() error {
		applied[name] = sum
		return nil
	})
	return applied, err
}

func applyFile(ctx context.Context, tx pgx.Tx, file string, applied map[string]string) error {
	statements, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(statements)
	found := hex.EncodeToString(sum[:])
	if expected, done := applied[file]; done {
		if expected != found {
			return fmt.Errorf("was changed after it had been applied: put it back, and the change into a new file")
		}
		return nil
	}
	if _, err := tx.Exec(ctx, string(statements)); err != nil {
		return err
	}
	return record(ctx, tx, file, found)
}

func load(ctx context.Context, tx pgx.Tx, products []catalog.Product) error {
	names := []string{"id", "name", "description", "price_minor", "category", "picture", "tags"}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"products"}, names,
		pgx.CopyFromSlice(len(products), func(i int) ([]any, error) {
			p := products[i]
			return []any{p.ID, p.Name, p.Description, int64(p.Price), p.Category, p.Picture, p.Tags}, nil
		}))
	if err != nil {
		return fmt.Errorf("%s: %w", firstLoad, err)
	}
	return record(ctx, tx, firstLoad, "")
}

func record(ctx context.Context, tx pgx.Tx, name, sum string) error {
	_, err := tx.Exec(ctx, `INSERT INTO migrations (name, sha256) VALUES ($1, $2)`, name, sum)
	return err
}
