//! A gRPC client and server that know no kit, as tonic's own documentation has them.

use std::env;
use std::error::Error;

use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

mod contracts {
    #![allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications)]
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}
use contracts::gossamer::probe::v1::probe_service_client::ProbeServiceClient;
use contracts::gossamer::probe::v1::probe_service_server::{ProbeService, ProbeServiceServer};
use contracts::gossamer::probe::v1::{
    CallRequest, CallResponse, ChatRequest, ChatResponse, CountRequest, CountResponse, EchoRequest,
    EchoResponse, FailRequest, FailResponse, Hop, RelayRequest, RelayResponse, SumRequest, SumResponse,
    WaitRequest, WaitResponse,
};

struct Foreign;

fn hop() -> Hop {
    let foreign = "foreign".to_owned();
    Hop { service: foreign.clone(), instance: foreign, language: "rust".to_owned(), ..Hop::default() }
}

fn not_served<T>() -> Result<T, Status> {
    Err(Status::unimplemented("only Echo and Relay are"))
}

#[tonic::async_trait]
impl ProbeService for Foreign {
    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        let payload = request.into_inner().payload;
        Ok(Response::new(EchoResponse { payload, hop: Some(hop()), ..EchoResponse::default() }))
    }

    async fn relay(&self, _: Request<RelayRequest>) -> Result<Response<RelayResponse>, Status> {
        Ok(Response::new(RelayResponse { hops: vec![hop()] }))
    }

    async fn wait(&self, _: Request<WaitRequest>) -> Result<Response<WaitResponse>, Status> {
        not_served()
    }

    async fn call(&self, _: Request<CallRequest>) -> Result<Response<CallResponse>, Status> {
        not_served()
    }

    async fn fail(&self, _: Request<FailRequest>) -> Result<Response<FailResponse>, Status> {
        not_served()
    }

    type CountStream = tokio_stream::Empty<Result<CountResponse, Status>>;

    async fn count(&self, _: Request<CountRequest>) -> Result<Response<Self::CountStream>, Status> {
        not_served()
    }

    async fn sum(&self, _: Request<Streaming<SumRequest>>) -> Result<Response<SumResponse>, Status> {
        not_served()
    }

    type ChatStream = tokio_stream::Empty<Result<ChatResponse, Status>>;

    async fn chat(&self, _: Request<Streaming<ChatRequest>>) -> Result<Response<Self::ChatStream>, Status> {
        not_served()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            println!("{}", listener.local_addr()?);
            let served = Server::builder().add_service(ProbeServiceServer::new(Foreign));
            served.serve_with_incoming(TcpListenerStream::new(listener)).await?;
        }
        ["call", address] => {
            let mut client = ProbeServiceClient::connect(format!("http://{address}")).await?;
            let answer = client.echo(EchoRequest::default()).await?.into_inner();
            println!("{}", answer.hop.unwrap_or_default().instance);
        }
        _ => return Err("expected serve, or call ADDRESS".into()),
    }
    Ok(())
}
