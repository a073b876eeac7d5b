//! Which cluster a call goes to, and what is done on purpose to it (gRFC A28, A31, A33).

use std::time::Duration;

use http::HeaderMap;
use prost::Message as _;
use tonic::{Code, Status};

use crate::generated::envoy as xds;
use crate::rules::{Compare, Header, to_duration};
use crate::xds::weighted;
use xds::header_matcher::HeaderMatchSpecifier as Specifier;
use xds::route_match::PathSpecifier;
use xds::string_matcher::MatchPattern;

/// The routes of one service, in the order in which they are tried.
#[derive(Debug, Default)]
pub struct Routes(Vec<Route>);

#[derive(Debug)]
struct Route {
    path: Compare,
    headers: Vec<Header>,
    /// The share of the calls that it is for; nothing: all.
    share: Option<f64>,
    clusters: Vec<(String, u32)>,
    fault: Fault,
    retries: Retries,
}

/// How often a failed unary call is tried again, and after which statuses, where the call policy says nothing of it.
#[derive(Clone, Debug, Default)]
pub struct Retries {
    pub times: u32,
    pub codes: Vec<Code>,
}

impl Retries {
    fn new(said: &xds::RetryPolicy) -> Self {
        let code = |name: &str| crate::observe::code_of(&name.trim().to_uppercase().replace('-', "_"));
        Self {
            times: said.num_retries.unwrap_or(1),
            codes: said.retry_on.split(',').filter_map(code).collect(),
        }
    }
}

/// What is done on purpose to some calls: each with its share of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fault {
    delay: Option<(Duration, f64)>,
    abort: Option<(Code, f64)>,
}

impl Fault {
    /// How long this call is held up.
    pub fn delay(&self) -> Option<Duration> {
        self.delay.filter(|(_, share)| rand::random::<f64>() < *share).map(|(delay, _)| delay)
    }

    /// What this call fails with.
    pub fn abort(&self) -> Option<Status> {
        let (code, _) = self.abort.filter(|(_, share)| rand::random::<f64>() < *share)?;
        Some(Status::new(code, "a fault was asked for"))
    }

    fn new(configs: &std::collections::HashMap<String, prost_types::Any>) -> Self {
        let fault = configs.values().find(|config| config.type_url.ends_with(".HTTPFault"));
        let Some(fault) = fault.and_then(|config| xds::HttpFault::decode(&*config.value).ok()) else {
            return Self::default();
        };
        let delay = fault
            .delay
            .and_then(|delay| Some((to_duration(delay.fixed_delay?)?, share(delay.percentage.as_ref()))));
        let abort = fault.abort.map(|abort| {
            let code = if abort.http_status == 0 {
                grpc_code(abort.grpc_status)
            } else {
                code_of_http(abort.http_status)
            };
            (code, share(abort.percentage.as_ref()))
        });
        Self { delay, abort }
    }
}

fn grpc_code(number: u32) -> Code {
    Code::from_i32(i32::try_from(number).unwrap_or(2))
}

