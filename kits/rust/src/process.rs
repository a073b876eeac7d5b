//! The process around a service: its signals, and its exit status.

use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::kit::StartError;

const EXIT_CONFIGURATION: u8 = 64; // EX_USAGE of sysexits.h

/// Runs a service to its end, for `main`: status 0 when it ends well, 64 with a [`crate::ConfigError`], else 1, with one line
/// on standard error.
pub fn run<F>(service: F) -> ExitCode
where
    F: Future<Output = Result<(), StartError>>,
{
    let runtime = match runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error, ExitCode::FAILURE),
    };
    let result = runtime.block_on(service);
    runtime.shutdown_background(); // a handler that does not end is left to end with the process
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(StartError::Config(error)) => failed(&error, ExitCode::from(EXIT_CONFIGURATION)),
        Err(StartError::Other(error)) => failed(&error, ExitCode::FAILURE),
    }
}

fn failed(error: &dyn Display, code: ExitCode) -> ExitCode {
    eprintln!("{error}");
    code
}

/// Counts SIGTERM and SIGINT from now on.
pub fn count_signals() -> std::io::Result<watch::Receiver<u32>> {
    let (count, counted) = watch::channel(0);
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        tokio::spawn(count_signal(signal(kind)?, count.clone()));
    }
    Ok(counted)
}

async fn count_signal(mut signal: Signal, count: watch::Sender<u32>) {
    while signal.recv().await.is_some() {
        count.send_modify(|count| *count += 1);
    }
}

/// Waits for so many signals.
pub async fn signalled(signals: &watch::Receiver<u32>, count: u32) {
    if signals.clone().wait_for(|counted| *counted >= count).await.is_err() {
        std::future::pending::<()>().await; // there will be no other
    }
}
