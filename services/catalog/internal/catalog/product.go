package catalog

// This file owns what a product is, and what makes one valid.

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Product is one thing that the shop sells.
type Product struct {
	ID          string // a slug, see [IsSlug]
	Name        string
	Description string
	Price       Money    // of one piece, without tax
	Category    string   // a slug
	Picture     string   // a path relative to where the shop serves pictures
	Tags        []string // slugs, in alphabetical order, each once
}

// maxSlug is the most characters of a slug; the contract has the same limit for ids and categories.
const maxSlug = 64

var slug = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// IsSlug says whether text can be the id of a product or the name of a category: small letters and digits in groups
// joined by single hyphens, at most 64 characters. What is no slug never reaches the store.
func IsSlug(text string) bool {
	return len(text) <= maxSlug && slug.MatchString(text)
}

// Validate returns all that is wrong with the product, joined, or nil.
func (p Product) Validate() error {
	var wrong []error
	refuse := func(format string, values ...any) {
		wrong = append(wrong, fmt.Errorf("product %q: "+format, append([]any{p.ID}, values...)...))
	}
	if !IsSlug(p.ID) {
		refuse("id: expected a slug")
	}
	if strings.TrimSpace(p.Name) == "" {
		refuse("name: expected some text, found none")
	}
	if strings.TrimSpace(p.Description) == "" {
		refuse("description: expected some text, found none")
	}
	if p.Price < 0 {
		refuse("price: expected no less than zero, found %s", p.Price)
	}
	if !IsSlug(p.Category) {
		refuse("category: expected a slug, found %q", p.Category)
	}
	if p.Picture == "" || path.IsAbs(p.Picture) || path.Clean(p.Picture) != p.Picture {
		refuse("picture: expected a relative path, found %q", p.Picture)
	}
	for _, tag := range p.Tags {
		if !IsSlug(tag) {
			refuse("tags: expected slugs, found %q", tag)
		}
	}
	if !slices.IsSorted(p.Tags) || len(slices.Compact(slices.Clone(p.Tags))) != len(p.Tags) {
		refuse("tags: expected alphabetical order and each once, found %q", p.Tags)
	}
	return errors.Join(wrong...)
}
