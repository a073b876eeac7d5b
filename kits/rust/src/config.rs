//! What a kit is told from outside, and the environment where it is told: read once, with every mistake found before
//! anything is bound. Nothing here connects to anything.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::bootstrap::Bootstrap;
use crate::parse;

/// All that a kit is told from outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// The service's name in Consul, for example "catalog".
    pub service: String,
    /// This process's id, unique in the mesh.
    pub instance: String,
    /// A label that splits and subsets go by.
    pub version: String,
    /// Where the instance runs.
    pub zone: String,
    /// Where to serve; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The address that others reach the instance by, if not the one of `listen`.
    pub advertise: Option<IpAddr>,
    /// What outgoing calls get that have no deadline.
    pub deadline: Duration,
    /// The most time that a drain takes.
    pub drain: Duration,
    /// How names of services become addresses.
    pub discovery: Discovery,
    /// The URL of Consul's HTTP API; without one the instance joins nothing.
    pub consul: Option<String>,
    /// Is sent to Consul.
    pub consul_token: Option<String>,
    /// The OTLP endpoint that spans and metrics go to; without one none are kept.
    pub collector: Option<String>,
    /// Which traces are kept.
    pub sampling: Sampling,
    /// How long a finished span waits for others before it is sent.
    pub span_delay: Duration,
    /// The time between two reports of the metrics.
    pub metric_interval: Duration,
}

/// How names of services become addresses.
#[derive(Clone, Debug)]
pub enum Discovery {
    /// By the control plane.
    Xds(Box<Bootstrap>),
    /// By a list: `host:port`s by the name of the service.
    Static(HashMap<String, Vec<String>>),
}

/// Which traces are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Whether what a caller says about keeping its trace holds here too.
    pub follow: bool,
    /// The share that is kept of the traces that begin here, from 0 to 1.
    pub ratio: f64,
}

/// Everything that is wrong with a configuration, one sentence for each bad variable. [`crate::run`] ends with status
/// 64 on it.
#[derive(Debug)]
pub struct ConfigError(pub Vec<String>);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "bad configuration:\n  {}", self.0.join("\n  "))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| env::var(name).ok())
    }

    /// Reads variables from wherever `look_up` finds them; an empty one counts as not set.
    pub(crate) fn read(look_up: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = Reader { look_up, problems: Vec::new() };
        let service = env.read("GOSSAMER_SERVICE", "", parse::service_name);
        let discovery = env.read("GOSSAMER_DISCOVERY", "xds", parse::discovery);
        let (discovery, consul) = match discovery {
            Some(Some(addresses)) => (Some(Discovery::Static(addresses)), ""), // who runs alone joins nothing
            _ => (env.bootstrap().map(|read| Discovery::Xds(Box::new(read))), "http://127.0.0.1:8500"),
        };
        let named = service.as_deref().unwrap_or("unnamed");
        let unnamed = format!("{named}-{:08x}", rand::random::<u32>());
        let instance = env.read("GOSSAMER_INSTANCE", &unnamed, parse::label);
        let read = Some(()).and_then(|()| {
            let version = env.read("GOSSAMER_VERSION", "dev", parse::label);
            let zone = env.read("GOSSAMER_ZONE", "local", parse::label);
            let listen = env.read("GOSSAMER_LISTEN", "127.0.0.1:0", parse::listen);
            let advertise = env.read("GOSSAMER_ADVERTISE", "", parse::optional(parse::advertise));
            let deadline = env.read("GOSSAMER_DEADLINE", "5s", parse::duration);
            let drain = env.read("GOSSAMER_DRAIN", "20s", parse::duration);
            let consul = env.read("CONSUL_HTTP_ADDR", consul, parse::optional(parse::url));
            let consul_token = env.read("CONSUL_HTTP_TOKEN", "", parse::optional(parse::text));
            let collector = env.read("OTEL_EXPORTER_OTLP_ENDPOINT", "", parse::optional(parse::url));
            let sampling = env.sampling();
            let span_delay = env.read("OTEL_BSP_SCHEDULE_DELAY", "200", parse::milliseconds);
            let metric_interval = env.read("OTEL_METRIC_EXPORT_INTERVAL", "5000", parse::milliseconds);
            Some(Self {
                service: service?,
                instance: instance?,
                version: version?,
                zone: zone?,
                listen: listen?,
                advertise: advertise?,
                deadline: deadline?,
                drain: drain?,
                discovery: discovery?,
                consul: consul?,
                consul_token: consul_token?,
                collector: collector?,
                sampling: sampling?,
                span_delay: span_delay?,
                metric_interval: metric_interval?,
            })
        });
        read.filter(|_| env.problems.is_empty()).ok_or(ConfigError(env.problems))
    }
}

