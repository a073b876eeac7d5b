package catalog

// This file owns page tokens: how they are made, and which ones are refused.

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// A page token says where the next page starts. It is bound to its question (which list, which filter): its first
// bytes are a checksum over the question and the position, so a token of another question, or one that was cut or
// made up, does not fit. It is no secret and guards nothing: whoever forges one starts at another place of the
// same public list.
//
//	base64url( first 8 bytes of SHA-256(question, position) | position as JSON )

const checksumSize = 8

// question is what a page token belongs to. The page size is no part of it: a reader may change it on the way.
type question struct {
	List   string // which call
	Filter string // what the call was asked for
}

// encodeToken returns the token of a position in the answer to a question.
func encodeToken(asked question, position Position) string {
	plain := mustJSON(position)
	return base64.RawURLEncoding.EncodeToString(append(checksum(asked, plain), plain...))
}

// decodeToken reads the position that encodeToken wrote for the same question; it returns [ErrPageToken] for any
// other text.
func decodeToken(asked question, token string) (Position, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < checksumSize || base64.RawURLEncoding.EncodeToString(raw) != token {
		return Position{}, ErrPageToken // compared, since the decoder skips line breaks
	}
	plain := raw[checksumSize:]
	if !bytes.Equal(raw[:checksumSize], checksum(asked, plain)) {
		return Position{}, ErrPageToken
	}
	var position Position
	if json.Unmarshal(plain, &position) != nil || !IsSlug(position.ID) {
		return Position{}, ErrPageToken
	}
	return position, nil
}

func checksum(asked question, position []byte) []byte {
	// JSON keeps the parts apart: no filter reads as another filter and the beginning of a position.
	sum := sha256.Sum256(mustJSON([]string{asked.List, asked.Filter, string(position)}))
	return sum[:checksumSize]
}

func mustJSON(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // only strings and numbers come here: they always encode
	}
	return text
}
