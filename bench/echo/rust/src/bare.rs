//! Echoes from tonic alone. It announces itself like the kit does, and has health, without which it could be in no mesh.

mod echoes;

use std::error::Error;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use echoes::{Echoes, ProbeServiceServer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (_, health) = tonic_health::server::health_reporter();
    let served = Server::builder().add_service(ProbeServiceServer::new(Echoes)).add_service(health);
    println!(r#"{{"message":"announce","address":"{}"}}"#, listener.local_addr()?);
    served.serve_with_incoming(TcpListenerStream::new(listener)).await?;
    Ok(())
}
