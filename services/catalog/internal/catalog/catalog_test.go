package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// memory is a store of products with a name of one word, in the order of their ids, and of a search that any product
// with the word as a tag fits, better the later its tag. It fails with err, unless that is nil.
type memory struct {
	products []Product
	err      error
	asked    []string // the ids that came to the store
}

func (m *memory) Product(_ context.Context, id string) (Product, error) {
	m.asked = append(m.asked, id)
	if i := slices.IndexFunc(m.products, func(p Product) bool { return p.ID == id }); i >= 0 {
		return m.products[i], m.err
	}
	return Product{}, fmt.Errorf("%w: %q", ErrProductNotFound, id)
}

func (m *memory) Products(_ context.Context, ids []string) (found []Product, err error) {
	m.asked = append(m.asked, ids...)
	for _, p := range m.products {
		if slices.Contains(ids, p.ID) {
			found = append(found, p)
		}
	}
	return found, m.err
}

func (m *memory) List(_ context.Context, category string, after Position, limit int) (found []Product, err error) {
	for _, p := range m.products {
		if p.ID > after.ID && (category == "" || p.Category == category) && len(found) < limit {
			found = append(found, p)
		}
	}
	return found, m.err
}

func (m *memory) Search(_ context.Context, words string, after Position, limit int) (found []Match, err error) {
	for score := int64(3); score > 0; score-- {
		for _, p := range m.products {
			behind := after.Score == 0 || score < after.Score || score == after.Score && p.ID > after.ID
			if behind && int64(slices.Index(p.Tags, words)+1) == score && len(found) < limit {
				found = append(found, Match{p, score})
			}
		}
	}
	return found, m.err
}

func newMemory() *memory {
	m := &memory{}
	for i := range 45 {
		m.products = append(m.products, Product{
			ID: fmt.Sprintf("p%02d", i), Category: []string{"odd", "even"}[i%2],
			Tags: []string{"a", "b", "c", "a", "b"}[i%3 : i%3+3],
		})
	}
	return m
}

var ctx = context.Background()

func TestEveryPageSizeReadsEachProductOnceInOrder(t *testing.T) {
	shop := New(newMemory())
	all := []string{}
	for i := range 45 {
		all = append(all, fmt.Sprintf("p%02d", i))
	}
	for size := 1; size <= 50; size++ {
		if read := readAll(t, func(token string) (Page, error) { return shop.List(ctx, "", size, token) }); !slices.Equal(read, all) {
			t.Errorf("list of size %d: found %q", size, read)
		}
		read := readAll(t, func(token string) (Page, error) { return shop.Search(ctx, "a", size, token) })
		first := read[0]
		slices.Sort(read)
		if !slices.Equal(read, all) || first != "p01" {
			t.Errorf("search of size %d: found %q, %q first", size, read, first)
		}
	}
}

func TestAPageSizeOfZeroIsTwenty(t *testing.T) {
	if page, err := New(newMemory()).List(ctx, "", 0, ""); err != nil || len(page.Products) != 20 {
		t.Errorf("found %d, %v", len(page.Products), err)
	}
}

func TestAPageMayHaveAnotherSizeThanTheOneBefore(t *testing.T) {
	shop := New(newMemory())
	page, err := shop.List(ctx, "", 3, "")
	if err != nil {
		t.Fatal(err)
	}
	if page, err = shop.List(ctx, "", 5, page.Next); err != nil || page.Products[0].ID != "p03" || len(page.Products) != 5 {
		t.Errorf("found %+v, %v", page, err)
	}
}

func TestATokenOfAnotherListIsRefused(t *testing.T) {
	shop := New(newMemory())
	list, err := shop.List(ctx, "odd", 3, "")
	if err != nil {
		t.Fatal(err)
	}
	search, err := shop.Search(ctx, "a", 3, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() (Page, error){
		"another category":   func() (Page, error) { return shop.List(ctx, "even", 3, list.Next) },
		"no category":        func() (Page, error) { return shop.List(ctx, "", 3, list.Next) },
		"a category of junk": func() (Page, error) { return shop.List(ctx, "\x00", 3, list.Next) },
		"a search":           func() (Page, error) { return shop.Search(ctx, "odd", 3, list.Next) },
		"another search":     func() (Page, error) { return shop.Search(ctx, "b", 3, search.Next) },
		"a list":             func() (Page, error) { return shop.List(ctx, "a", 3, search.Next) },
		"junk":               func() (Page, error) { return shop.List(ctx, "", 3, "junk") },
	} {
		if _, err := ask(); !errors.Is(err, ErrPageToken) {
			t.Errorf("%s: expected ErrPageToken, found %v", name, err)
		}
	}
}

func TestAnUnknownCategoryIsAnEmptyPage(t *testing.T) {
	for _, category := range []string{"boats", "Not A Slug", "\x00"} {
		if page, err := New(newMemory()).List(ctx, category, 3, ""); err != nil || len(page.Products) != 0 || page.Next != "" {
			t.Errorf("%q: found %+v, %v", category, page, err)
		}
	}
}

func TestABatchKeepsTheOrderAndNamesWhatIsMissing(t *testing.T) {
	found, missing, err := New(newMemory()).BatchGet(ctx, []string{"p07", "none", "p03", "Not A Slug", "p11"})
	if err != nil || !slices.Equal(missing, []string{"none", "Not A Slug"}) {
		t.Errorf("missing %q, %v", missing, err)
	}
	if ids := idsOf(found); !slices.Equal(ids, []string{"p07", "p03", "p11"}) {
		t.Errorf("found %q", ids)
	}
}

func TestWhatIsNoSlugNeverReachesTheStore(t *testing.T) {
	store := newMemory()
	shop := New(store)
	for _, id := range []string{"", "\x00", "a\xff", "A", strings.Repeat("a", 65)} {
		if _, err := shop.Get(ctx, id); !errors.Is(err, ErrProductNotFound) {
			t.Errorf("%q: expected ErrProductNotFound, found %v", id, err)
		}
		if _, missing, err := shop.BatchGet(ctx, []string{id}); err != nil || !slices.Equal(missing, []string{id}) {
			t.Errorf("%q: missing %q, %v", id, missing, err)
		}
	}
	if len(store.asked) > 0 {
		t.Errorf("the store was asked for %q", store.asked)
	}
}

func TestAnErrorOfTheStoreComesOutOfEveryQuestion(t *testing.T) {
	store := newMemory()
	store.err = fmt.Errorf("%w: cable pulled", ErrStoreUnavailable)
	shop := New(store)
	for name, ask := range map[string]func() error{
		"Get":      func() error { _, err := shop.Get(ctx, "p01"); return err },
		"BatchGet": func() error { _, _, err := shop.BatchGet(ctx, []string{"p01"}); return err },
		"List":     func() error { _, err := shop.List(ctx, "", 0, ""); return err },
		"Search":   func() error { _, err := shop.Search(ctx, "a", 0, ""); return err },
	} {
		if err := ask(); !errors.Is(err, ErrStoreUnavailable) {
			t.Errorf("%s: expected ErrStoreUnavailable, found %v", name, err)
		}
	}
}

// readAll reads page after page and returns the ids.
func readAll(t *testing.T, next func(token string) (Page, error)) (ids []string) {
	t.Helper()
	for token := ""; ; {
		page, err := next(token)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, idsOf(page.Products)...)
		if page.Next == "" {
			return ids
		}
		token = page.Next
	}
}

func idsOf(products []Product) (ids []string) {
	for _, p := range products {
		ids = append(ids, p.ID)
	}
	return ids
}
