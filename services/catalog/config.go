package main

// This file owns what the service is told from outside.

import (
	"errors"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	kit "github.com/gossamer-mesh/gossamer/kits/go"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/postgres"
)

// configuration is the kit's and the address of the database.
type configuration struct {
	kit.Config
	database *pgxpool.Config
}

// configure reads the environment. Its error is a *kit.ConfigError that names every bad variable, the kit's and ours.
func configure() (configuration, error) {
	config, err := kit.ConfigFromEnv()
	bad := new(kit.ConfigError)
	if err != nil && !errors.As(err, &bad) {
		return configuration{}, err
	}
	database, err := postgres.ParseURL(os.Getenv("DATABASE_URL"))
	if err != nil {
		bad.Problems = append(bad.Problems, "DATABASE_URL: "+err.Error())
	}
	if len(bad.Problems) > 0 {
		return configuration{}, bad
	}
	return configuration{config, database}, nil
}
