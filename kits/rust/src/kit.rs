//! The kit itself: what it is made of, and the order of its life up to where it waits. Its orderly end is in `drain`.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use http::{Request, Response};
use serde_json::{Map, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic_health::pb::health_check_response::ServingStatus;
use tower_service::Service;

use crate::checks::Checks;
use crate::client::Clients;
use crate::config::{Config, ConfigError};
use crate::health::Health;
use crate::incoming::{self, Incoming};
use crate::log::Lines;
use crate::membership::Membership;
use crate::observe::Observer;
use crate::process::{count_signals, signalled};
use crate::server::{self, Router};
use crate::telemetry::Telemetry;

/// Why a service does not start, or does not go on.
#[derive(Debug)]
pub enum StartError {
    /// The configuration is bad.
    Config(ConfigError),
    /// Something else is, in one line.
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<std::io::Error> for StartError {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<String> for StartError {
    fn from(error: String) -> Self {
        Self::Other(error.into())
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for StartError {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Other(error)
    }
}

/// One instance of a service: its server, its clients and its place in the mesh.
pub struct Kit {
    pub(crate) config: Arc<Config>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) signals: watch::Receiver<u32>,
    pub(crate) health: Option<watch::Sender<ServingStatus>>,
    pub(crate) membership: Option<Membership>,
    pub(crate) served: Option<Served>,
    descriptors: &'static [u8],
    checks: Arc<Checks>,
    router: Router,
    clients: Clients,
}

/// The running server.
pub(crate) struct Served {
    /// Is dropped for it to take no new connections, and to end when its calls have.
    pub(crate) stop: watch::Sender<()>,
    /// Is dropped to end the calls that still run.
    pub(crate) going: watch::Sender<()>,
    pub(crate) running: JoinHandle<()>,
    address: SocketAddr,
    contracts: Vec<String>,
}

impl Kit {
    /// Makes a kit, with the descriptors of the contracts that are served and called, as `gossamer_codegen` writes
    /// them. It binds nothing and waits for no one: a collector that is away is found out about later.
    pub fn new(config: Config, descriptors: &'static [u8]) -> Result<Self, StartError> {
        let signals = count_signals()?;
        // a second kit of a process, in tests, logs as the first does
        _ = tracing::subscriber::set_global_default(Lines::new(&config));
        incoming::keep_panics();
        let config = Arc::new(config);
        let telemetry = Arc::new(Telemetry::new(&config)?);
        let checks = Arc::new(Checks::new(descriptors)?);
        let clients = Clients::new(Arc::clone(&config), &telemetry, Arc::clone(&checks));
        Ok(Self {
            config,
            telemetry,
            signals,
            health: None,
            membership: None,
            served: None,
            descriptors,
            checks,
            router: Router::default(),
            clients,
        })
    }

    /// Has a contract served, by what tonic generates for it. Before [`Self::serve`].
    pub fn add<S>(&mut self, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: NamedService + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.router.add(service);
    }

    /// The clients of other services.
    #[must_use]
    pub fn clients(&self) -> Clients {
        self.clients.clone()
    }

    /// Binds the address and answers calls from then on. Health says `NOT_SERVING` until [`Self::join`]. One JSON line
    /// on standard output announces the address.
    pub async fn serve(&mut self) -> Result<(), StartError> {
        let contracts = self.router.contracts();
        let (health, state) = watch::channel(ServingStatus::NotServing);
        let mut router = std::mem::take(&mut self.router);
        router.add(tonic_health::pb::health_server::HealthServer::new(Health::new(&contracts, state)));
        reflect(&mut router, &contracts, self.descriptors)?;
        let listen = self.config.listen;
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            format!(
                "expected to listen on {listen} (GOSSAMER_LISTEN), but it can't be had; is it in use? Port 0 takes \
                 any that is free: {error}"
            )
        })?;
        let address = advertised(&self.config, listener.local_addr()?);
        let (stop, stopped) = watch::channel(());
        let (going, still_going) = watch::channel(());
        let incoming = Incoming {
            router,
            observer: Arc::new(Observer::server(&self.telemetry)),
            checks: Arc::clone(&self.checks),
            going: still_going,
        };
        let running = tokio::spawn(server::serve(listener, Arc::new(incoming), stopped));
        let said = Map::from_iter([
            ("address".to_owned(), json!(address.to_string())),
            ("contracts".to_owned(), json!(contracts)),
        ]);
        println!("{}", Lines::new(&self.config).line("info", "announce", said));
        self.health = Some(health);
        self.served = Some(Served { stop, going, running, address, contracts });
        Ok(())
    }

    /// Says SERVING, and then registers the instance in Consul, where it stays registered until [`Self::wait`] ends.
    /// Waits for Consul as long as it takes, or until a signal ends the service.
    pub async fn join(&mut self) {
        if let Some(health) = &self.health {
            health.send_replace(ServingStatus::Serving);
        }
        let (Some(consul), Some(served)) = (&self.config.consul, &self.served) else { return };
        let membership = Membership::begin(consul, &self.config, served.address, &served.contracts);
        tokio::select! {
            () = membership.joined() => {}
            () = signalled(&self.signals, 1) => {}
        }
        self.membership = Some(membership);
    }
}

/// Has both versions of reflection served: they list the contracts, health and themselves.
fn reflect(
    router: &mut Router,
    contracts: &[String],
    descriptors: &'static [u8],
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    use tonic_reflection::pb::{v1, v1alpha};
    let builder = || {
        let own = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"];
        let names = contracts
            .iter()
            .map(String::as_str)
            .chain(own)
            .chain(["grpc.reflection.v1alpha.ServerReflection"]);
        names.fold(
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(descriptors)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(v1::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(v1alpha::FILE_DESCRIPTOR_SET)
                .include_reflection_service(false),
            tonic_reflection::server::Builder::with_service_name,
        )
    };
    router.add(builder().build_v1()?);
    router.add(builder().build_v1alpha()?);
    Ok(())
}

/// Where others reach the instance: at the port that was bound, by the address that was configured, else the one that
/// was bound, else (bound to all) the one that this machine has towards others.
fn advertised(config: &Config, bound: SocketAddr) -> SocketAddr {
    let bound_to = || if bound.ip().is_unspecified() { reachable(bound.is_ipv6()) } else { bound.ip() };
    SocketAddr::new(config.advertise.unwrap_or_else(bound_to), bound.port())
}

/// The address that this machine has towards others; loopback when it has no way to any.
fn reachable(six: bool) -> IpAddr {
    let (from, elsewhere, loopback) = if six {
        ("[::]:0", "[2001:db8::1]:9", IpAddr::from(Ipv6Addr::LOCALHOST))
    } else {
        ("0.0.0.0:0", "192.0.2.1:9", IpAddr::from(Ipv4Addr::LOCALHOST))
    };
    let way = UdpSocket::bind(from).and_then(|socket| {
        socket.connect(elsewhere)?; // which sends nothing
        socket.local_addr()
    });
    way.map_or(loopback, |address| address.ip())
}
