package main

import (
	"errors"
	"strings"
	"testing"

	kit "github.com/gossamer-mesh/gossamer/kits/go"
)

func TestABadDatabaseIsNamedWithEverythingElseThatIsBad(t *testing.T) {
	for _, url := range []string{"", "mysql://catalog:secret@127.0.0.1/catalog"} {
		t.Setenv("DATABASE_URL", url)
		t.Setenv("GOSSAMER_DISCOVERY", "static:")
		t.Setenv("GOSSAMER_SERVICE", "Not A Name")
		t.Setenv("GOSSAMER_DRAIN", "soon")
		_, err := configure()
		if bad := new(kit.ConfigError); !errors.As(err, &bad) || len(bad.Problems) != 3 {
			t.Fatalf("expected a ConfigError with three problems, found %v", err)
		}
		for _, name := range []string{"DATABASE_URL", "GOSSAMER_SERVICE", "GOSSAMER_DRAIN"} {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("expected %s in:\n%v", name, err)
			}
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("expected no password in:\n%v", err)
		}
	}
}

func TestAGoodEnvironmentIsRead(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgresql://catalog:secret@127.0.0.1:5432/shop")
	t.Setenv("GOSSAMER_SERVICE", "catalog")
	t.Setenv("GOSSAMER_DISCOVERY", "static:")
	config, err := configure()
	if err != nil {
		t.Fatal(err)
	}
	if found := config.database.ConnConfig.Database; found != "shop" || config.Service != "catalog" {
		t.Errorf("found database %q of service %q", found, config.Service)
	}
}
