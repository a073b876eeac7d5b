//! Which rule of a service's call policy a call falls under. Nothing here knows a stream, a clock or a call.
//!
//! Conditions hold as in gRPC's own xDS (gRFC A28), since a rule and a route are halves of the same entry: the values
//! of a key are joined by commas, binary keys are never there, and of a key that isn't there only its absence can hold.

use std::time::Duration;

use http::HeaderMap;
use regex::Regex;
use tonic::Code;

use crate::generated::mesh::{CallRule, Comparison, HeaderMatch};
use crate::observe::code_of;

/// What is done to some calls.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// The longest that a call may take, all attempts together.
    pub timeout: Option<Duration>,
    /// The longest that one attempt of a unary call may take.
    pub attempt_timeout: Option<Duration>,
    /// How often a unary call is tried again at most.
    pub retries: u32,
    /// After which statuses it is.
    pub codes: Vec<Code>,
}

/// A text is compared with something.
#[derive(Debug)]
pub enum Compare {
    /// It is the same.
    Exact(String),
    /// It begins so.
    Prefix(String),
    /// It ends so.
    Suffix(String),
    /// It has this somewhere.
    Contains(String),
    /// All of it matches.
    Regex(Regex),
}

impl Compare {
    /// A regular expression of RE2 that has to match all of a text.
    pub fn regex(pattern: &str) -> Result<Self, String> {
        let anchored = Regex::new(&format!(r"\A(?:{pattern})\z"));
        anchored
            .map(Self::Regex)
            .map_err(|error| format!("expected a regular expression of RE2, found {pattern:?}: {error}"))
    }

    fn new(comparison: i32, value: &str) -> Result<Self, String> {
        let value = || value.to_owned();
        match Comparison::try_from(comparison) {
            Ok(Comparison::Exact) => Ok(Self::Exact(value())),
            Ok(Comparison::Prefix) => Ok(Self::Prefix(value())),
            Ok(Comparison::Suffix) => Ok(Self::Suffix(value())),
            Ok(Comparison::Contains) => Ok(Self::Contains(value())),
            Ok(Comparison::Regex) => Self::regex(&value()),
            _ => Err(format!("expected a comparison that this kit knows, found {comparison}")),
        }
    }

    /// Whether it holds for a text.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Exact(value) => text == value,
            Self::Prefix(value) => text.starts_with(value),
            Self::Suffix(value) => text.ends_with(value),
            Self::Contains(value) => text.contains(value),
            Self::Regex(pattern) => pattern.is_match(text),
        }
    }
}

/// A condition on one key of the metadata.
#[derive(Debug)]
pub struct Header {
    /// The key.
    pub name: String,
    /// What its value is compared with; nothing: it is there.
    pub compare: Option<Compare>,
    /// Whether the opposite has to hold.
    pub invert: bool,
}

impl Header {
    fn new(said: &HeaderMatch) -> Result<Self, String> {
        let compare = match Comparison::try_from(said.comparison) {
            Ok(Comparison::Present) => None,
            _ => Some(Compare::new(said.comparison, &said.value)?),
        };
        Ok(Self { name: said.name.clone(), compare, invert: said.invert })
    }

    /// Whether it holds for a call's metadata.
    pub fn matches(&self, headers: &HeaderMap) -> bool {
        let value = match self.name.as_str() {
            "content-type" => Some("application/grpc".to_owned()), // whatever a caller says
            name if name.ends_with("-bin") => None,
            name => joined(headers, name),
        };
        match &self.compare {
            None => value.is_some() != self.invert,
            Some(compare) => value.is_some_and(|value| compare.holds(&value) != self.invert),
        }
    }
}

fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// The rules of one service.
#[derive(Debug, Default)]
pub struct Rules(Vec<(Compare, Vec<Header>, Rule)>);