/// Looks variables up and remembers what was wrong with them.
struct Reader<L> {
    look_up: L,
    problems: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    fn found(&self, name: &str) -> String {
        (self.look_up)(name).unwrap_or_default()
    }

    fn problem(&mut self, name: &str, found: &str, expected: &str) {
        self.problems.push(format!("{name}: expected {expected}, found {found:?}"));
    }

    fn read<T>(
        &mut self,
        name: &str,
        otherwise: &str,
        parse: impl Fn(&str) -> parse::Parsed<T>,
    ) -> Option<T> {
        let found = self.found(name);
        match parse(if found.is_empty() { otherwise } else { &found }) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.problem(name, &found, expected);
                None
            }
        }
    }

    /// Reads the standard variables of OpenTelemetry's samplers.
    fn sampling(&mut self) -> Option<Sampling> {
        let sampler = self.read("OTEL_TRACES_SAMPLER", "parentbased_always_on", parse::sampler)?;
        let kind = sampler.strip_prefix("parentbased_");
        let ratio = match kind.unwrap_or(&sampler) {
            "always_off" => 0.0,
            "traceidratio" => self.read("OTEL_TRACES_SAMPLER_ARG", "1", parse::share)?,
            _ => 1.0,
        };
        Some(Sampling { follow: kind.is_some(), ratio })
    }

    /// Reads the bootstrap where gRPC does; the file goes before the text, as gRFC A27 has it.
    fn bootstrap(&mut self) -> Option<Bootstrap> {
        const EXPECTED: &str = "an xDS bootstrap in JSON with xds_servers[0].server_uri";
        let path = self.found("GRPC_XDS_BOOTSTRAP");
        let (name, found, text) = if path.is_empty() {
            let text = self.found("GRPC_XDS_BOOTSTRAP_CONFIG");
            ("GRPC_XDS_BOOTSTRAP_CONFIG", text.clone(), Some(text))
        } else {
            ("GRPC_XDS_BOOTSTRAP", path.clone(), fs::read_to_string(&path).ok())
        };
        let expected = match text {
            None => "the path of a readable xDS bootstrap",
            Some(text) if text.is_empty() => {
                "an xDS bootstrap, or GOSSAMER_DISCOVERY=static:... to do without a control plane"
            }
            Some(text) => match Bootstrap::parse(&text) {
                Some(bootstrap) => return Some(bootstrap),
                None => EXPECTED,
            },
        };
        self.problem(name, &found, expected);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let config = read(&[("GOSSAMER_SERVICE", "catalog"), ("GOSSAMER_DISCOVERY", "static:")]).unwrap();
        assert_eq!(config.version, "dev");
        assert_eq!(config.zone, "local");
        assert_eq!(config.listen.to_string(), "127.0.0.1:0");
        assert_eq!(config.deadline, Duration::from_secs(5));
        assert_eq!(config.drain, Duration::from_secs(20));
        assert_eq!(config.sampling, Sampling { follow: true, ratio: 1.0 });
        assert!(config.instance.starts_with("catalog-"));
    }

    #[test]
    fn every_bad_variable_is_named_at_once() {
        let error = read(&[("GOSSAMER_LISTEN", "nowhere"), ("GOSSAMER_DRAIN", "5")]).unwrap_err();
        let names: Vec<_> = error.0.iter().map(|line| line.split(':').next().unwrap()).collect();
        let expected = ["GOSSAMER_SERVICE", "GRPC_XDS_BOOTSTRAP_CONFIG", "GOSSAMER_LISTEN", "GOSSAMER_DRAIN"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_service_that_runs_alone_joins_nothing() {
        let config = read(&[("GOSSAMER_SERVICE", "catalog"), ("GOSSAMER_DISCOVERY", "static:")]).unwrap();
        assert_eq!(config.consul, None);
    }
}
