package data

import (
	"strings"
	"testing"
)

func TestTheShopOpensWithEnoughToChooseFrom(t *testing.T) {
	products, err := Products()
	if err != nil {
		t.Fatal(err)
	}
	inCategory := map[string]int{}
	for _, p := range products {
		inCategory[p.Category]++
		if p.Price == 0 {
			t.Errorf("%s costs nothing", p.ID)
		}
	}
	if len(products) < 60 || len(inCategory) != 8 {
		t.Errorf("expected at least 60 products in 8 categories, found %d in %v", len(products), inCategory)
	}
}

func TestAFileThatIsWrongNamesAllThatIsWrong(t *testing.T) {
	good := `{"id": "a", "name": "A", "description": "A.", "price_minor": 1, "category": "c", "picture": "a.jpg", "tags": []}`
	bad := strings.NewReplacer(`1`, `-1`, `"c"`, `"C"`).Replace(good)
	_, err := parse([]byte(`{"currency": "EUR", "products": [` + good + `,` + good + `,` + bad + `]}`))
	if err == nil {
		t.Fatal("expected an error")
	}
	for _, expected := range []string{"expected each once", "found -0.01 EUR", `found "C"`} {
		if !strings.Contains(err.Error(), expected) {
			t.Errorf("expected %q in:\n%v", expected, err)
		}
	}
}

func TestAFileThatCannotBeReadIsRefused(t *testing.T) {
	for text, expected := range map[string]string{
		`{`:                   "unexpected EOF",
		`{"currency": "USD"}`: `expected EUR, found "USD"`,
		`{"currency": "EUR", "products": [{"price": 4.5}]}`:         `unknown field "price"`,
		`{"currency": "EUR", "products": [{"price_minor": 4.5}]}`:   "4.5",
		`{"currency": "EUR", "products": [{"price_minor": "450"}]}`: "string",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("%s: expected %q, found %v", text, expected, err)
		}
	}
}
