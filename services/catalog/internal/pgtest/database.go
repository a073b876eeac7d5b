package pgtest

// This file owns the databases of single tests.

import (
	"context"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var made atomic.Int64

// Database makes an empty database that an unprivileged role of its own owns and no other enters, as the stack does for
// a service, and returns its URL. Both are dropped when the test ends.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d_%d", time.Now().UnixNano(), made.Add(1))
	const password = "only-in-tests"
	s.run(t, `CREATE ROLE `+name+` LOGIN PASSWORD '`+password+`'`)
	s.run(t, `CREATE DATABASE `+name+` OWNER `+name)
	s.run(t, `REVOKE ALL ON DATABASE `+name+` FROM PUBLIC`)
	t.Cleanup(func() {
		s.run(t, `DROP DATABASE `+name+` WITH (FORCE)`)
		s.run(t, `DROP ROLE `+name)
	})
	address := *s.url
	address.User = url.UserPassword(name, password)
	address.Path = "/" + name
	return address.String()
}

// run runs one statement as the role that may do everything.
func (s *Server) run(t testing.TB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	connection, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	defer connection.Close(ctx)
	if _, err := connection.Exec(ctx, statement); err != nil {
		t.Fatalf("pgtest: %s: %v", statement, err)
	}
}
