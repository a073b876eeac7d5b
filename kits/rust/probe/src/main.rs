//! The probe program of the Rust kit: `gossamer.probe.v1.ProbeService`, written with the kit and nothing else, so that
//! tests/conformance can watch the kit from outside. `PROBE_JOIN_AFTER`, in seconds, is how long it serves before it
//! joins.

mod probe;
mod streams;

use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use gossamer_kit::{Config, Kit, StartError};

gossamer_kit::contracts!();
use contracts::gossamer::probe::v1 as contract;

fn main() -> ExitCode {
    gossamer_kit::run(serve())
}

async fn serve() -> Result<(), StartError> {
    let config = Config::from_env()?;
    let mut kit = Kit::new(config.clone(), contracts::DESCRIPTORS)?;
    let probe = probe::Probe::new(config, kit.clients());
    kit.add(contract::probe_service_server::ProbeServiceServer::new(probe::Served(Arc::new(probe))));
    kit.serve().await?;
    let later = env::var("PROBE_JOIN_AFTER").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    tokio::time::sleep(Duration::from_secs(later)).await;
    kit.join().await;
    kit.wait().await
}