/// As gRPC maps statuses of HTTP.
fn code_of_http(status: u32) -> Code {
    match status {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

fn share(percent: Option<&xds::FractionalPercent>) -> f64 {
    let of =
        |denominator| [100.0, 10_000.0, 1_000_000.0].get(usize::try_from(denominator).unwrap_or(0)).copied();
    percent.map_or(0.0, |percent| f64::from(percent.numerator) / of(percent.denominator).unwrap_or(100.0))
}

impl Routes {
    /// Reads the routes of a service. Fails on what no call could be compared with.
    pub fn new(said: &xds::RouteConfiguration, service: &str) -> Result<Self, String> {
        let holds = |host: &&xds::VirtualHost, domain: &str| host.domains.iter().any(|each| each == domain);
        let host = said.virtual_hosts.iter().find(|host| holds(host, service));
        let Some(host) = host.or_else(|| said.virtual_hosts.iter().find(|host| holds(host, "*"))) else {
            return Ok(Self::default());
        };
        host.routes.iter().filter_map(Route::new).collect::<Result<_, _>>().map(Self)
    }

    /// All clusters that calls may go to.
    pub fn clusters(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|route| route.clusters.iter().map(|(name, _)| name.as_str()))
    }

    /// How often a failed call is tried again.
    pub fn retries(&self, path: &str, headers: &HeaderMap) -> Retries {
        self.route(path, headers).map(|route| route.retries.clone()).unwrap_or_default()
    }

    /// Where a call goes, and what is done to it.
    pub fn find(&self, path: &str, headers: &HeaderMap) -> Option<(&str, Fault)> {
        let route = self.route(path, headers)?;
        let chosen = weighted::choose(route.clusters.iter().map(|(_, weight)| *weight));
        chosen
            .map(|place| &route.clusters[place])
            .or(route.clusters.last())
            .map(|(name, _)| (name.as_str(), route.fault))
    }

    fn route(&self, path: &str, headers: &HeaderMap) -> Option<&Route> {
        let matches = |route: &&Route| {
            route.path.holds(path)
                && route.headers.iter().all(|header| header.matches(headers))
                && route.share.is_none_or(|share| rand::random::<f64>() < share)
        };
        self.0.iter().find(matches)
    }
}

impl Route {
    /// Reads a route; nothing where it leads nowhere that this kit knows.
    fn new(said: &xds::Route) -> Option<Result<Self, String>> {
        let (matched, action) = (said.r#match.as_ref()?, said.route.as_ref()?);
        let clusters = match &action.weighted_clusters {
            Some(weighted) => {
                weighted.clusters.iter().map(|one| (one.name.clone(), one.weight.unwrap_or(0))).collect()
            }
            None => vec![(action.cluster.clone(), 1)],
        };
        let path = match matched.path_specifier.as_ref()? {
            PathSpecifier::Prefix(prefix) => Ok(Compare::Prefix(prefix.clone())),
            PathSpecifier::Path(path) => Ok(Compare::Exact(path.clone())),
            PathSpecifier::SafeRegex(pattern) => Compare::regex(&pattern.regex),
        };
        let headers = matched.headers.iter().map(header).collect::<Result<_, _>>();
        let share = matched.runtime_fraction.as_ref().map(|fraction| share(fraction.default_value.as_ref()));
        let fault = Fault::new(&said.typed_per_filter_config);
        let retries = action.retry_policy.as_ref().map(Retries::new).unwrap_or_default();
        Some(path.and_then(|path| Ok(Self { path, headers: headers?, share, clusters, fault, retries })))
    }
}

fn header(said: &xds::HeaderMatcher) -> Result<Header, String> {
    let mut invert = said.invert_match;
    let compare = match said.header_match_specifier.as_ref() {
        None => None,
        Some(Specifier::PresentMatch(present)) => {
            invert ^= !present;
            None
        }
        Some(Specifier::ExactMatch(value)) => Some(Compare::Exact(value.clone())),
        Some(Specifier::PrefixMatch(value)) => Some(Compare::Prefix(value.clone())),
        Some(Specifier::SuffixMatch(value)) => Some(Compare::Suffix(value.clone())),
        Some(Specifier::ContainsMatch(value)) => Some(Compare::Contains(value.clone())),
        Some(Specifier::SafeRegexMatch(pattern)) => Some(Compare::regex(&pattern.regex)?),
        Some(Specifier::StringMatch(text)) => Some(match text.match_pattern.as_ref() {
            Some(MatchPattern::Exact(value)) => Compare::Exact(value.clone()),
            Some(MatchPattern::Prefix(value)) => Compare::Prefix(value.clone()),
            Some(MatchPattern::Suffix(value)) => Compare::Suffix(value.clone()),
            Some(MatchPattern::Contains(value)) => Compare::Contains(value.clone()),
            Some(MatchPattern::SafeRegex(pattern)) => Compare::regex(&pattern.regex)?,
            None => return Err(format!("expected a pattern for the header {}", said.name)),
        }),
        Some(Specifier::RangeMatch(_)) => {
            return Err(format!("expected a text to compare {} with, found a range", said.name));
        }
    };
    Ok(Header { name: said.name.clone(), compare, invert })
}
