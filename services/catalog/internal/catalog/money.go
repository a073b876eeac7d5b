package catalog

// This file owns amounts of money. It never uses floating point.

import "fmt"

// Currency is what every price is in. Another one needs to say how many minor units it has, so it is a change here
// and a migration, never a row.
const Currency = "EUR"

const (
	minorPerUnit  = 100
	nanosPerMinor = 1_000_000_000 / minorPerUnit
)

// Money is an amount in whole minor units (cents) of [Currency], so that sums never round.
type Money int64

// Units returns the amount as whole units and billionths of one, both with the same sign, as google.type.Money has it.
func (m Money) Units() (units int64, nanos int32) {
	return int64(m) / minorPerUnit, int32(int64(m)%minorPerUnit) * nanosPerMinor
}

// String returns the amount as a person writes it, for example "12.05 EUR".
func (m Money) String() string {
	sign, minor := "", int64(m)
	if minor < 0 {
		sign, minor = "-", -minor
	}
	return fmt.Sprintf("%s%d.%02d %s", sign, minor/minorPerUnit, minor%minorPerUnit, Currency)
}
