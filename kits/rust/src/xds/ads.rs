//! The stream itself: what is subscribed to, what is accepted or refused, and what is known.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Code, Status};

use super::cluster::Cluster;
use super::outliers::{Detection, Judge};
use super::routes::Routes;
use crate::backoff::Backoff;
use crate::bootstrap::Bootstrap;
use crate::generated::envoy as xds;
use crate::generated::rpc;
use xds::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;

const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const ROUTES: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const ASSIGNMENT: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
const TYPES: [&str; 4] = [LISTENER, ROUTES, CLUSTER, ASSIGNMENT];

/// What calls go by.
#[derive(Clone, Default)]
pub struct Known {
    /// The routes of each service.
    pub routes: HashMap<String, Arc<Routes>>,
    /// Each cluster with its instances, and how many calls may run at once.
    pub clusters: HashMap<String, (Arc<Cluster>, Option<u32>)>,
}

/// Follows the control plane.
pub struct Follower {
    bootstrap: Bootstrap,
    asked: mpsc::UnboundedReceiver<String>,
    services: BTreeSet<String>,
    known: watch::Sender<Arc<Known>>,
    changed: watch::Sender<()>,
    /// By service: the name of its route configuration, or the configuration.
    listeners: HashMap<String, Result<String, xds::RouteConfiguration>>,
    routes: HashMap<String, xds::RouteConfiguration>,
    clusters: HashMap<String, xds::Cluster>,
    assignments: HashMap<String, Arc<Cluster>>,
    /// By cluster, where it has outliers left alone.
    judges: HashMap<String, Judge>,
    versions: HashMap<&'static str, String>,
}

/// One stream.
struct Stream {
    requests: mpsc::UnboundedSender<xds::DiscoveryRequest>,
    nonces: HashMap<&'static str, String>,
    subscribed: HashMap<&'static str, BTreeSet<String>>,
}

impl Follower {
    /// Begins to follow, from when the first service is asked for. `changed` is told of everything that may let a call
    /// go on.
    pub fn begin(
        bootstrap: Bootstrap,
        changed: watch::Sender<()>,
    ) -> (mpsc::UnboundedSender<String>, watch::Receiver<Arc<Known>>) {
        let (ask, asked) = mpsc::unbounded_channel();
        let (known, now_known) = watch::channel(Arc::default());
        let follower = Self {
            bootstrap,
            asked,
            services: BTreeSet::new(),
            known,
            changed,
            listeners: HashMap::new(),
            routes: HashMap::new(),
            clusters: HashMap::new(),
            assignments: HashMap::new(),
            judges: HashMap::new(),
            versions: HashMap::new(),
        };
        tokio::spawn(follower.follow());
        (ask, now_known)
    }

    /// Keeps a stream open, and opens it again whenever it ends.
    async fn follow(mut self) {
        let Some(first) = self.asked.recv().await else { return };
        self.services.insert(first);
        let (mut backoff, mut lost) = (Backoff::of_streams(), false);
        loop {
            let mut heard = false;
            let Some(ended) = self.watch(&mut heard, &mut lost).await else { return };
            if heard {
                backoff.worked();
            }
            if !std::mem::replace(&mut lost, true) {
                tracing::warn!(error = ended.message(), "the control plane is away; calls go on as before");
            }
            backoff.pause().await;
        }
    }

