package postgres_test

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/gossamer-mesh/gossamer/services/catalog/internal/catalog"
)

func TestAProductComesBackAsItWasLoaded(t *testing.T) {
	store := open(t, server.Database(t), products(t))
	for _, expected := range products(t) {
		found, err := store.Product(limited(t), expected.ID)
		if err != nil || !reflect.DeepEqual(found, expected) {
			t.Errorf("expected %+v, found %+v, %v", expected, found, err)
		}
	}
}

func TestAnUnknownProductIsNotFound(t *testing.T) {
	store := open(t, server.Database(t), products(t))
	if _, err := store.Product(limited(t), "brass-desk-lamb"); !errors.Is(err, catalog.ErrProductNotFound) {
		t.Errorf("expected ErrProductNotFound, found %v", err)
	}
}

func TestABatchHoldsWhatExists(t *testing.T) {
	shop := catalog.New(open(t, server.Database(t), products(t)))
	asked := []string{"string-lights-20m", "no-such-thing", "alpaca-throw", "NOT A SLUG\x00"}
	found, missing, err := shop.BatchGet(limited(t), asked)
	if err != nil {
		t.Fatal(err)
	}
	if ids := idsOf(found); !slices.Equal(ids, []string{"string-lights-20m", "alpaca-throw"}) {
		t.Errorf("found %q", ids)
	}
	if !slices.Equal(missing, []string{"no-such-thing", "NOT A SLUG\x00"}) {
		t.Errorf("missing %q", missing)
	}
}

func TestPagesOfAnySizeHoldEachProductOnceInOrder(t *testing.T) {
	shop := catalog.New(open(t, server.Database(t), products(t)))
	var all, kitchen []string
	for _, p := range products(t) {
		all = append(all, p.ID)
		if p.Category == "kitchen" {
			kitchen = append(kitchen, p.ID)
		}
	}
	slices.Sort(all)
	slices.Sort(kitchen)
	for size := range 101 {
		for category, expected := range map[string][]string{"": all, "kitchen": kitchen, "boats": nil} {
			read := readAll(t, size, func(token string) (catalog.Page, error) {
				return shop.List(limited(t), category, size, token)
			})
			if !slices.Equal(read, expected) {
				t.Fatalf("size %d, category %q: expected %q, found %q", size, category, expected, read)
			}
		}
	}
}

func TestPagesOfASearchHoldWhatTheContractSaysInAStableOrder(t *testing.T) {
	all := products(t)
	shop := catalog.New(open(t, server.Database(t), all))
	for _, query := range []string{
		"lamp", "brass", "Brass LAMP", "creme brulee", "CRÈME", "café", "wood", "usb-c", "50", "a", "oak desk", "lamp lamp",
		"garden lights rain", "kitchen", "nothing-like-it",
	} {
		expected := modelSearch(all, query)
		for _, size := range []int{1, 2, 3, 7, 0, 100} {
			read := readAll(t, size, func(token string) (catalog.Page, error) {
				return shop.Search(limited(t), query, size, token)
			})
			if !slices.Equal(read, expected) {
				t.Fatalf("%q, size %d: expected %q, found %q", query, size, expected, read)
			}
		}
	}
}

func TestASearchFindsWords(t *testing.T) {
	url := server.Database(t)
	shop := catalog.New(open(t, url, nil))
	add := func(id, name string) {
		execute(t, connect(t, url), `INSERT INTO products (id, name, description, price_minor, category, picture, tags)
			VALUES ($1, $2, 'Plain.', 100, 'things', 'p.jpg', '{}')`, id, name)
	}
	add("broth", "Smørrebrød & Æbleskiver")
	add("street", "Große Straße")
	add("greek", "ΛΆΜΠΑ")
	add("cyrillic", "Ёлка")
	add("wide", "ＵＳＢ３ cable")
	for query, expected := range map[string][]string{
		"smorrebrod": {"broth"}, "æble": {"broth"}, "AEBLE": {"broth"}, "strasse grosse": {"street"}, "STRASSE": {"street"},
		"λαμπα": {"greek"}, "елка": {"cyrillic"}, "usb3": {"wide"}, "plain -- ' & ! : * <-> \\ ( |": {
			"broth", "cyrillic", "greek", "street", "wide"},
		"plain\x00": {"broth", "cyrillic", "greek", "street", "wide"}, "lain": nil, "plain gold": nil,
		strings.Repeat("ﷲ", 200): nil, strings.Repeat("ﷺ", 200): nil, "½": nil, strings.Repeat("z ", 100): nil,
	} {
		page, err := shop.Search(limited(t), query, 0, "")
		if ids := idsOf(page.Products); err != nil || !slices.Equal(ids, expected) {
			t.Errorf("%q: expected %q, found %q, %v", query, expected, ids, err)
		}
	}
}

