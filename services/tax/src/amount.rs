//! Amounts of money as whole numbers of a currency's smallest unit.

use std::fmt;

/// What is refused beyond: far more than anything costs, and far less than what would overflow.
pub const MOST_UNITS: i64 = 10_000_000_000;

/// The currencies whose smallest unit is not a hundredth (ISO 4217), with the number of digits behind the point.
const DIGITS: [(&str, u32); 23] = [
    ("BHD", 3),
    ("BIF", 0),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

const NANOS: i64 = 1_000_000_000;

/// Why an amount is none that can be taxed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmountError {
    /// Below zero, or with units and nanos of different signs, or a billion nanos and more.
    Invalid,
    /// It has a part of the currency's smallest unit.
    TooFine {
        /// How many digits behind the point the currency has.
        digits: u32,
    },
    /// More than [`MOST_UNITS`].
    TooLarge,
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => write!(f, "expected units of 0 or more, and nanos from 0 to 999,999,999"),
            Self::TooFine { digits } => write!(f, "expected at most {digits} digits behind the point"),
            Self::TooLarge => write!(f, "expected at most {MOST_UNITS} units"),
        }
    }
}

impl std::error::Error for AmountError {}

/// Tells whether a text has the form of a currency by ISO 4217.
#[must_use]
pub fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Tells how many digits behind the point a currency has.
#[must_use]
pub fn digits(currency: &str) -> u32 {
    DIGITS.iter().find(|(code, _)| *code == currency).map_or(2, |(_, digits)| *digits)
}

/// Gives whole units and billionths of one as a number of smallest units.
///
/// # Errors
/// The amount is none that can be taxed.
pub fn smallest(units: i64, nanos: i32, digits: u32) -> Result<i64, AmountError> {
    let nanos = i64::from(nanos);
    if units < 0 || !(0..NANOS).contains(&nanos) {
        return Err(AmountError::Invalid);
    }
    if units > MOST_UNITS || (units == MOST_UNITS && nanos > 0) {
        return Err(AmountError::TooLarge);
    }
    let one = NANOS / 10_i64.pow(digits);
    if nanos % one != 0 {
        return Err(AmountError::TooFine { digits });
    }
    Ok(units * 10_i64.pow(digits) + nanos / one)
}

/// Gives a number of smallest units as whole units and billionths of one.
///
/// # Panics
/// Never: what is left beside whole units is less than a billion.
#[must_use]
pub fn units_and_nanos(smallest: i64, digits: u32) -> (i64, i32) {
    let scale = 10_i64.pow(digits);
    let nanos = (smallest % scale) * (NANOS / scale);
    (smallest / scale, i32::try_from(nanos).expect("less than a billion"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_are_hundredths_and_yen_are_whole() {
        assert_eq!(smallest(12, 340_000_000, digits("EUR")), Ok(1234));
        assert_eq!(smallest(12, 0, digits("JPY")), Ok(12));
        assert_eq!(smallest(1, 234_000_000, digits("KWD")), Ok(1234));
    }

    #[test]
    fn what_no_coin_can_pay_is_refused() {
        assert_eq!(smallest(12, 345_000_000, 2), Err(AmountError::TooFine { digits: 2 }));
        assert_eq!(smallest(1, 500_000_000, 0), Err(AmountError::TooFine { digits: 0 }));
        assert_eq!(smallest(-1, 0, 2), Err(AmountError::Invalid));
        assert_eq!(smallest(0, -10_000_000, 2), Err(AmountError::Invalid));
        assert_eq!(smallest(0, 1_000_000_000, 2), Err(AmountError::Invalid));
        assert_eq!(smallest(MOST_UNITS, 10_000_000, 2), Err(AmountError::TooLarge));
    }

    #[test]
    fn amounts_come_back_as_they_went() {
        for (value, digits) in [(0, 2), (5, 2), (1234, 2), (1234, 3), (7, 0)] {
            let (units, nanos) = units_and_nanos(value, digits);
            assert_eq!(smallest(units, nanos, digits), Ok(value));
        }
    }
}
