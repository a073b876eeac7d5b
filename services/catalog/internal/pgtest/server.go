// Package pgtest gives tests a real PostgreSQL of their own, or says clearly why it cannot.
//
// The programs are those on PATH if they are new enough, else those that the project's Python environment brings. The server listens on a Unix
// socket in a new folder only, so any number run side by side; it dies with the test program. With
// GOSSAMER_TEST_DATABASE_URL set, that server is used instead, as a role that may make databases and roles.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience is the longest that anything here waits.
const patience = 30 * time.Second

// Server is a running PostgreSQL.
type Server struct {
	url      *url.URL // of a role that may make databases and roles
	programs string   // empty when someone else runs it
	folder   string
	owner    *syscall.Credential // nil: this process's own
	process  *os.Process
	ended    chan struct{}
}

// New makes a database cluster and starts its server. Close ends both.
func New() (*Server, error) {
	if given := os.Getenv("GOSSAMER_TEST_DATABASE_URL"); given != "" {
		address, err := url.Parse(given)
		if err != nil {
			return nil, fmt.Errorf("GOSSAMER_TEST_DATABASE_URL: expected a URL: %w", err)
		}
		return &Server{url: address}, nil
	}
	return own()
}

// own makes a server from the programs on this machine.
func own() (*Server, error) {
	programs, err := findPrograms()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("/tmp", "pgtest") // short: a socket's path has at most 107 bytes
	if err != nil {
		return nil, err
	}
	s := &Server{
		url:      &url.URL{Scheme: "postgresql", User: url.User("postgres"), Path: "/postgres"},
		programs: programs, folder: folder,
	}
	s.url.RawQuery = url.Values{"host": {folder}}.Encode()
	if err := s.initialise(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) initialise() error {
	if err := s.chooseOwner(); err != nil {
		return err
	}
	// The locale is the one that can do least: what holds here holds with any.
	initdb := s.program("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	access := "local all postgres trust\nlocal all all scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte(access), 0o600); err != nil {
		return err
	}
	return s.Start()
}

// chooseOwner gives the folder to an unprivileged user when this process is root's, as whom PostgreSQL does not run.
func (s *Server) chooseOwner() error {
	if os.Geteuid() != 0 {
		return nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return fmt.Errorf("PostgreSQL does not run as root, and there is no other user: %w", err)
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return err
	}
	s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.folder, int(uid), int(gid))
}

// Start starts the server and waits until it answers.
func (s *Server) Start() error {
	if s.programs == "" {
		return errors.New("a server given by GOSSAMER_TEST_DATABASE_URL cannot be started and stopped; unset it for this test")
	}
	command := s.program("postgres", "-D", s.data(), "-k", s.folder,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=50")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // Pdeathsig is sent at the end of the thread, so this one stays as long as the server
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait() // how a killed server ended is of no interest
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	s.process, s.ended = command.Process, ended
	return s.awaitAnswer(&output)
}

func (s *Server) awaitAnswer(output *bytes.Buffer) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		connection, err := pgx.Connect(ctx, s.url.String())
		if err == nil {
			return connection.Close(ctx)
		}
		select {
		case <-s.ended:
			return fmt.Errorf("postgres ended: %s", output)
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the server as a crash does, and waits until it is gone. Start brings it back with its data.
func (s *Server) Kill() error {
	if s.process == nil {
		return errors.New("this server was not started here")
	}
	// SIGQUIT makes every process of the server end at once, without a shutdown; kill -9 would leave its children behind
	// for a moment, and they would keep answering.
	if err := s.process.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(patience):
		return errors.New("postgres did not end")
	}
}

// Close ends the server and removes its folder.
func (s *Server) Close() error {
	if s.programs == "" {
		return nil
	}
	var err error
	if s.process != nil {
		select {
		case <-s.ended:
		default:
			err = s.Kill()
		}
	}
	return errors.Join(err, os.RemoveAll(s.folder))
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

func (s *Server) program(name string, arguments ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(s.programs, name), arguments...)
	command.Dir = s.folder
	command.Env = []string{"LC_ALL=C", "PATH=" + s.programs}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Pdeathsig: syscall.SIGQUIT}
	return command
}
