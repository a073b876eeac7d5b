//! The rates of countries and states, out of `data/rates.json`, which says where they come from.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

const DATA: &str = include_str!("../data/rates.json");

/// Thousandths of a percent: rates have up to three digits behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate(pub u32);

impl Rate {
    /// As much as the price itself: more is taken for a mistake.
    pub const WHOLE: Self = Self(100_000);
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a rate in percent from 0 to 100, such as 5.5, found {text:?}");
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || whole.len() > 3 || fraction.len() > 3 {
            return Err(wrong());
        }
        let thousandths = format!("{whole}{fraction:0<3}").parse().map_err(|_| wrong())?;
        if thousandths > Self::WHOLE.0 { Err(wrong()) } else { Ok(Self(thousandths)) }
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// In percent, without zeros that say nothing.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:03}", self.0 % 1000);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{}{point}{fraction}", self.0 / 1000)
    }
}

/// Who published rates, and when.
#[derive(Debug, Clone, Deserialize)]
pub struct Source {
    /// Who they are.
    pub name: String,
    /// A day on which the rates were in force, as YYYY-MM-DD.
    pub date: String,
}

/// The rates of one country, or of one state.
#[derive(Debug, Clone, Deserialize)]
struct Place {
    country: String,
    #[serde(default)]
    subdivision: String,
    source: String,
    standard: Rate,
    categories: BTreeMap<String, Rate>,
}

#[derive(Deserialize)]
struct Document {
    sources: BTreeMap<String, Source>,
    categories: BTreeMap<String, String>,
    rates: Vec<Place>,
}

/// All rates that are known.
pub struct Rates {
    sources: BTreeMap<String, Source>,
    places: BTreeMap<(String, String), Place>,
}

/// What applies at one place.
pub struct Local<'a> {
    place: &'a Place,
    /// Who says so.
    pub source: &'a Source,
}

impl Local<'_> {
    /// Gives the rate of a category: its own, or else the standard rate.
    #[must_use]
    pub fn of(&self, category: &str) -> Rate {
        self.place.categories.get(category).copied().unwrap_or(self.place.standard)
    }
}

impl Rates {
    /// Reads what the program was built with.
    ///
    /// # Errors
    /// The data is not what it must be: what was expected, and where.
    pub fn built_in() -> Result<Self, String> {
        Self::read(DATA)
    }

    /// Reads rates from JSON of the form of `data/rates.json`.
    ///
    /// # Errors
    /// As `built_in`.
    pub fn read(text: &str) -> Result<Self, String> {
        let document: Document = serde_json::from_str(text).map_err(|error| format!("rates: {error}"))?;
        let mut places = BTreeMap::new();
        for place in document.rates {
            let key = (place.country.clone(), place.subdivision.clone());
            if !document.sources.contains_key(&place.source) {
                return Err(format!("rates: {key:?}: there is no source {:?}", place.source));
            }
            if let Some(unknown) =
                place.categories.keys().find(|name| !document.categories.contains_key(*name))
            {
                return Err(format!("rates: {key:?}: there is no category {unknown:?}"));
            }
            if places.insert(key.clone(), place).is_some() {
                return Err(format!("rates: {key:?} stands there twice"));
            }
        }
        Ok(Self { sources: document.sources, places })
    }

    /// Finds what applies at a place. A country whose rates are the same everywhere is found with any subdivision.
    #[must_use]
    pub fn at(&self, country: &str, subdivision: &str) -> Option<Local<'_>> {
        let find = |subdivision: &str| self.places.get(&(country.to_owned(), subdivision.to_owned()));
        let place = find(subdivision).or_else(|| find(""))?;
        Some(Local { place, source: &self.sources[&place.source] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(country: &str, subdivision: &str, category: &str) -> Option<String> {
        let rates = Rates::built_in().expect("the data is good");
        rates.at(country, subdivision).map(|local| local.of(category).to_string())
    }

    #[test]
    fn a_category_has_its_own_rate_or_the_standard_one() {
        assert_eq!(rate("FR", "", "newspapers").as_deref(), Some("2.1"));
        assert_eq!(rate("ES", "", "books").as_deref(), Some("4"));
        assert_eq!(rate("FR", "", "kitchen").as_deref(), Some("20"));
        assert_eq!(rate("AT", "AT-9", "kitchen").as_deref(), Some("20"));
    }

    #[test]
    fn a_country_whose_states_differ_has_no_rate_of_its_own() {
        assert_eq!(rate("US", "US-NJ", "kitchen").as_deref(), Some("6.625"));
        assert_eq!(rate("US", "", "kitchen"), None);
        assert_eq!(rate("US", "US-XX", "kitchen"), None);
        assert_eq!(rate("ZZ", "", "kitchen"), None);
    }

    #[test]
    fn every_member_state_and_every_state_is_there() {
        let rates = Rates::built_in().expect("the data is good");
        let count = |country: &str| rates.places.keys().filter(|key| key.0 == country).count();
        assert_eq!((rates.places.len() - count("US"), count("US")), (30, 51));
    }

    #[test]
    fn rates_are_read_exactly_or_not_at_all() {
        assert_eq!("6.625".parse(), Ok(Rate(6625)));
        assert_eq!("100".parse(), Ok(Rate::WHOLE));
        for wrong in ["", "5.", ".5", "-1", "5,5", "100.001", "1.2345", "1e2", "٣"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn data_that_is_wrong_is_told_with_where() {
        let error = |places: &str| {
            let sources = r#"{"a": {"name": "A", "date": "2025-01-01"}}"#;
            let categories = r#"{"books": "printed ones"}"#;
            let data =
                format!(r#"{{"sources": {sources}, "categories": {categories}, "rates": [{places}]}}"#);
            Rates::read(&data).err().unwrap_or_default()
        };
        let good = r#"{"country": "AT", "source": "a", "standard": "20", "categories": {"books": "10"}}"#;
        assert_eq!(error(good), "");
        for (wrong, told) in [
            (format!("{good}, {good}"), "AT"),
            (format!("{good}, {good}"), "twice"),
            (good.replace(r#""a""#, r#""b""#), r#"no source "b""#),
            (good.replace("books", "book"), r#"no category "book""#),
            (good.replace("20", "2000"), "from 0 to 100"),
        ] {
            assert!(error(&wrong).contains(told), "expected {told}, found {:?}", error(&wrong));
        }
    }
}