    /// Follows one stream to its end; nothing when nobody asks any more.
    async fn watch(&mut self, heard: &mut bool, lost: &mut bool) -> Option<Status> {
        let endpoint = match Endpoint::from_shared(format!("http://{}", self.bootstrap.control_plane)) {
            Ok(endpoint) => endpoint.connect_timeout(Duration::from_secs(5)),
            Err(error) => return Some(Status::unavailable(error.to_string())),
        };
        let channel = endpoint.http2_keep_alive_interval(Duration::from_mins(5)).connect_lazy();
        let (requests, sent) = mpsc::unbounded_channel();
        let mut stream = Stream { requests, nonces: HashMap::new(), subscribed: HashMap::new() };
        self.subscribe(&mut stream, None);
        let mut client = AggregatedDiscoveryServiceClient::new(channel).max_decoding_message_size(64 << 20);
        let mut responses = match client.stream_aggregated_resources(UnboundedReceiverStream::new(sent)).await
        {
            Ok(responses) => responses.into_inner(),
            Err(status) => return Some(status),
        };
        loop {
            tokio::select! {
                asked = self.asked.recv() => {
                    self.services.insert(asked?);
                    self.subscribe(&mut stream, None);
                }
                response = responses.message() => match response {
                    Ok(Some(response)) => {
                        *heard = true;
                        if std::mem::take(lost) {
                            tracing::info!("the control plane is back");
                        }
                        self.take(&mut stream, response);
                    }
                    Ok(None) => return Some(Status::unavailable("the stream ended")),
                    Err(status) => return Some(status),
                },
            }
        }
    }

    /// Does what a response says, then accepts it, or refuses it and goes on as before.
    fn take(&mut self, stream: &mut Stream, response: xds::DiscoveryResponse) {
        let Some(kind) = TYPES.into_iter().find(|kind| *kind == response.type_url) else { return };
        stream.nonces.insert(kind, response.nonce);
        let error = match self.learn(kind, &response.resources) {
            Ok(()) => {
                self.versions.insert(kind, response.version_info);
                None
            }
            Err(error) => {
                tracing::error!(
                    kind,
                    error,
                    "the control plane said what can't be followed; going on as before"
                );
                Some(rpc::Status { code: Code::InvalidArgument.into(), message: error, details: Vec::new() })
            }
        };
        self.publish(kind);
        stream.subscribed.remove(kind); // so that this type is answered
        self.subscribe(stream, error);
    }

    fn learn(&mut self, kind: &str, resources: &[prost_types::Any]) -> Result<(), String> {
        match kind {
            LISTENER => {
                let read = |said: xds::Listener| Ok((said.name.clone(), route_source(&said)?));
                self.listeners = decoded(resources)?.into_iter().map(read).collect::<Result<_, String>>()?;
            }
            ROUTES => {
                for said in decoded::<xds::RouteConfiguration>(resources)? {
                    Routes::new(&said, "")?;
                    self.routes.insert(said.name.clone(), said);
                }
            }
            CLUSTER => {
                let said: Vec<xds::Cluster> = decoded(resources)?;
                self.judge(&said)?;
                self.clusters = said.into_iter().map(|said| (said.name.clone(), said)).collect();
            }
            _ => {
                for said in decoded::<xds::ClusterLoadAssignment>(resources)? {
                    let before = self.assignments.entry(said.cluster_name.clone()).or_default();
                    *before = Arc::new(before.assigned(&said, &self.changed));
                }
            }
        }
        Ok(())
    }

    /// Has outliers left alone in the clusters that ask for it, and in no others.
    fn judge(&mut self, clusters: &[xds::Cluster]) -> Result<(), String> {
        let detections: Vec<_> = clusters.iter().map(Detection::new).collect::<Result<_, _>>()?;
        let mut before = std::mem::take(&mut self.judges);
        for (name, detection) in clusters.iter().map(|cluster| &cluster.name).zip(detections) {
            let Some(detection) = detection else { continue };
            let same = before.remove(name).filter(|judge| judge.does(&detection));
            let begin =
                || Judge::begin(name.clone(), detection, self.known.subscribe(), self.changed.clone());
            self.judges.insert(name.clone(), same.unwrap_or_else(begin));
        }
        Ok(())
    }