impl Rules {
    /// Fails on what no call could be compared with. Unless the kit carries retries there are none here.
    pub fn new(said: &[CallRule], carries_retries: bool) -> Result<Self, String> {
        let read = |one: &CallRule| {
            let matched = one.r#match.clone().unwrap_or_default();
            let path = Compare::new(matched.path_comparison, &matched.path)?;
            let headers = matched.headers.iter().map(Header::new).collect::<Result<_, _>>()?;
            Ok((path, headers, rule(one, carries_retries)))
        };
        said.iter().map(read).collect::<Result<_, String>>().map(Self)
    }

    /// Whether nothing is done to any call.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first rule that a call matches.
    pub fn find(&self, path: &str, headers: &HeaderMap) -> Option<&Rule> {
        let matches = |(compare, conditions, _): &&(Compare, Vec<Header>, Rule)| {
            compare.holds(path) && conditions.iter().all(|condition| condition.matches(headers))
        };
        self.0.iter().find(matches).map(|(_, _, rule)| rule)
    }
}

fn rule(said: &CallRule, carries_retries: bool) -> Rule {
    let mut rule = Rule { timeout: said.timeout.and_then(to_duration), ..Rule::default() };
    if carries_retries {
        rule.attempt_timeout = said.attempt_timeout.and_then(to_duration);
        if let Some(retry) = &said.retry {
            rule.retries = u32::try_from(retry.times).unwrap_or_default();
            rule.codes = retry.statuses.iter().filter_map(|name| code_of(name)).collect();
        }
        if rule.attempt_timeout.is_some() {
            rule.codes.push(Code::DeadlineExceeded); // the attempt's time may be over, and not the call's
        }
    }
    rule
}

/// A time above zero.
pub fn to_duration(said: prost_types::Duration) -> Option<Duration> {
    Duration::try_from(said).ok().filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use serde_json::Value;

    use super::*;
    use crate::generated::mesh::CallMatch;

    fn comparison(name: &Value) -> i32 {
        Comparison::from_str_name(name.as_str().unwrap()).unwrap().into()
    }

    fn text(value: &Value) -> String {
        value.as_str().unwrap_or_default().to_owned()
    }

    fn read(rule: &Value) -> CallRule {
        let said = &rule["match"];
        let header = |header: &Value| HeaderMatch {
            name: text(&header["name"]),
            comparison: comparison(&header["comparison"]),
            value: text(&header["value"]),
            invert: header["invert"] == true,
        };
        let headers = said["headers"].as_array().map(|all| all.iter().map(header).collect());
        let r#match = CallMatch {
            path_comparison: comparison(&said["pathComparison"]),
            path: text(&said["path"]),
            headers: headers.unwrap_or_default(),
        };
        CallRule { r#match: Some(r#match), ..CallRule::default() }
    }

    /// The cases are those of all kits.
    #[test]
    fn a_call_gets_the_rule_that_every_kit_gives_it() {
        let cases: Value =
            serde_json::from_str(include_str!("../../../tests/conformance/call_rules.json")).unwrap();
        for case in cases.as_array().unwrap() {
            let said: Vec<_> = case["rules"].as_array().unwrap().iter().map(read).collect();
            let rules = Rules::new(&said, true).unwrap();
            for call in case["calls"].as_array().unwrap() {
                let mut headers = HeaderMap::new();
                for pair in call["metadata"].as_array().into_iter().flatten() {
                    let name: HeaderName = text(&pair[0]).parse().unwrap();
                    headers.append(name, HeaderValue::from_str(&text(&pair[1])).unwrap());
                }
                let found = rules.find(call["path"].as_str().unwrap(), &headers);
                let place =
                    found.map(|found| rules.0.iter().position(|(_, _, rule)| std::ptr::eq(rule, found)));
                assert_eq!(
                    place.flatten().map(|place| place as u64),
                    call["rule"].as_u64(),
                    "{}: {call}",
                    case["name"]
                );
            }
        }
    }
}
