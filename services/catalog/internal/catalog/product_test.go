package catalog

import (
	"strings"
	"testing"
)

func TestASlug(t *testing.T) {
	for text, expected := range map[string]bool{
		"brass-desk-lamp": true, "a": true, "4": true, strings.Repeat("a", 64): true,
		"": false, "-a": false, "a-": false, "a--b": false, "A": false, "a b": false, "a\n": false, "é": false, "a\x00": false,
		strings.Repeat("a", 65): false,
	} {
		if IsSlug(text) != expected {
			t.Errorf("%q: expected %t", text, expected)
		}
	}
}

func TestAProductNamesAllThatIsWrongWithIt(t *testing.T) {
	wrong := Product{ID: "A", Name: " ", Price: -1, Category: "", Picture: "/a", Tags: []string{"b", "a", "C"}}.Validate()
	if wrong == nil {
		t.Fatal("expected an error")
	}
	for _, expected := range []string{
		`id: expected a slug`, `name: expected some text`, `description: expected some text`, `found -0.01 EUR`,
		`category: expected a slug, found ""`, `picture: expected a relative path, found "/a"`,
		`tags: expected slugs, found "C"`, `tags: expected alphabetical order`,
	} {
		if !strings.Contains(wrong.Error(), expected) {
			t.Errorf("expected %q in:\n%v", expected, wrong)
		}
	}
}

func TestATagThatIsThereTwiceIsWrong(t *testing.T) {
	p := Product{ID: "a", Name: "A", Description: "A.", Category: "c", Picture: "a.jpg", Tags: []string{"x", "x"}}
	if p.Validate() == nil {
		t.Error("expected an error")
	}
	if p.Tags = []string{"x"}; p.Validate() != nil {
		t.Error(p.Validate())
	}
}

func TestMoneyNeverRounds(t *testing.T) {
	for amount, expected := range map[Money]struct {
		units int64
		nanos int32
		text  string
	}{
		0:       {0, 0, "0.00 EUR"},
		1:       {0, 10_000_000, "0.01 EUR"},
		1205:    {12, 50_000_000, "12.05 EUR"},
		1299:    {12, 990_000_000, "12.99 EUR"},
		-5:      {0, -50_000_000, "-0.05 EUR"},
		-1205:   {-12, -50_000_000, "-12.05 EUR"},
		1 << 62: {46_116_860_184_273_879, 40_000_000, "46116860184273879.04 EUR"},
	} {
		units, nanos := amount.Units()
		if units != expected.units || nanos != expected.nanos || amount.String() != expected.text {
			t.Errorf("%d: expected %+v, found %d, %d, %q", int64(amount), expected, units, nanos, amount)
		}
	}
}
