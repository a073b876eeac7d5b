package postgres

// This file owns what the errors of PostgreSQL and its driver mean.

import (
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// isAway says whether the error means that PostgreSQL cannot be reached or does not take questions now, so that the
// same question may be answered later. SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
func isAway(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || isLost(err) || hasState(err, "08", "53")
}

// isLost says whether the error means that a connection broke that had been made before.
func isLost(err error) bool {
	var network *net.OpError
	var connect *pgconn.ConnectError
	switch {
	case err == nil, errors.As(err, &connect):
		return false
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, pgconn.ErrConnClosed):
		return true
	}
	return hasState(err, "57P") // PostgreSQL is going down, has crashed or is starting
}

// isRefused says whether PostgreSQL is there but does not let this role in, which waiting does not mend.
func isRefused(err error) bool {
	return hasState(err, "28", "3D", "42501") // wrong role or password, no such database, another service's database
}

// hasState says whether the error is PostgreSQL's own, with a SQLSTATE that begins with one of these.
func hasState(err error, beginnings ...string) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return false
	}
	for _, beginning := range beginnings {
		if strings.HasPrefix(refused.Code, beginning) {
			return true
		}
	}
	return false
}

// oneLine is an error whose text is on one line; pgx gives each address that it tried a line of its own.
type oneLine struct{ error }

func (e oneLine) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }

func (e oneLine) Unwrap() error { return e.error }
