package rpc

// This file owns how an error of the domain is told to a caller.

import (
	"errors"

	"google.golang.org/grpc/codes"

	kit "github.com/gossamer-mesh/gossamer/kits/go"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/catalog"
)

// translate says an error of the domain in the contract's words. Any other error stays what it is: the kit keeps its
// text from the caller. The cause of an absent store is in the log of the store, not in the answer.
func translate(err error) error {
	switch {
	case errors.Is(err, catalog.ErrProductNotFound):
		return kit.NewError(codes.NotFound, "PRODUCT_NOT_FOUND", err.Error())
	case errors.Is(err, catalog.ErrPageToken):
		return invalid("PAGE_TOKEN_INVALID", catalog.ErrPageToken.Error(), "page_token", catalog.ErrPageToken)
	case errors.Is(err, catalog.ErrQuery):
		return invalid("INVALID_REQUEST", "invalid request", "query", catalog.ErrQuery)
	case errors.Is(err, catalog.ErrStoreUnavailable):
		return kit.NewError(codes.Unavailable, "STORE_UNAVAILABLE", catalog.ErrStoreUnavailable.Error())
	}
	return err
}

func invalid(reason, message, field string, err error) error {
	return kit.NewError(codes.InvalidArgument, reason, message, kit.Field{Path: field, Description: err.Error()})
}
