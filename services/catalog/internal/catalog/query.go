package catalog

// This file owns what the words of a search are.

import (
	"strings"
	"unicode"
)

// searchWords returns the words of a query, in their order, with one blank between them: whatever is no letter, digit
// or accent separates words. It returns [ErrQuery] when there is none.
//
// Case and accents are the store's to fold, with the same function for queries and products, so that the two always
// agree.
func searchWords(query string) (string, error) {
	if !strings.ContainsFunc(query, isLetterOrDigit) {
		return "", ErrQuery
	}
	words := strings.FieldsFunc(query, func(r rune) bool { return !isLetterOrDigit(r) && !unicode.IsMark(r) })
	return strings.Join(words, " "), nil
}

func isLetterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
