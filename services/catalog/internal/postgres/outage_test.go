package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/gossamer-mesh/gossamer/services/catalog/internal/catalog"
)

func TestAQuestionWithoutPostgreSQLIsToldSo(t *testing.T) {
	mine := start(t)
	store := open(t, mine.Database(t), products(t))
	kill(t, mine)
	_, err := store.Product(limited(t), "alpaca-throw")
	if !errors.Is(err, catalog.ErrStoreUnavailable) {
		t.Errorf("expected ErrStoreUnavailable, found %v", err)
	}
	if err := mine.Start(); err != nil { // so that the database can be dropped
		t.Fatal(err)
	}
}

func TestTheFirstQuestionsAfterARestartAreAnswered(t *testing.T) {
	mine := start(t)
	store := open(t, mine.Database(t), products(t))
	everyConnection := func(report func(error)) {
		var asking sync.WaitGroup
		for range 16 {
			asking.Go(func() {
				_, err := store.Product(limited(t), "alpaca-throw")
				report(err)
			})
		}
		asking.Wait()
	}
	everyConnection(func(error) {})
	kill(t, mine)
	if err := mine.Start(); err != nil {
		t.Fatal(err)
	}
	everyConnection(func(err error) {
		if err != nil {
			t.Errorf("over a connection from before the restart: %v", err)
		}
	})
}

func TestAPostgreSQLThatHangsIsAway(t *testing.T) {
	url := server.Database(t)
	store := open(t, url, products(t))
	holder := connect(t, url)
	execute(t, holder, `BEGIN`)
	execute(t, holder, `LOCK TABLE products IN ACCESS EXCLUSIVE MODE`)
	ctx := limited(t) // far longer than the store's patience, and no statement times out before it
	_, err := store.Product(ctx, "alpaca-throw")
	if !errors.Is(err, catalog.ErrStoreUnavailable) || ctx.Err() != nil {
		t.Errorf("expected ErrStoreUnavailable before the caller's deadline, found %v (%v)", err, ctx.Err())
	}
	execute(t, holder, `ROLLBACK`)
	if _, err := store.Product(limited(t), "alpaca-throw"); err != nil {
		t.Errorf("expected an answer once it goes on, found %v", err)
	}
}

func TestACallerWhoLeavesIsNoOutage(t *testing.T) {
	store := open(t, server.Database(t), products(t))
	ctx, leave := context.WithCancel(context.Background())
	leave()
	_, err := store.Product(ctx, "alpaca-throw")
	if !errors.Is(err, context.Canceled) || errors.Is(err, catalog.ErrStoreUnavailable) {
		t.Errorf("expected context.Canceled, found %v", err)
	}
}

func TestAStatementThatFailsIsNoOutage(t *testing.T) {
	url := server.Database(t)
	store := open(t, url, products(t))
	execute(t, connect(t, url), `ALTER TABLE products RENAME TO things`)
	_, err := store.Product(limited(t), "alpaca-throw")
	if err == nil || errors.Is(err, catalog.ErrStoreUnavailable) || !strings.Contains(err.Error(), "42P01") {
		t.Errorf("expected the error of PostgreSQL, found %v", err)
	}
}
