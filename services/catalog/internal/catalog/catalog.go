package catalog

// This file owns the questions that the shop answers, and what a store has to be able to do for them.

import (
	"context"
	"fmt"
)

// DefaultPageSize is how many products a page has when the caller leaves it open.
const DefaultPageSize = 20

// Store keeps the products. Every method returns an error that wraps [ErrStoreUnavailable] when the store cannot be
// reached or does not answer in time. All text that it is given is valid and free of NUL.
type Store interface {
	// Product returns the product of that id, or an error that wraps [ErrProductNotFound].
	Product(ctx context.Context, id string) (Product, error)
	// Products returns those products of the ids that exist, in any order.
	Products(ctx context.Context, ids []string) ([]Product, error)
	// List returns the first products behind the position, by id, at most limit; all of them of the category unless it
	// is empty.
	List(ctx context.Context, category string, after Position, limit int) ([]Product, error)
	// Search returns the first products behind the position that hold every one of the words, which are separated by
	// blanks: highest score first, equal scores by id, at most limit.
	Search(ctx context.Context, words string, after Position, limit int) ([]Match, error)
}

// Position is the place of a product in a list: pages start behind one. The zero Position is the start.
type Position struct {
	Score int64  `json:"score,omitempty"` // how well it fits, above 0; only in a search
	ID    string `json:"id"`
}

// Match is a product that a search found, and how well it fits: above 0, the higher the better.
type Match struct {
	Product
	Score int64
}

// Page is a part of a list, and the token that asks for what comes behind it: empty when nothing does.
type Page struct {
	Products []Product
	Next     string
}

// Catalog answers questions about the products of a store. It keeps no state of its own.
type Catalog struct{ store Store }

// New returns a catalog of what the store keeps.
func New(store Store) *Catalog { return &Catalog{store} }

// Get returns the product of that id, or an error that wraps [ErrProductNotFound].
func (c *Catalog) Get(ctx context.Context, id string) (Product, error) {
	if !IsSlug(id) {
		return Product{}, fmt.Errorf("%w: %q", ErrProductNotFound, id)
	}
	return c.store.Product(ctx, id)
}

// BatchGet returns the products of the ids and the ids that no product has, both in the order of the ids.
func (c *Catalog) BatchGet(ctx context.Context, ids []string) (found []Product, missing []string, err error) {
	known := make([]string, 0, len(ids))
	for _, id := range ids {
		if IsSlug(id) {
			known = append(known, id)
		}
	}
	products, err := c.store.Products(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	byID := make(map[string]Product, len(products))
	for _, product := range products {
		byID[product.ID] = product
	}
	for _, id := range ids {
		if product, ok := byID[id]; ok {
			found = append(found, product)
		} else {
			missing = append(missing, id)
		}
	}
	return found, missing, nil
}

// List returns a page of the products in the order of their ids: those of one category, or all if it is empty. A
// category that no product has is an empty page. A size of 0 is [DefaultPageSize]. The error wraps [ErrPageToken] when
// the token is of another question.
func (c *Catalog) List(ctx context.Context, category string, size int, token string) (Page, error) {
	asked := question{List: "list", Filter: category}
	after, err := start(asked, token)
	if err != nil || category != "" && !IsSlug(category) {
		return Page{}, err
	}
	size = pageSize(size)
	products, err := c.store.List(ctx, category, after, size+1)
	if err != nil || len(products) <= size {
		return Page{Products: products}, err
	}
	products = products[:size]
	return Page{Products: products, Next: encodeToken(asked, Position{ID: products[size-1].ID})}, nil
}

// Search returns a page of the products whose name, description, category or tags hold every word of the query, best
// match first. Accents and case make no difference, and a word also finds the longer words that begin with it. The
// error wraps [ErrQuery] when the query holds no word, and [ErrPageToken] when the token is of another question.
func (c *Catalog) Search(ctx context.Context, query string, size int, token string) (Page, error) {
	words, err := searchWords(query)
	if err != nil {
		return Page{}, err
	}
	asked := question{List: "search", Filter: query}
	after, err := start(asked, token)
	if err != nil {
		return Page{}, err
	}
	size = pageSize(size)
	matches, err := c.store.Search(ctx, words, after, size+1)
	if err != nil {
		return Page{}, err
	}
	var page Page
	if len(matches) > size {
		matches = matches[:size]
		page.Next = encodeToken(asked, Position{Score: matches[size-1].Score, ID: matches[size-1].ID})
	}
	for _, match := range matches {
		page.Products = append(page.Products, match.Product)
	}
	return page, nil
}

// start returns the position that a page begins behind.
func start(asked question, token string) (Position, error) {
	if token == "" {
		return Position{}, nil
	}
	return decodeToken(asked, token)
}

func pageSize(asked int) int {
	if asked == 0 {
		return DefaultPageSize
	}
	return asked
}
