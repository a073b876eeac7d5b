//! The orderly end of an instance, in the order of the kit contract: no call fails because of it, provided that callers
//! follow the control plane. Every step has a limit, and the whole has `Config::drain`.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tonic::transport::Endpoint;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::config::Discovery;
use crate::generated::mesh::AwaitDrainRequest;
use crate::generated::mesh::mesh_service_client::MeshServiceClient;
use crate::kit::{Kit, StartError};
use crate::process::signalled;

/// For all clients to have accepted that the instance is gone.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);
/// An ACK comes before the last call by the old assignment.
const LAST_PICKS: Duration = Duration::from_secs(1);
const ASK_INTERVAL: Duration = Duration::from_millis(100);
/// For calls to end that were cancelled.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// For deregistration, and the last telemetry.
const GOODBYE_LIMIT: Duration = Duration::from_secs(3);

impl Kit {
    /// Returns when the instance has ended in order, which begins at SIGTERM or SIGINT; a second signal ends all
    /// waiting for others.
    pub async fn wait(mut self) -> Result<(), StartError> {
        signalled(&self.signals, 1).await;
        tracing::info!("draining");
        if let Some(health) = &self.health {
            health.send_replace(ServingStatus::NotServing);
        }
        let signals = self.signals.clone();
        let limit = self.config.drain;
        let patient = async {
            self.settle().await;
            self.health = None; // watches end here
            if let Some(served) = &mut self.served {
                drop(std::mem::replace(&mut served.stop, tokio::sync::watch::channel(()).0));
                _ = (&mut served.running).await; // it panics as little as any other task
            }
        };
        let waited = tokio::select! {
            waited = timeout(limit, patient) => waited.is_ok(),
            () = signalled(&signals, 2) => false,
        };
        if !waited {
            self.stop().await;
        }
        self.say_goodbye().await;
        tracing::info!("drained");
        Ok(())
    }

    /// Takes the instance out of the mesh, and waits until no client calls it any more, as far as that can be known.
    async fn settle(&self) {
        let Some(membership) = self.membership.as_ref().filter(|membership| membership.stop_keeping()) else {
            return;
        };
        note("maintenance in Consul failed", membership.pause().await);
        if let Discovery::Xds(bootstrap) = &self.config.discovery {
            match timeout(SETTLE_LIMIT, self.await_drain(&bootstrap.control_plane)).await {
                Ok(result) => note("not every client is known to have left", result),
                Err(late) => note("not every client is known to have left", Err(late.into())),
            }
        }
        sleep(LAST_PICKS).await;
    }

    /// Asks the control plane until it says that every client has left, also while it is away.
    async fn await_drain(&self, control_plane: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        let channel = Endpoint::from_shared(format!("http://{control_plane}"))?.connect_lazy();
        let mut mesh = MeshServiceClient::new(channel);
        let request = AwaitDrainRequest {
            service: self.config.service.clone(),
            instance_id: self.config.instance.clone(),
            max_wait: Some(prost_types::Duration { seconds: 5, nanos: 0 }),
        };
        loop {
            if mesh.await_drain(request.clone()).await.is_ok_and(|answer| answer.get_ref().drained) {
                return Ok(());
            }
            sleep(ASK_INTERVAL).await;
        }
    }

    /// Ends what still runs.
    async fn stop(&mut self) {
        tracing::warn!("stopped without waiting longer for running calls");
        self.health = None;
        let Some(mut served) = self.served.take() else { return };
        drop((served.stop, served.going));
        if timeout(LAST_WORDS, &mut served.running).await.is_err() {
            tracing::warn!("a connection stays open although its calls were cancelled");
        }
    }

    /// Leaves Consul and sends what telemetry is left.
    async fn say_goodbye(&mut self) {
        let goodbye = async {
            if let Some(membership) = &self.membership {
                note("deregistration from Consul failed", membership.leave().await);
            }
            let telemetry = Arc::clone(&self.telemetry);
            _ = tokio::task::spawn_blocking(move || telemetry.flush()).await;
        };
        _ = timeout(GOODBYE_LIMIT, goodbye).await; // it is no reason to stay
    }
}

/// Logs what went wrong on the way out, which is no reason to stop halfway.
fn note(message: &str, result: Result<(), Box<dyn Error + Send + Sync>>) {
    if let Err(error) = result {
        tracing::warn!(error = %error, "{message}");
    }
}
