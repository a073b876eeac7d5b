package catalog

import (
	"errors"
	"testing"
)

func TestAQueryIsItsWords(t *testing.T) {
	for query, expected := range map[string]string{
		"lamp":                 "lamp",
		"  brass\t\nlamp ":     "brass lamp",
		"USB-C, 20 m!":         "USB C 20 m",
		"crème brûlée":         "crème brûlée",
		"cre\u0300me":          "cre\u0300me",
		"a\x00b & c | !d:*'\\": "a b c d",
		"лампа 灯":              "лампа 灯",
	} {
		if found, err := searchWords(query); err != nil || found != expected {
			t.Errorf("%q: expected %q, found %q, %v", query, expected, found, err)
		}
	}
}

func TestAQueryWithoutAWordIsRefused(t *testing.T) {
	for _, query := range []string{"", " ", "\t\n", "!?", "\x00", "\u0300", "😀", "-- ;"} {
		if found, err := searchWords(query); !errors.Is(err, ErrQuery) {
			t.Errorf("%q: expected ErrQuery, found %q, %v", query, found, err)
		}
	}
}
