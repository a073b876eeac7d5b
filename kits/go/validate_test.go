package kit

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
	catalogv1 "github.com/gossamer-mesh/gossamer/gen/go/shop/catalog/v1"
)

func TestBadFieldsAreNamedByTheirPaths(t *testing.T) {
	checks, err := newChecks()
	if err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]struct {
		request proto.Message
		paths   []string
	}{
		"a good request":    {&probev1.EchoRequest{Payload: []byte("x")}, nil},
		"one field":         {&probev1.EchoRequest{ResponsePadding: -1}, []string{"response_padding"}},
		"an item of a list": {&probev1.RelayRequest{Services: []string{"a", ""}}, []string{"services[1]"}},
		"all bad fields":    {&probev1.FailRequest{Mode: 9, Code: 17, Every: -1}, []string{"mode", "code", "every"}},
		"a list as a whole": {&catalogv1.BatchGetProductsRequest{}, []string{"ids"}},
		"what has no rules": {&probev1.SumResponse{Sum: -1}, nil},
		"nothing at all":    {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var paths []string
			err := checks.message(one.request)
			if refusal := new(Error); errors.As(err, &refusal) {
				if refusal.Code != codes.InvalidArgument || refusal.Reason != "INVALID_REQUEST" {
					t.Errorf("got %v", refusal)
				}
				for _, field := range refusal.Fields {
					paths = append(paths, field.Path)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(paths, one.paths) {
				t.Errorf("got %v, want %v", paths, one.paths)
			}
		})
	}
}
