//! Echoes from a server of the kit.

mod echoes;

use std::process::ExitCode;

use gossamer_kit::{Config, Kit, StartError};

use echoes::{Echoes, ProbeServiceServer};

const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

fn main() -> ExitCode {
    gossamer_kit::run(serve())
}

async fn serve() -> Result<(), StartError> {
    let mut kit = Kit::new(Config::from_env()?, DESCRIPTORS)?;
    kit.add(ProbeServiceServer::new(Echoes));
    kit.serve().await?;
    kit.join().await;
    kit.wait().await
}
