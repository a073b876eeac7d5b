// Package data is what the shop sells when it opens: the products that a new database begins with.
//
// After that the database is what counts; a change here does not reach one that has been loaded before.
package data

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gossamer-mesh/gossamer/services/catalog/internal/catalog"
)

//go:embed products.json
var products []byte

// Products returns the products of products.json, checked; the error names everything that is wrong with them.
func Products() ([]catalog.Product, error) { return parse(products) }

func parse(text []byte) ([]catalog.Product, error) {
	var file struct {
		Currency string
		Products []struct {
			ID, Name, Description string
			PriceMinor            int64 `json:"price_minor"` // cents
			Category, Picture     string
			Tags                  []string
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("products.json: %w", err)
	}
	if file.Currency != catalog.Currency {
		return nil, fmt.Errorf("products.json: currency: expected %s, found %q", catalog.Currency, file.Currency)
	}
	var wrong []error
	read := make([]catalog.Product, len(file.Products))
	seen := map[string]bool{}
	for i, p := range file.Products {
		read[i] = catalog.Product{
			ID: p.ID, Name: p.Name, Description: p.Description, Price: catalog.Money(p.PriceMinor),
			Category: p.Category, Picture: p.Picture, Tags: p.Tags,
		}
		if err := read[i].Validate(); err != nil {
			wrong = append(wrong, err)
		}
		if seen[p.ID] {
			wrong = append(wrong, fmt.Errorf("product %q: id: expected each once, found it again", p.ID))
		}
		seen[p.ID] = true
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("products.json: %w", errors.Join(wrong...))
	}
	return read, nil
}
