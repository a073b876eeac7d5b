// Package postgres is the store of the catalog: its schema, its first products and every SQL statement.
//
// It decides nothing about the shop; package catalog does.
package postgres