    /// Has calls go by what is known now, after a response of a type. Routes are read anew only where they may be others:
    /// instances change far more often.
    fn publish(&mut self, kind: &str) {
        let mut known = Known::default();
        let before = Arc::clone(&self.known.borrow());
        for service in &self.services {
            if let Some(routes) = before.routes.get(service).filter(|_| ![LISTENER, ROUTES].contains(&kind)) {
                known.routes.insert(service.clone(), Arc::clone(routes));
                continue;
            }
            let said = match self.listeners.get(service) {
                Some(Ok(name)) => self.routes.get(name),
                Some(Err(inline)) => Some(inline),
                None => None,
            };
            if let Some(Ok(routes)) = said.map(|said| Routes::new(said, service)) {
                known.routes.insert(service.clone(), Arc::new(routes));
            }
        }
        for (name, cluster) in &self.clusters {
            if let Some(instances) = self.assignments.get(assignment_of(name, cluster)) {
                let thresholds = cluster.circuit_breakers.iter().flat_map(|breakers| &breakers.thresholds);
                let limit = thresholds.filter(|each| each.priority == 0).find_map(|each| each.max_requests);
                known.clusters.insert(name.clone(), (Arc::clone(instances), limit));
            }
        }
        self.known.send_replace(Arc::new(known));
        self.changed.send_replace(());
    }

    /// Tells the control plane what is wanted of each type, where that or what was answered has changed.
    fn subscribe(&mut self, stream: &mut Stream, mut error: Option<rpc::Status>) {
        let routes: BTreeSet<_> = self.listeners.values().filter_map(|source| source.clone().ok()).collect();
        let known = self.known.borrow().clone();
        let clusters: BTreeSet<_> = known
            .routes
            .values()
            .flat_map(|routes| routes.clusters().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let assignments: BTreeSet<_> = clusters
            .iter()
            .filter_map(|name| Some(assignment_of(name, self.clusters.get(name)?).to_owned()))
            .collect();
        self.routes.retain(|name, _| routes.contains(name));
        self.assignments.retain(|name, _| assignments.contains(name));
        for (kind, wanted) in TYPES.into_iter().zip([self.services.clone(), routes, clusters, assignments]) {
            let before = stream.subscribed.get(kind);
            if before == Some(&wanted) || (wanted.is_empty() && !stream.nonces.contains_key(kind)) {
                continue;
            }
            let answers = before.is_none() && stream.nonces.contains_key(kind);
            let request = xds::DiscoveryRequest {
                version_info: self.versions.get(kind).cloned().unwrap_or_default(),
                node: Some(self.bootstrap.node.clone()),
                resource_names: wanted.iter().cloned().collect(),
                type_url: kind.to_owned(),
                response_nonce: stream.nonces.get(kind).cloned().unwrap_or_default(),
                error_detail: if answers { error.take() } else { None },
            };
            stream.subscribed.insert(kind, wanted);
            _ = stream.requests.send(request); // fails where the stream has ended, which is seen elsewhere
        }
    }
}

fn decoded<M: Message + Default>(resources: &[prost_types::Any]) -> Result<Vec<M>, String> {
    resources.iter().map(|any| M::decode(&*any.value).map_err(|error| error.to_string())).collect()
}

fn route_source(said: &xds::Listener) -> Result<Result<String, xds::RouteConfiguration>, String> {
    let api = said.api_listener.as_ref().and_then(|listener| listener.api_listener.as_ref());
    let api = api.ok_or_else(|| format!("{}: expected an API listener", said.name))?;
    let manager = xds::HttpConnectionManager::decode(&*api.value).map_err(|error| error.to_string())?;
    match (manager.rds, manager.route_config) {
        (Some(rds), _) => Ok(Ok(rds.route_config_name)),
        (None, Some(inline)) => Ok(Err(inline)),
        (None, None) => Err(format!("{}: expected routes", said.name)),
    }
}

fn assignment_of<'a>(name: &'a str, cluster: &'a xds::Cluster) -> &'a str {
    let said = cluster.eds_cluster_config.as_ref().map_or("", |config| &config.service_name);
    if said.is_empty() { name } else { said }
}
