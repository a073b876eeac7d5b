// Package rpc is the adapter: it serves shop.catalog.v1 from the domain, one method an RPC.
//
// It only translates, requests and products here, errors in errors.go. What the contract's own rules refuse, the kit
// refuses before it comes here.
package rpc

import (
	"context"

	"google.golang.org/genproto/googleapis/type/money"

	catalogv1 "github.com/gossamer-mesh/gossamer/gen/go/shop/catalog/v1"
	"github.com/gossamer-mesh/gossamer/services/catalog/internal/catalog"
)

// Server serves the contract shop.catalog.v1.CatalogService.
type Server struct {
	catalogv1.UnimplementedCatalogServiceServer
	catalog *catalog.Catalog
}

// NewServer returns a server of the products of the catalog.
func NewServer(c *catalog.Catalog) *Server { return &Server{catalog: c} }

// ListProducts implements the contract.
func (s *Server) ListProducts(
	ctx context.Context, request *catalogv1.ListProductsRequest,
) (*catalogv1.ListProductsResponse, error) {
	page, err := s.catalog.List(ctx, request.GetCategory(), int(request.GetPageSize()), request.GetPageToken())
	if err != nil {
		return nil, translate(err)
	}
	return &catalogv1.ListProductsResponse{Products: products(page.Products), NextPageToken: page.Next}, nil
}

// GetProduct implements the contract.
func (s *Server) GetProduct(
	ctx context.Context, request *catalogv1.GetProductRequest,
) (*catalogv1.GetProductResponse, error) {
	found, err := s.catalog.Get(ctx, request.GetId())
	if err != nil {
		return nil, translate(err)
	}
	return &catalogv1.GetProductResponse{Product: product(found)}, nil
}

// BatchGetProducts implements the contract.
func (s *Server) BatchGetProducts(
	ctx context.Context, request *catalogv1.BatchGetProductsRequest,
) (*catalogv1.BatchGetProductsResponse, error) {
	found, missing, err := s.catalog.BatchGet(ctx, request.GetIds())
	if err != nil {
		return nil, translate(err)
	}
	return &catalogv1.BatchGetProductsResponse{Products: products(found), MissingIds: missing}, nil
}

// SearchProducts implements the contract.
func (s *Server) SearchProducts(
	ctx context.Context, request *catalogv1.SearchProductsRequest,
) (*catalogv1.SearchProductsResponse, error) {
	page, err := s.catalog.Search(ctx, request.GetQuery(), int(request.GetPageSize()), request.GetPageToken())
	if err != nil {
		return nil, translate(err)
	}
	return &catalogv1.SearchProductsResponse{Products: products(page.Products), NextPageToken: page.Next}, nil
}

func products(found []catalog.Product) []*catalogv1.Product {
	translated := make([]*catalogv1.Product, len(found))
	for i, p := range found {
		translated[i] = product(p)
	}
	return translated
}

func product(p catalog.Product) *catalogv1.Product {
	units, nanos := p.Price.Units()
	return &catalogv1.Product{
		Id:          p.ID,
		Name:        p.Name,
		Description: p.Description,
		Price:       &money.Money{CurrencyCode: catalog.Currency, Units: units, Nanos: nanos},
		Category:    p.Category,
		Picture:     p.Picture,
		Tags:        p.Tags,
	}
}
