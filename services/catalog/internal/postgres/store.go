package postgres

// This file owns the statements that answer questions, and what happens to them while PostgreSQL is away. It changes
// nothing in the database.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gossamer-mesh/gossamer/services/catalog/internal/catalog"
)

// patience is the longest that a question waits for the store. It is shorter than the kits' default deadline, so that
// the caller hears that the store is away instead of running out of time.
const patience = 2 * time.Second

// Store answers the questions of [catalog.Store] from PostgreSQL. Statements are prepared once for each connection.
// It needs no restart when PostgreSQL has been away: see [Store.ask].
type Store struct {
	pool *pgxpool.Pool
	log  *slog.Logger
	away atomic.Bool // as the last question found it
}

var _ catalog.Store = (*Store)(nil)

const columns = `id, name, description, price_minor, category, picture, tags`

// Product implements [catalog.Store].
func (s *Store) Product(ctx context.Context, id string) (catalog.Product, error) {
	products, err := s.products(ctx, `SELECT `+columns+` FROM products WHERE id = $1`, id)
	if err == nil && len(products) == 0 {
		err = fmt.Errorf("%w: %q", catalog.ErrProductNotFound, id)
	}
	if err != nil {
		return catalog.Product{}, err
	}
	return products[0], nil
}

// Products implements [catalog.Store].
func (s *Store) Products(ctx context.Context, ids []string) ([]catalog.Product, error) {
	return s.products(ctx, `SELECT `+columns+` FROM products WHERE id = ANY($1)`, ids)
}

// List implements [catalog.Store].
func (s *Store) List(
	ctx context.Context, category string, after catalog.Position, limit int,
) ([]catalog.Product, error) {
	if category == "" {
		return s.products(ctx, `SELECT `+columns+` FROM products WHERE id > $1 ORDER BY id LIMIT $2`, after.ID, limit)
	}
	return s.products(ctx,
		`SELECT `+columns+` FROM products WHERE category = $1 AND id > $2 ORDER BY id LIMIT $3`,
		category, after.ID, limit)
}

// search scores every word by the best place it stands in: the name before category and tags before the description,
// and in each a whole word before the beginning of a longer one. A product's score is the sum. Words are cut to 64
// characters, since PostgreSQL refuses endless ones.
const search = `
WITH words AS (
	SELECT DISTINCT left(word, 64) AS word FROM regexp_split_to_table(searchable($1), ' ') AS word WHERE word <> ''
), scored AS (
	SELECT products.*, (
		SELECT sum(CASE
			WHEN search @@ (word || ':A')::tsquery  THEN 6
			WHEN search @@ (word || ':*A')::tsquery THEN 5
			WHEN search @@ (word || ':B')::tsquery  THEN 4
			WHEN search @@ (word || ':*B')::tsquery THEN 3
			WHEN search @@ (word || ':C')::tsquery  THEN 2
			ELSE 1
		END) FROM words) AS score
	FROM products
	WHERE search @@ (SELECT string_agg(word || ':*', ' & ')::tsquery FROM words)
)
SELECT ` + columns + `, score FROM scored
WHERE $2 = 0 OR score < $2 OR (score = $2 AND id > $3)
ORDER BY score DESC, id LIMIT $4`

// Search implements [catalog.Store].
func (s *Store) Search(
	ctx context.Context, words string, after catalog.Position, limit int,
) (matches []catalog.Match, err error) {
	err = s.ask(ctx, func(ctx context.Context) error {
		rows, _ := s.pool.Query(ctx, search, words, after.Score, after.ID, limit) // CollectRows returns its error
		matches, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (match catalog.Match, err error) {
			err = row.Scan(append(fields(&match.Product), &match.Score)...)
			return match, err
		})
		return err
	})
	return matches, err
}

func (s *Store) products(ctx context.Context, sql string, arguments ...any) (products []catalog.Product, err error) {
	err = s.ask(ctx, func(ctx context.Context) error {
		rows, _ := s.pool.Query(ctx, sql, arguments...) // CollectRows returns its error
		products, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (product catalog.Product, err error) {
			err = row.Scan(fields(&product)...)
			return product, err
		})
		return err
	})
	return products, err
}

// fields returns where the columns of a product are read into, in their order.
func fields(p *catalog.Product) []any {
	return []any{&p.ID, &p.Name, &p.Description, &p.Price, &p.Category, &p.Picture, &p.Tags}
}

// ask puts a question, which must change nothing, within [patience]. When the connection turns out to be dead, as all
// are that outlived a restart of PostgreSQL, it drops the idle ones and asks once more over a new one.
func (s *Store) ask(ctx context.Context, put func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, leave(ctx))
	defer cancel()
	err := put(limited)
	if isLost(err) && limited.Err() == nil {
		s.pool.Reset()
		err = put(limited)
	}
	if ctx.Err() == nil && (isAway(err) || errors.Is(err, context.DeadlineExceeded)) {
		if !s.away.Swap(true) {
			s.log.ErrorContext(ctx, "PostgreSQL is away", "error", oneLine{err}.Error())
		}
		return fmt.Errorf("%w: %w", catalog.ErrStoreUnavailable, err)
	}
	if err == nil && s.away.Load() && s.away.Swap(false) {
		s.log.InfoContext(ctx, "PostgreSQL is back")
	}
	return err
}

// leave returns how long a question may take: [patience], but never all of the time that the caller has left, since the
// answer must still reach it.
func leave(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return patience
	}
	return min(patience, time.Until(deadline)*8/10)
}
