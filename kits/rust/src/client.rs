//! How a client finds a service by its name.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderMap, Request, Response};
use tokio::sync::{mpsc, watch};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use crate::checks::Checks;
use crate::config::{Config, Discovery};
use crate::observe::Observer;
use crate::outgoing::{Callee, agent_of};
use crate::policies::Policies;
use crate::telemetry::Telemetry;
use crate::xds::ads::{Follower, Known};
use crate::xds::cluster::{Cluster, Pick};
use crate::xds::outliers::Calls;
use crate::xds::routes::{Fault, Retries};

/// The clients of a process.
#[derive(Clone)]
pub struct Clients(Arc<Shared>);

struct Shared {
    config: Arc<Config>,
    observer: Arc<Observer>,
    checks: Arc<Checks>,
    policies: Policies,
    changed: watch::Sender<()>,
    following: Option<(mpsc::UnboundedSender<String>, watch::Receiver<Arc<Known>>)>,
    open: Mutex<HashMap<String, Arc<Callee>>>,
}

impl Clients {
    pub(crate) fn new(config: Arc<Config>, telemetry: &Telemetry, checks: Arc<Checks>) -> Self {
        let changed = watch::Sender::new(());
        let following = match &config.discovery {
            Discovery::Xds(bootstrap) => Some(Follower::begin((**bootstrap).clone(), changed.clone())),
            Discovery::Static(_) => None,
        };
        Self(Arc::new(Shared {
            observer: Arc::new(Observer::client(telemetry)),
            policies: Policies::new(Arc::clone(&config)),
            open: Mutex::default(),
            config,
            checks,
            changed,
            following,
        }))
    }

    /// A client of a service, for what tonic generates for any contract. It spreads calls over the service's healthy
    /// instances and follows them as they come and go. Nothing is dialed before the first client of a service.
    #[must_use]
    pub fn client(&self, service: &str) -> Client {
        let shared = &self.0;
        let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        let callee = open.entry(service.to_owned()).or_insert_with(|| {
            Arc::new(Callee {
                service: service.to_owned(),
                agent: agent_of(&shared.config.service),
                deadline: shared.config.deadline,
                observer: Arc::clone(&shared.observer),
                checks: Arc::clone(&shared.checks),
                policy: shared.policies.open(service),
                instances: shared.instances(service),
            })
        });
        Client(Arc::clone(callee))
    }
}

impl Shared {
    fn instances(&self, service: &str) -> Instances {
        let changed = self.changed.clone();
        match (&self.config.discovery, &self.following) {
            (Discovery::Static(addresses), _) => {
                let addresses = addresses.get(service).map_or(&[][..], Vec::as_slice);
                Instances { changed, source: Source::Fixed(Cluster::fixed(addresses, &self.changed)) }
            }
            (Discovery::Xds(_), Some((ask, known))) => {
                _ = ask.send(service.to_owned()); // fails only when the process ends
                Instances { changed, source: Source::Followed(service.to_owned(), known.clone()) }
            }
            (Discovery::Xds(_), None) => Instances { changed, source: Source::Fixed(Cluster::default()) },
        }
    }
}

/// Where the instances of a service are.
pub struct Instances {
    changed: watch::Sender<()>,
    source: Source,
}

enum Source {
    Fixed(Cluster),
    Followed(String, watch::Receiver<Arc<Known>>),
}

impl Instances {
    /// Looks for an instance for a call, also while what is known changes. Gives the cluster's name and its limit of
    /// calls as well.
    pub async fn pick(&self, path: &str, headers: &HeaderMap) -> Result<Picked, Status> {
        let mut changes = self.changed.subscribe();
        loop {
            changes.mark_unchanged();
            match self.look(path, headers) {
                Ok(Some(picked)) => return Ok(picked),
                Ok(None) => _ = changes.changed().await, // its sender is this
                Err(status) => return Err(status),
            }
        }
    }

    /// How often a failed call is tried again, as its route says.
    pub fn retries(&self, path: &str, headers: &HeaderMap) -> Retries {
        let Source::Followed(service, known) = &self.source else { return Retries::default() };
        let routes = known.borrow().routes.get(service).cloned();
        routes.map(|routes| routes.retries(path, headers)).unwrap_or_default()
    }

    fn look(&self, path: &str, headers: &HeaderMap) -> Result<Option<Picked>, Status> {
        let (pick, fault, limit) = match &self.source {
            Source::Fixed(cluster) => (cluster.pick(), Fault::default(), None),
            Source::Followed(service, known) => {
                let known = Arc::clone(&known.borrow());
                let Some(routes) = known.routes.get(service) else { return Ok(None) };
                let (name, fault) = routes
                    .find(path, headers)
                    .ok_or_else(|| Status::unavailable(format!("no route of {service} is for {path}")))?;
                let Some((cluster, limit)) = known.clusters.get(name) else { return Ok(None) };
                (cluster.pick(), fault, limit.map(|limit| (name.to_owned(), limit)))
            }
        };
        match pick {
            Pick::Ready(sender, calls) => Ok(Some(Picked { sender, calls, fault, limit })),
            Pick::Later => Ok(None),
            Pick::None(status) => Err(status),
        }
    }
}

/// An instance for a call, and what else the call's route says.
pub struct Picked {
    pub sender: hyper::client::conn::http2::SendRequest<Body>,
    /// What the call counts among.
    pub calls: Arc<Calls>,
    pub fault: Fault,
    /// The cluster, and how many calls of it may run at once.
    pub limit: Option<(String, u32)>,
}

/// A client of a service.
#[derive(Clone)]
pub struct Client(Arc<Callee>);

impl Service<Request<Body>> for Client {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let calling = Arc::clone(&self.0).call(request);
        Box::pin(async move { Ok(calling.await) })
    }
}

/// The second of this process's clock.
pub fn second() -> u64 {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    BEGIN.get_or_init(Instant::now).elapsed().as_secs() + 100 // so that there were seconds before
}
