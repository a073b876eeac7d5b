//! The instance's entry in Consul: it is there while the instance serves, also when Consul comes late or restarts
//! empty, in maintenance while it drains, and gone afterwards.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::config::Config;

const TIMEOUT: Duration = Duration::from_secs(2);
/// The time between two looks at the entry; one that was lost has to be back within 5 s.
const INTERVAL: Duration = Duration::from_secs(1);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The instance's entry in Consul.
pub struct Membership {
    agent: Arc<Agent>,
    registered: watch::Receiver<bool>,
    keeping: JoinHandle<()>,
}

impl Membership {
    /// Registers the instance, and from then on again whenever Consul has lost it.
    pub fn begin(consul: &str, config: &Config, address: SocketAddr, contracts: &[String]) -> Self {
        let agent = Arc::new(Agent {
            consul: consul.trim_end_matches('/').to_owned(),
            token: config.consul_token.clone(),
            id: config.instance.clone(),
            entry: entry(config, address, contracts),
        });
        let (told, registered) = watch::channel(false);
        let keeping = tokio::spawn(keep(Arc::clone(&agent), told));
        Self { agent, registered, keeping }
    }

    /// Waits until the entry is there for the first time, as long as Consul takes to come.
    pub async fn joined(&self) {
        _ = self.registered.clone().wait_for(|there| *there).await; // fails only after `stop_keeping`
    }

    /// Ends looking after the entry, and tells whether there is one.
    pub fn stop_keeping(&self) -> bool {
        self.keeping.abort();
        *self.registered.borrow()
    }

    /// Puts the instance into maintenance, which takes it out of every assignment at once.
    pub async fn pause(&self) -> Result<(), Failure> {
        let path = format!("/v1/agent/service/maintenance/{}?enable=true&reason=draining", self.agent.id);
        self.agent.expect_ok(Method::PUT, &path, None).await
    }

    /// Removes the entry, if there is one.
    pub async fn leave(&self) -> Result<(), Failure> {
        self.stop_keeping();
        let path = format!("/v1/agent/service/deregister/{}", self.agent.id);
        match self.agent.call(Method::PUT, &path, None).await? {
            StatusCode::OK | StatusCode::NOT_FOUND => Ok(()),
            other => Err(format!("expected Consul to remove the instance, found {other}").into()),
        }
    }
}

/// What Consul is told about an instance.
fn entry(config: &Config, address: SocketAddr, contracts: &[String]) -> Value {
    json!({
        "ID": config.instance,
        "Name": config.service,
        "Address": address.ip().to_string(),
        "Port": address.port(),
        "Meta": {
            "version": config.version,
            "zone": config.zone,
            "language": "rust",
            "contracts": contracts.join(","),
        },
        "Check": {
            "GRPC": address.to_string(),
            "Interval": "1s",
            "Timeout": "3s",
            "Status": "passing", // it says SERVING before it is registered
            "DeregisterCriticalServiceAfter": "1m",
        },
    })
}

/// Registers now, and looks after the entry every second.
async fn keep(agent: Arc<Agent>, told: watch::Sender<bool>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        ticks.tick().await;
        // whatever an earlier process left under this id is replaced
        let result = if *told.borrow() { agent.register_if_lost().await } else { agent.register().await };
        match result {
            Ok(()) => _ = told.send_replace(true),
            Err(ref error) if !away => {
                tracing::warn!(error = %error, "cannot register in Consul, trying again every second");
            }
            Err(_) => {}
        }
        away = result.is_err();
    }
}

/// Consul's HTTP API, as far as one instance needs it.
struct Agent {
    consul: String,
    token: Option<String>,
    id: String,
    entry: Value,
}

impl Agent {
    async fn register(&self) -> Result<(), Failure> {
        let path = "/v1/agent/service/register?replace-existing-checks=true";
        self.expect_ok(Method::PUT, path, Some(self.entry.to_string())).await?;
        tracing::info!(address = %self.entry["Check"]["GRPC"].as_str().unwrap_or_default(), "registered in Consul");
        Ok(())
    }

    async fn register_if_lost(&self) -> Result<(), Failure> {
        match self.call(Method::GET, &format!("/v1/agent/service/{}", self.id), None).await? {
            StatusCode::NOT_FOUND => self.register().await,
            status if status.is_success() => Ok(()),
            other => Err(format!("expected Consul to know the instance or not, found {other}").into()),
        }
    }

    async fn expect_ok(&self, method: Method, path: &str, body: Option<String>) -> Result<(), Failure> {
        match self.call(method, path, body).await? {
            status if status.is_success() => Ok(()),
            other => Err(format!("expected Consul to take {path}, found {other}").into()),
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<String>) -> Result<StatusCode, Failure> {
        timeout(TIMEOUT, self.ask(method, path, body)).await?
    }

    /// Makes one request on a connection of its own: there is one a second.
    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Result<StatusCode, Failure> {
        let uri: Uri = format!("{}{path}", self.consul).parse()?;
        let authority = uri.authority().ok_or("expected an address in CONSUL_HTTP_ADDR")?;
        if uri.scheme_str() == Some("https") {
            return Err("expected http in CONSUL_HTTP_ADDR: this kit speaks no TLS yet".into());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connected = tokio::spawn(connection);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder().method(method).uri(path).header("host", authority.as_str());
        if let Some(token) = &self.token {
            request = request.header("x-consul-token", token);
        }
        let answer =
            sender.send_request(request.body(Full::new(Bytes::from(body.unwrap_or_default())))?).await;
        connected.abort();
        Ok(answer?.status())
    }
}
