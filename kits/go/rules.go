package kit

// This file owns which rule of a service's call policy a call falls under. It knows no stream, no clock and no call.
//
// Conditions hold as in gRPC's own xDS (gRFC A28), since a rule and a route are halves of the same entry: the values of
// a key are joined by commas, binary keys are never there, and of a key that isn't there only its absence can hold.

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	rpccode "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	meshv1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/mesh/v1"
)

// rule is what is done to some calls. A time of zero means that nobody says.
type rule struct {
	timeout        time.Duration // the longest that a call may take, all attempts together
	attemptTimeout time.Duration // the longest that one attempt of a unary call may take
	retries        int           // how often a unary call is tried again at most
	codes          []codes.Code  // after which statuses it is
}

// nothing is done to a call that no rule matches.
var nothing = &rule{}

// rules are those of one service.
type rules struct {
	all    []condition
	ofPath sync.Map // path -> []condition, those that can match it
}

// condition is what a call has to meet for a rule.
type condition struct {
	path    func(string) bool
	headers []header
	rule    *rule
}

// header is a condition on one key of the metadata.
type header struct {
	name   string
	holds  func(string) bool // nil: it is there
	invert bool
}

// newRules fails on what no call could be compared with. Unless carriesRetries, gRPC itself tries again, and knows
// attempts of any length.
func newRules(said []*meshv1.CallRule, carriesRetries bool) (*rules, error) {
	made := &rules{}
	for _, one := range said {
		path, err := comparing(one.GetMatch().GetPathComparison(), one.GetMatch().GetPath())
		if err != nil {
			return nil, err
		}
		headers, err := newHeaders(one.GetMatch().GetHeaders())
		if err != nil {
			return nil, err
		}
		made.all = append(made.all, condition{path, headers, newRule(one, carriesRetries)})
	}
	return made, nil
}

func newRule(said *meshv1.CallRule, carriesRetries bool) *rule {
	made := &rule{timeout: said.GetTimeout().AsDuration()}
	if !carriesRetries {
		return made
	}
	made.attemptTimeout, made.retries = said.GetAttemptTimeout().AsDuration(), int(said.GetRetry().GetTimes())
	for _, name := range said.GetRetry().GetStatuses() {
		if code, ok := rpccode.Code_value[name]; ok {
			made.codes = append(made.codes, codes.Code(code))
		}
	}
	if made.attemptTimeout > 0 { // it may have been the attempt's time that is over, and not the call's
		made.codes = append(made.codes, codes.DeadlineExceeded)
	}
	return made
}

func newHeaders(said []*meshv1.HeaderMatch) ([]header, error) {
	var made []header
	for _, one := range said {
		condition := header{name: one.GetName(), invert: one.GetInvert()}
		if one.GetComparison() != meshv1.Comparison_COMPARISON_PRESENT {
			holds, err := comparing(one.GetComparison(), one.GetValue())
			if err != nil {
				return nil, err
			}
			condition.holds = holds
		}
		made = append(made, condition)
	}
	return made, nil
}

func comparing(comparison meshv1.Comparison, value string) (func(string) bool, error) {
	switch comparison {
	case meshv1.Comparison_COMPARISON_EXACT:
		return func(text string) bool { return text == value }, nil
	case meshv1.Comparison_COMPARISON_PREFIX:
		return func(text string) bool { return strings.HasPrefix(text, value) }, nil
	case meshv1.Comparison_COMPARISON_SUFFIX:
		return func(text string) bool { return strings.HasSuffix(text, value) }, nil
	case meshv1.Comparison_COMPARISON_CONTAINS:
		return func(text string) bool { return strings.Contains(text, value) }, nil
	case meshv1.Comparison_COMPARISON_REGEX:
		pattern, err := regexp.Compile(`\A(?:` + value + `)\z`)
		if err != nil {
			return nil, fmt.Errorf("expected a regular expression of RE2, found %q: %w", value, err)
		}
		return pattern.MatchString, nil
	default:
		return nil, fmt.Errorf("expected a comparison that this kit knows, found %s", comparison)
	}
}

// find returns the first rule that a call matches, which is made in a context with its outgoing metadata. What can match
// a path is looked for once.
func (r *rules) find(ctx context.Context, path string) *rule {
	var values metadata.MD
	for _, one := range r.thatCanMatch(path) {
		if len(one.headers) == 0 {
			return one.rule
		}
		if values == nil {
			values, _ = metadata.FromOutgoingContext(ctx)
		}
		if !slices.ContainsFunc(one.headers, func(h header) bool { return !h.matches(values) }) {
			return one.rule
		}
	}
	return nothing
}

func (r *rules) thatCanMatch(path string) []condition {
	if known, ok := r.ofPath.Load(path); ok {
		return known.([]condition)
	}
	var found []condition
	for _, one := range r.all {
		if one.path(path) {
			found = append(found, one)
		}
	}
	r.ofPath.Store(path, found)
	return found
}

func (h header) matches(metadata metadata.MD) bool {
	values, there := metadata[h.name]
	switch {
	case h.name == "content-type": // part of what gRPC compares, whatever a caller says
		values, there = []string{"application/grpc"}, true
	case strings.HasSuffix(h.name, "-bin"):
		there = false
	}
	if h.holds == nil {
		return there != h.invert
	}
	return there && h.holds(strings.Join(values, ",")) != h.invert
}
