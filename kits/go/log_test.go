package kit

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// loggedLine logs one line in a call and returns its fields.
func loggedLine(t *testing.T, log func(*bytes.Buffer)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	log(&out)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%q is not one JSON object: %v", out.String(), err)
	}
	return line
}

func TestLogLineTellsWhoAndInWhichTrace(t *testing.T) {
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2},
	}))
	line := loggedLine(t, func(out *bytes.Buffer) {
		newLogger(out, Config{Service: "catalog", Instance: "catalog-1"}).WarnContext(ctx, "careful")
	})
	for key, want := range map[string]any{
		"service": "catalog", "instance": "catalog-1", "message": "careful",
		"trace_id": "01000000000000000000000000000000", "span_id": "0200000000000000",
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if line["time"] == nil {
		t.Error("the line has no time")
	}
}

func TestLogLineOutsideOfCallsHasNoTrace(t *testing.T) {
	line := loggedLine(t, func(out *bytes.Buffer) { newLogger(out, Config{}).Info("hello") })
	if line["level"] != "info" || line["trace_id"] != nil {
		t.Errorf("got %v", line)
	}
}

func TestLibrariesLogLikeTheService(t *testing.T) {
	line := loggedLine(t, func(out *bytes.Buffer) {
		lines := grpcLines{newLogger(out, Config{Service: "catalog"})}
		if _, err := lines.Write([]byte("2026/11/23 16:00:00 ERROR: [core] it broke\n")); err != nil {
			t.Error(err)
		}
	})
	if line["level"] != "error" || line["message"] != "[core] it broke" || line["service"] != "catalog" {
		t.Errorf("got %v", line)
	}
}

func TestACollectorThatIsAwayDoesNotFillTheLog(t *testing.T) {
	loggedLine(t, func(out *bytes.Buffer) {
		failures := &telemetryErrors{log: newLogger(out, Config{}), spacing: time.Hour}
		failures.Handle(errors.New("away"))
		failures.Handle(errors.New("still away"))
	})
}

func TestExitStatus(t *testing.T) {
	for want, err := range map[int]error{
		0:  nil,
		1:  errors.New("broken"),
		64: errors.Join(errors.New("start"), &ConfigError{Problems: []string{"X: expected y"}}),
	} {
		if got := exitStatus(err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
}
