//! Echoes from tonic alone. It announces itself like the kit does, and has health, without which it could be in no mesh.

mod echoes;

use std::error::Error;

use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use echoes::{Echoes, ProbeServiceServer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true)); // as tonic's serve has it
    let (_, health) = tonic_health::server::health_reporter();
    let served = Server::builder().add_service(ProbeServiceServer::new(Echoes)).add_service(health);
    println!(r#"{{"message":"announce","address":"{}"}}"#, incoming.local_addr()?);
    served.serve_with_incoming(incoming).await?;
    Ok(())
}