func TestAProductIsFoundByItsNewWordsAfterAChangeWithSQL(t *testing.T) {
	url := server.Database(t)
	shop := catalog.New(open(t, url, products(t)))
	execute(t, connect(t, url), `UPDATE products SET name = 'Zeppelin', price_minor = 5 WHERE id = 'alpaca-throw'`)
	page, err := shop.Search(limited(t), "zeppelin", 0, "")
	if err != nil || len(page.Products) != 1 || page.Products[0].Price != 5 {
		t.Errorf("found %+v, %v", page, err)
	}
}

func TestTheDatabaseRefusesWhatIsNoProduct(t *testing.T) {
	url := server.Database(t)
	open(t, url, products(t))
	connection := connect(t, url)
	for _, change := range []string{
		`price_minor = -1`, `id = 'Not a slug'`, `category = ''`, `currency = 'USD'`, `name = ''`, `tags = NULL`,
	} {
		if _, err := connection.Exec(limited(t), `UPDATE products SET `+change+` WHERE id = 'alpaca-throw'`); err == nil {
			t.Errorf("%s: expected a refusal", change)
		}
	}
}

// readAll reads page after page and returns the ids.
func readAll(t *testing.T, size int, next func(token string) (catalog.Page, error)) (ids []string) {
	t.Helper()
	if size == 0 {
		size = catalog.DefaultPageSize
	}
	for token := ""; ; {
		page, err := next(token)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Products) > size || page.Next != "" && len(page.Products) != size {
			t.Fatalf("a page of size %d holds %d products", size, len(page.Products))
		}
		ids = append(ids, idsOf(page.Products)...)
		if page.Next == "" {
			return ids
		}
		token = page.Next
	}
}

func idsOf(products []catalog.Product) (ids []string) {
	for _, p := range products {
		ids = append(ids, p.ID)
	}
	return ids
}

// modelSearch says in Go what a search has to find: the ids, best match first.
func modelSearch(all []catalog.Product, query string) (ids []string) {
	scores := map[string]int{}
	for _, p := range all {
		if score := modelScore(p, modelWords(query)); score > 0 {
			scores[p.ID] = score
			ids = append(ids, p.ID)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a, b)) })
	return ids
}

// modelScore is the sum over the words of the best place that each stands in; 0 when one stands nowhere.
func modelScore(p catalog.Product, words []string) (sum int) {
	places := [][]string{
		modelWords(p.Name), modelWords(p.Category + " " + strings.Join(p.Tags, " ")), modelWords(p.Description),
	}
	for _, word := range words {
		best := 0
		for i, place := range places {
			for _, candidate := range place {
				if candidate == word {
					best = max(best, 6-2*i)
				} else if strings.HasPrefix(candidate, word) {
					best = max(best, 5-2*i)
				}
			}
		}
		if best == 0 {
			return 0
		}
		sum += best
	}
	return sum
}

func modelWords(text string) []string {
	var plain []rune
	for _, r := range norm.NFKD.String(text) {
		if !unicode.IsMark(r) {
			plain = append(plain, unicode.ToLower(r))
		}
	}
	words := strings.FieldsFunc(string(plain), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	slices.Sort(words)
	return slices.Compact(words)
}
