//! Health as `grpc.health.v1` has it, for "" and for each contract, which all are in the same state.

use std::collections::HashSet;
use std::pin::Pin;

use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// Answers for one instance. Watches end when the state's sender is dropped.
#[derive(Clone)]
pub struct Health {
    names: HashSet<String>,
    state: watch::Receiver<ServingStatus>,
}

impl Health {
    /// Answers for these contracts, and for "".
    pub fn new(contracts: &[String], state: watch::Receiver<ServingStatus>) -> Self {
        Self { names: contracts.iter().cloned().chain([String::new()]).collect(), state }
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let name = request.into_inner().service;
        if !self.names.contains(&name) {
            return Err(Status::not_found(format!("no contract of this instance is named {name:?}")));
        }
        Ok(Response::new(answer(*self.state.borrow())))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let known = self.names.contains(&request.into_inner().service);
        let states = WatchStream::new(self.state.clone());
        let told = states.map(move |state| if known { state } else { ServingStatus::ServiceUnknown });
        let mut last = None;
        let changes =
            told.filter(move |state| last.replace(*state) != Some(*state)).map(|state| Ok(answer(state)));
        let end = tokio_stream::once(Err(Status::unavailable("the instance ends")));
        Ok(Response::new(Box::pin(changes.chain(end))))
    }
}
