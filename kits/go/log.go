package kit

// This file owns how a log line looks: one JSON object a line on standard error, the same keys in every language. The
// announce line is the only one on standard output.

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// newLogger returns a logger whose lines have time, level, service, instance, message, and inside a call trace_id and
// span_id.
func newLogger(out io.Writer, config Config) *slog.Logger {
	lines := slog.NewJSONHandler(out, &slog.HandlerOptions{ReplaceAttr: nameKeys})
	return slog.New(callHandler{lines}).With("service", config.Service, "instance", config.Instance)
}

// nameKeys gives slog's own keys the names and values that all languages use.
func nameKeys(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return attr
	}
	switch value := attr.Value.Any().(type) {
	case slog.Level:
		attr.Value = slog.StringValue(strings.ToLower(value.String()))
	case time.Time:
		attr.Value = slog.TimeValue(value.UTC())
	case string:
		if attr.Key == slog.MessageKey {
			attr.Key = "message"
		}
	}
	return attr
}

// callHandler adds the ids of the call that a line was logged in.
type callHandler struct{ slog.Handler }

func (h callHandler) Handle(ctx context.Context, record slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		record.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, record)
}

func (h callHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return callHandler{h.Handler.WithAttrs(attrs)}
}

func (h callHandler) WithGroup(name string) slog.Handler {
	return callHandler{h.Handler.WithGroup(name)}
}
