package kit

// This file owns the one error vocabulary: what an adapter returns, and what its caller gets to see of it.

import (
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
)

// Error is a failure that a caller may know of. An adapter returns it; the caller gets a google.rpc.Status with an
// ErrorInfo whose domain is the package of the contract, and a BadRequest when there are Fields.
type Error struct {
	// Code is the status of the call.
	Code codes.Code
	// Reason says in UPPER_SNAKE what went wrong, for programs.
	Reason string
	// Message says it for people.
	Message string
	// Fields are the fields of the request that are to blame.
	Fields []Field
	// Metadata tells more, for programs.
	Metadata map[string]string
}

// Field is one field of a request and what is wrong with it.
type Field struct {
	// Path is where the field is in the request, such as items[0].quantity.
	Path string
	// Description says what is wrong with it.
	Description string
}

// NewError returns an Error without metadata.
func NewError(code codes.Code, reason, message string, fields ...Field) *Error {
	return &Error{Code: code, Reason: reason, Message: message, Fields: fields}
}

// Error returns the reason and the message.
func (e *Error) Error() string { return e.Reason + ": " + e.Message }

// toStatus is what a caller of a contract of this package gets to see of the error.
func (e *Error) toStatus(domain string) *status.Status {
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: e.Reason, Domain: domain, Metadata: e.Metadata}}
	if len(e.Fields) > 0 {
		request := &errdetails.BadRequest{}
		for _, field := range e.Fields {
			request.FieldViolations = append(request.FieldViolations,
				&errdetails.BadRequest_FieldViolation{Field: field.Path, Description: field.Description})
		}
		details = append(details, request)
	}
	plain := status.New(e.Code, e.Message)
	detailed, err := plain.WithDetails(details...)
	if err != nil { // only for OK, which has no details
		return plain
	}
	return detailed
}

// domainOf returns the domain of errors of a method: shop.catalog.v1 for /shop.catalog.v1.CatalogService/GetProduct.
func domainOf(method string) string {
	contract, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	return contract[:max(strings.LastIndex(contract, "."), 0)]
}
