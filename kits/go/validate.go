package kit

// This file owns the check of every request against the rules that its contract holds (buf.validate), before a handler
// sees it.

import (
	"errors"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

const (
	// largeMessage is how many bytes a message has of which only the first violation is looked for: a hostile one could
	// keep a processor busy for seconds.
	largeMessage = 4 << 10
	// mostViolations is how many are told, since clients refuse an answer whose details are too large.
	mostViolations = 20
)

// checks holds the rules of all contracts, compiled as they are first needed.
type checks struct{ validator protovalidate.Validator }

func newChecks() (checks, error) {
	validator, err := protovalidate.New()
	return checks{validator}, err
}

// message returns nil, or an *Error that names each bad field. What is no protobuf message has no rules.
func (c checks) message(received any) error {
	message, ok := received.(proto.Message)
	if !ok {
		return nil
	}
	var options []protovalidate.ValidationOption
	if proto.Size(message) > largeMessage {
		options = append(options, protovalidate.WithFailFast())
	}
	err := c.validator.Validate(message, options...)
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) {
		return err
	}
	fields := make([]Field, min(len(invalid.Violations), mostViolations))
	for i, violation := range invalid.Violations[:len(fields)] {
		fields[i] = Field{
			Path:        protovalidate.FieldPathString(violation.Proto.GetField()),
			Description: violation.Proto.GetMessage(),
		}
	}
	return NewError(codes.InvalidArgument, "INVALID_REQUEST", "invalid request", fields...)
}
