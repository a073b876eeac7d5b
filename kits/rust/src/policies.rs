//! What the control plane has this process do to its calls: one stream from it, and what it said last of each service.
//!
//! While there is no stream, what was said last holds. No call waits for the stream, but for those that are made before
//! it was first said what is done to them: these wait until it is, until the stream fails, or a second from when their
//! client was opened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tonic::Status;
use tonic::transport::Endpoint;

use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::config::{Config, Discovery};
use crate::generated::mesh::traffic_service_client::TrafficServiceClient;
use crate::generated::mesh::{CallPolicy, WatchCallPoliciesRequest};
use crate::rules::{Rule, Rules};

const FIRST_WAIT: Duration = Duration::from_secs(1);

/// What is done to the calls of one service.
pub struct Policy {
    pub budget: Budget,
    rules: RwLock<Arc<Rules>>,
    settled: watch::Sender<bool>,
}

impl Policy {
    fn new(settled: bool) -> Arc<Self> {
        let (settled, _) = watch::channel(settled);
        Arc::new(Self { budget: Budget::default(), rules: RwLock::default(), settled })
    }

    /// What is done to a call, which may have to wait for that.
    pub async fn find(&self, path: &str, headers: &HeaderMap) -> Rule {
        if !*self.settled.borrow() {
            _ = timeout(FIRST_WAIT, self.settled.subscribe().wait_for(|settled| *settled)).await;
            self.settled.send_replace(true);
        }
        let rules = Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner));
        if rules.is_empty() {
            return Rule::default();
        }
        self.budget.called(crate::client::second());
        rules.find(path, headers).cloned().unwrap_or_default()
    }

    /// Does from now on what was said. Where that can't be done, it does as before.
    fn follow(&self, said: &CallPolicy, carries_retries: bool) -> Result<(), String> {
        let rules = Rules::new(&said.rules, carries_retries)?;
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        self.budget.allow(said.retry_budget.as_ref().map(|limit| (limit.percent, limit.min_per_second)));
        Ok(())
    }
}

/// The policies of all services that this process has clients of.
pub struct Policies {
    config: Arc<Config>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    policies: BTreeMap<String, Arc<Policy>>,
    stream: Option<AbortHandle>,
}

impl Policies {
    pub fn new(config: Arc<Config>) -> Self {
        Self { config, known: Mutex::default() }
    }

    /// The policy of a service, which the control plane is asked for from now on.
    pub fn open(&self, service: &str) -> Arc<Policy> {
        let Discovery::Xds(bootstrap) = &self.config.discovery else { return Policy::new(true) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = Policy::new(false);
        known.policies.insert(service.to_owned(), Arc::clone(&policy));
        let follower = Follower {
            request: WatchCallPoliciesRequest {
                services: known.policies.keys().cloned().collect(),
                caller: self.config.service.clone(),
                zone: self.config.zone.clone(),
            },
            policies: known.policies.clone(),
            control_plane: bootstrap.control_plane.clone(),
            carries_retries: bootstrap.carries_retries,
        };
        let stream = tokio::spawn(follower.follow()).abort_handle();
        if let Some(before) = known.stream.replace(stream) {
            before.abort();
        }
        policy
    }
}

/// Follows one stream for all services that were asked for so far.
struct Follower {
    request: WatchCallPoliciesRequest,
    policies: BTreeMap<String, Arc<Policy>>,
    control_plane: String,
    carries_retries: bool,
}

impl Follower {
    /// Keeps a stream open, and opens it again whenever it ends.
    async fn follow(self) {
        let (mut backoff, mut lost) = (Backoff::of_streams(), false);
        loop {
            let mut heard = false;
            let ended = self.watch(&mut heard, &mut lost).await;
            self.settle();
            if heard {
                backoff.worked();
            }
            if !std::mem::replace(&mut lost, true) {
                tracing::warn!(
                    error = ended.message(),
                    "the control plane doesn't say what is done to calls; asking again"
                );
            }
            backoff.pause().await;
        }
    }

    /// Follows one stream to its end.
    async fn watch(&self, heard: &mut bool, lost: &mut bool) -> Status {
        let stream = async {
            let endpoint = Endpoint::from_shared(format!("http://{}", self.control_plane))
                .map_err(|error| Status::unavailable(error.to_string()))?;
            let endpoint = endpoint.http2_keep_alive_interval(Duration::from_mins(5));
            let mut traffic = TrafficServiceClient::new(endpoint.connect_lazy());
            traffic.watch_call_policies(self.request.clone()).await
        };
        let mut stream = match stream.await {
            Ok(stream) => stream.into_inner(),
            Err(status) => return status,
        };
        loop {
            match stream.message().await {
                Ok(Some(said)) => {
                    *heard = true;
                    if std::mem::take(lost) {
                        tracing::info!("the control plane says again what is done to calls");
                    }
                    said.changed.iter().for_each(|policy| self.take(policy));
                    self.settle();
                }
                Ok(None) => return Status::unavailable("the stream ended"),
                Err(status) => return status,
            }
        }
    }

    fn take(&self, said: &CallPolicy) {
        let Some(policy) = self.policies.get(&said.service) else { return };
        if let Err(error) = policy.follow(said, self.carries_retries) {
            tracing::error!(
                callee = said.service,
                error,
                "calls can't be treated as was said, and go on as before"
            );
        }
    }

    /// Has no call wait any longer.
    fn settle(&self) {
        for policy in self.policies.values() {
            policy.settled.send_replace(true);
        }
    }
}
