package kit

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	meshv1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/mesh/v1"
)

// callRules are the cases of all kits.
func callRules(t *testing.T) (cases []struct {
	Name  string
	Rules []json.RawMessage
	Calls []struct {
		Path     string
		Metadata [][2]string
		Rule     *int
	}
}) {
	t.Helper()
	text, err := os.ReadFile("../../tests/conformance/call_rules.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	return cases
}

// parseRule reads a rule that is written as JSON.
func parseRule(t *testing.T, text string) *meshv1.CallRule {
	t.Helper()
	said := &meshv1.CallRule{}
	if err := protojson.Unmarshal([]byte(text), said); err != nil {
		t.Fatal(err)
	}
	return said
}

func TestACallFallsUnderItsRule(t *testing.T) {
	for _, one := range callRules(t) {
		t.Run(one.Name, func(t *testing.T) {
			var said []*meshv1.CallRule
			for number, text := range one.Rules {
				rule := parseRule(t, string(text))
				rule.Timeout = durationpb.New(time.Duration(number+1) * time.Second) // which tells it from the others
				said = append(said, rule)
			}
			rules, err := newRules(said, true)
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range one.Calls {
				ctx := t.Context()
				for _, pair := range call.Metadata {
					ctx = metadata.AppendToOutgoingContext(ctx, pair[0], pair[1])
				}
				var want time.Duration
				if call.Rule != nil {
					want = time.Duration(*call.Rule+1) * time.Second
				}
				if got := rules.find(ctx, call.Path).timeout; got != want {
					t.Errorf("%s with %v: got the rule with %s, want that with %s", call.Path, call.Metadata, got, want)
				}
			}
		})
	}
}

func TestWhatNoCallCanBeComparedWithIsRefused(t *testing.T) {
	for _, match := range []string{
		`{"pathComparison": "COMPARISON_REGEX", "path": "("}`,
		`{"pathComparison": 99}`,
		`{}`,
		`{"pathComparison": "COMPARISON_PREFIX", "headers": [{"name": "a"}]}`,
	} {
		if _, err := newRules([]*meshv1.CallRule{parseRule(t, `{"match": `+match+`}`)}, true); err == nil {
			t.Errorf("%s is taken", match)
		}
	}
}

const retrying = `{
	"match": {"pathComparison": "COMPARISON_PREFIX"}, "timeout": "2s", "attemptTimeout": "0.5s",
	"retry": {"times": 3, "statuses": ["UNAVAILABLE", "SOMETHING_NEW"]}}`

func TestALimitOfAnAttemptMakesItsEndOneToTryAgainAfter(t *testing.T) {
	made := newRule(parseRule(t, retrying), true)
	if made.timeout != 2*time.Second || made.attemptTimeout != 500*time.Millisecond || made.retries != 3 {
		t.Errorf("got %+v", made)
	}
	if want := []codes.Code{codes.Unavailable, codes.DeadlineExceeded}; !slices.Equal(made.codes, want) {
		t.Errorf("got %v, want %v", made.codes, want)
	}
}

func TestWhereGRPCItselfTriesAgainOnlyTheTimeIsLimited(t *testing.T) {
	if made := newRule(parseRule(t, retrying), false); made.timeout != 2*time.Second || !made.isOneAttempt() {
		t.Errorf("got %+v", made)
	}
}
