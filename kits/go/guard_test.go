package kit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func TestTranslate(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	gone, away := NewError(codes.NotFound, "GONE", "it is gone"), status.Error(codes.Unavailable, "secret")
	missing := status.Error(codes.Unimplemented, "not yet")
	for name, one := range map[string]struct {
		ctx      context.Context
		err      error
		code     codes.Code
		message  string
		expected bool
	}{
		"a domain error":           {t.Context(), gone, codes.NotFound, "it is gone", true},
		"a wrapped domain error":   {t.Context(), fmt.Errorf("secret: %w", gone), codes.NotFound, "it is gone", true},
		"a late domain error":      {over, gone, codes.NotFound, "it is gone", true},
		"a status":                 {t.Context(), missing, codes.Unimplemented, "not yet", true},
		"what no one expected":     {t.Context(), errors.New("secret"), codes.Internal, "internal error", false},
		"what another said":        {t.Context(), markAnswer(away), codes.Internal, "internal error", false},
		"anything after the call":  {over, errors.New("secret"), codes.Canceled, "context canceled", true},
		"an answer after the call": {over, markAnswer(away), codes.Canceled, "context canceled", true},
	} {
		t.Run(name, func(t *testing.T) {
			answer, expected := translate(one.ctx, one.err, "shop.v1")
			if answer.Code() != one.code || answer.Message() != one.message || expected != one.expected {
				t.Errorf("got %v %q, expected: %v", answer.Code(), answer.Message(), expected)
			}
		})
	}
}

func TestCausesAreAllThatAnErrorWraps(t *testing.T) {
	inner := errors.New("inner")
	got := causes(fmt.Errorf("outer: %w", errors.Join(inner, context.Canceled)))
	want := []string{
		"*fmt.wrapError: outer: inner\ncontext canceled",
		"*errors.joinError: inner\ncontext canceled",
		"*errors.errorString: inner",
		"*errors.errorString: context canceled",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestErrorBecomesErrorInfoAndBadRequest(t *testing.T) {
	failure := &Error{
		Code: codes.InvalidArgument, Reason: "BAD", Message: "bad", Metadata: map[string]string{"key": "value"},
		Fields: []Field{{"items[0].quantity", "too many"}},
	}
	details := failure.toStatus("shop.orders.v1").Details()
	want := []proto.Message{
		&errdetails.ErrorInfo{Reason: "BAD", Domain: "shop.orders.v1", Metadata: map[string]string{"key": "value"}},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "items[0].quantity", Description: "too many"},
		}},
	}
	if len(details) != len(want) {
		t.Fatalf("got %v", details)
	}
	for i, detail := range details {
		if !proto.Equal(detail.(proto.Message), want[i]) {
			t.Errorf("got %v, want %v", detail, want[i])
		}
	}
}

func TestDomainIsThePackageOfTheContract(t *testing.T) {
	for method, want := range map[string]string{
		"/shop.catalog.v1.CatalogService/GetProduct": "shop.catalog.v1",
		"/Service/Method": "",
	} {
		if got := domainOf(method); got != want {
			t.Errorf("%s: got %q, want %q", method, got, want)
		}
	}
}
