package catalog

// This file owns the errors of the domain.

import "errors"

// Every error of this package wraps one of these, so that a caller tells them apart with errors.Is:
//
//	ErrProductNotFound   no product has the id that was asked for
//	ErrPageToken         the page token was not given by the same question
//	ErrQuery             the query holds nothing that could be looked for
//	ErrStoreUnavailable  the store cannot be reached or did not answer in time; asking again later may help
//
// Anything else is a fault of this program or of its data.
var (
	ErrProductNotFound  = errors.New("no such product")
	ErrPageToken        = errors.New("page_token was not given by a call with these other fields")
	ErrQuery            = errors.New("query holds no word: expected at least one letter or digit")
	ErrStoreUnavailable = errors.New("products can't be read now: try again")
)
