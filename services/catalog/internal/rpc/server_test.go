package rpc

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	catalogv1 "github.com/gossamer-mesh/gossamer/gen/go/shop/catalog/v1"
	kit "github.com/gossamer-mesh/gossamer/kits/go"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/catalog"
)

var lamp = catalog.Product{
	ID: "brass-desk-lamp", Name: "Brass Desk Lamp", Description: "Dims.", Price: 12905, Category: "lighting",
	Picture: "products/brass-desk-lamp.jpg", Tags: []string{"brass", "lamp"},
}

var lampMessage = &catalogv1.Product{
	Id: "brass-desk-lamp", Name: "Brass Desk Lamp", Description: "Dims.", Category: "lighting",
	Price:   &money.Money{CurrencyCode: "EUR", Units: 129, Nanos: 50_000_000},
	Picture: "products/brass-desk-lamp.jpg", Tags: []string{"brass", "lamp"},
}

// store has the lamp only, or fails with err.
type store struct{ err error }

func (s store) Product(_ context.Context, id string) (catalog.Product, error) {
	if s.err == nil && id != lamp.ID {
		return catalog.Product{}, fmt.Errorf("%w: %q", catalog.ErrProductNotFound, id)
	}
	return lamp, s.err
}

func (s store) Products(context.Context, []string) ([]catalog.Product, error) {
	return []catalog.Product{lamp}, s.err
}

func (s store) List(context.Context, string, catalog.Position, int) ([]catalog.Product, error) {
	return []catalog.Product{lamp, lamp}, s.err
}

func (s store) Search(context.Context, string, catalog.Position, int) ([]catalog.Match, error) {
	return []catalog.Match{{Product: lamp, Score: 1}, {Product: lamp, Score: 1}}, s.err
}

var ctx = context.Background()

func serverOf(err error) *Server { return NewServer(catalog.New(store{err})) }

func TestEveryMethodAnswersInTheWordsOfTheContract(t *testing.T) {
	server := serverOf(nil)
	one, err := server.GetProduct(ctx, &catalogv1.GetProductRequest{Id: lamp.ID})
	if err != nil || !proto.Equal(one.GetProduct(), lampMessage) {
		t.Errorf("GetProduct: found %v, %v", one, err)
	}
	many, err := server.BatchGetProducts(ctx, &catalogv1.BatchGetProductsRequest{Ids: []string{"none", lamp.ID}})
	expected := &catalogv1.BatchGetProductsResponse{Products: []*catalogv1.Product{lampMessage}, MissingIds: []string{"none"}}
	if err != nil || !proto.Equal(many, expected) {
		t.Errorf("BatchGetProducts: found %v, %v", many, err)
	}
	list, err := server.ListProducts(ctx, &catalogv1.ListProductsRequest{PageSize: 1})
	if err != nil || len(list.GetProducts()) != 1 || !proto.Equal(list.GetProducts()[0], lampMessage) || list.GetNextPageToken() == "" {
		t.Errorf("ListProducts: found %v, %v", list, err)
	}
	search, err := server.SearchProducts(ctx, &catalogv1.SearchProductsRequest{Query: "lamp", PageSize: 1})
	if err != nil || len(search.GetProducts()) != 1 || !proto.Equal(search.GetProducts()[0], lampMessage) || search.GetNextPageToken() == "" {
		t.Errorf("SearchProducts: found %v, %v", search, err)
	}
}

func TestWhatACallerMayKnowOf(t *testing.T) {
	away := fmt.Errorf("%w: dial 10.0.0.7", catalog.ErrStoreUnavailable)
	list := func(token string) func(*Server) error {
		return func(s *Server) error {
			_, err := s.ListProducts(ctx, &catalogv1.ListProductsRequest{PageToken: token})
			return err
		}
	}
	get := func(s *Server) error {
		_, err := s.GetProduct(ctx, &catalogv1.GetProductRequest{Id: "none"})
		return err
	}
	search := func(query, token string) func(*Server) error {
		return func(s *Server) error {
			_, err := s.SearchProducts(ctx, &catalogv1.SearchProductsRequest{Query: query, PageToken: token})
			return err
		}
	}
	batch := func(s *Server) error {
		_, err := s.BatchGetProducts(ctx, &catalogv1.BatchGetProductsRequest{Ids: []string{"none"}})
		return err
	}
	for name, check := range map[string]struct {
		call     func(*Server) error
		store    error
		expected *kit.Error
	}{
		"an unknown id": {get, nil, &kit.Error{
			Code: codes.NotFound, Reason: "PRODUCT_NOT_FOUND", Message: `no such product: "none"`}},
		"a wrong token for a list":   {list("junk"), nil, tokenError()},
		"a wrong token for a search": {search("lamp", "junk"), nil, tokenError()},
		"a query without words": {search("!?", ""), nil, &kit.Error{
			Code: codes.InvalidArgument, Reason: "INVALID_REQUEST", Message: "invalid request",
			Fields: []kit.Field{{Path: "query", Description: catalog.ErrQuery.Error()}}}},
		"no store for GetProduct":       {get, away, awayError()},
		"no store for BatchGetProducts": {batch, away, awayError()},
		"no store for ListProducts":     {list(""), away, awayError()},
		"no store for SearchProducts":   {search("lamp", ""), away, awayError()},
	} {
		found := new(kit.Error)
		if err := check.call(serverOf(check.store)); !errors.As(err, &found) || !reflect.DeepEqual(found, check.expected) {
			t.Errorf("%s: expected %+v, found %+v", name, check.expected, err)
		}
	}
}

func TestAnUnexpectedErrorIsLeftToTheKit(t *testing.T) {
	unexpected := errors.New("relation is gone")
	if _, err := serverOf(unexpected).GetProduct(ctx, &catalogv1.GetProductRequest{Id: "a"}); !errors.Is(err, unexpected) {
		t.Errorf("found %v", err)
	}
}

func tokenError() *kit.Error {
	return &kit.Error{
		Code: codes.InvalidArgument, Reason: "PAGE_TOKEN_INVALID", Message: catalog.ErrPageToken.Error(),
		Fields: []kit.Field{{Path: "page_token", Description: catalog.ErrPageToken.Error()}},
	}
}

func awayError() *kit.Error {
	return &kit.Error{Code: codes.Unavailable, Reason: "STORE_UNAVAILABLE", Message: "products can't be read now: try again"}
}
