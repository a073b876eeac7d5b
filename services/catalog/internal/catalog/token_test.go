package catalog

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

var (
	asked = question{List: "list", Filter: "kitchen"}
	where = Position{Score: 6, ID: "salt-mill"}
)

func TestATokenGivesItsPositionBackToTheSameQuestion(t *testing.T) {
	found, err := decodeToken(asked, encodeToken(asked, where))
	if err != nil || found != where {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestATokenFitsNoOtherQuestion(t *testing.T) {
	token := encodeToken(asked, where)
	for _, other := range []question{
		{List: "list", Filter: ""}, {List: "list", Filter: "kitchen "}, {List: "search", Filter: "kitchen"},
		{List: "listkitchen", Filter: ""}, {},
	} {
		if _, err := decodeToken(other, token); !errors.Is(err, ErrPageToken) {
			t.Errorf("%+v: expected ErrPageToken, found %v", other, err)
		}
	}
}

func TestATokenThatWasTouchedIsRefused(t *testing.T) {
	token := encodeToken(asked, where)
	changed := []string{"", "x", "!", token + "A", token + "=", token + "\n", token[1:], token[:len(token)-1],
		strings.ToUpper(token), strings.Repeat("A", 512), "\x00", "café"}
	for i := range token {
		changed = append(changed, token[:i]+"\n"+token[i:], token[:i]+string(token[i]^1)+token[i+1:])
	}
	for _, text := range changed {
		if _, err := decodeToken(asked, text); !errors.Is(err, ErrPageToken) {
			t.Errorf("%q: expected ErrPageToken, found %v", text, err)
		}
	}
}

func TestAForgedTokenReachesTheStoreOnlyWithAProductsID(t *testing.T) {
	for _, id := range []string{"", "\x00", "a\xff", "NOT A SLUG", strings.Repeat("a", 65)} {
		if _, err := decodeToken(asked, encodeToken(asked, Position{ID: id})); !errors.Is(err, ErrPageToken) {
			t.Errorf("%q: expected ErrPageToken, found %v", id, err)
		}
	}
}

func TestATokenFitsTheContract(t *testing.T) {
	token := encodeToken(asked, Position{Score: 1 << 62, ID: strings.Repeat("a", maxSlug)})
	if len(token) > 512 {
		t.Errorf("expected at most 512 characters, found %d", len(token))
	}
}

func FuzzOnlyWhatWasEncodedDecodes(f *testing.F) {
	f.Add(encodeToken(asked, where))
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`12345678{"id":"a"}`)))
	f.Fuzz(func(t *testing.T, text string) {
		position, err := decodeToken(asked, text)
		if err == nil && !IsSlug(position.ID) {
			t.Errorf("%q gave %+v", text, position)
		}
	})
}
