// Package catalog is the domain: what the shop sells, and how a caller reads through it.
//
// It is pure. It knows neither gRPC nor the kit nor SQL; a [Store] is handed in, and what goes wrong comes
// out as one of the errors in errors.go.
package catalog
