//! The handler that both servers have: it gives back what it gets. The other methods are not called.

use tokio_stream::Empty;
use tonic::{Request, Response, Status, Streaming};

mod contracts {
    #![allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications)]
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}
use contracts::gossamer::probe::v1::probe_service_server::ProbeService;
pub use contracts::gossamer::probe::v1::probe_service_server::ProbeServiceServer;
use contracts::gossamer::probe::v1::{
    CallRequest, CallResponse, ChatRequest, ChatResponse, CountRequest, CountResponse, EchoRequest,
    EchoResponse, FailRequest, FailResponse, RelayRequest, RelayResponse, SumRequest, SumResponse,
    WaitRequest, WaitResponse,
};

pub struct Echoes;

fn not_served<T>() -> Result<T, Status> {
    Err(Status::unimplemented("only Echo is"))
}

#[tonic::async_trait]
impl ProbeService for Echoes {
    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        let payload = request.into_inner().payload;
        Ok(Response::new(EchoResponse { payload, ..EchoResponse::default() }))
    }

    async fn relay(&self, _: Request<RelayRequest>) -> Result<Response<RelayResponse>, Status> {
        not_served()
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

    type CountStream = Empty<Result<CountResponse, Status>>;

    async fn count(&self, _: Request<CountRequest>) -> Result<Response<Self::CountStream>, Status> {
        not_served()
    }

    async fn sum(&self, _: Request<Streaming<SumRequest>>) -> Result<Response<SumResponse>, Status> {
        not_served()
    }

    type ChatStream = Empty<Result<ChatResponse, Status>>;

    async fn chat(&self, _: Request<Streaming<ChatRequest>>) -> Result<Response<Self::ChatStream>, Status> {
        not_served()
    }
}
