package kit

// This file owns what the libraries below log: as JSON lines, like everything else; of gRPC only errors, and of
// OpenTelemetry one a minute, since a collector that is away fails every batch. Both have one logger for the whole
// process, so the first kit of a process gives them its own.

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"google.golang.org/grpc/grpclog"
)

var redirectOnce sync.Once

func redirectLibraryLogs(log *slog.Logger) {
	redirectOnce.Do(func() {
		grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, grpcLines{log.With("library", "grpc")}))
		otel.SetErrorHandler(&telemetryErrors{log: log.With("library", "opentelemetry"), spacing: time.Minute})
	})
}

// grpcLines turns lines such as "2026/11/23 16:00:00 ERROR: text" into records.
type grpcLines struct{ log *slog.Logger }

func (l grpcLines) Write(line []byte) (int, error) {
	_, text, found := bytes.Cut(line, []byte("ERROR: "))
	if !found {
		text = line
	}
	l.log.Error(string(bytes.TrimSpace(text)))
	return len(line), nil
}

// telemetryErrors logs an error now and then.
type telemetryErrors struct {
	log     *slog.Logger
	spacing time.Duration
	mu      sync.Mutex
	last    time.Time
}

// Handle is called by OpenTelemetry for every error.
func (e *telemetryErrors) Handle(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.last) >= e.spacing {
		e.last = time.Now()
		e.log.Warn("telemetry is lost: " + err.Error())
	}
}
