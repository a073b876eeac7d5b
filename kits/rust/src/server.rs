//! The gRPC server: which contract gets a call, the limits of a connection, and its end.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::server::NamedService;
use tower_service::Service;

use crate::incoming::Incoming;
use crate::messages::MAX_HEADER_LIST;
use crate::pings::Policed;

const MAX_STREAMS: u32 = 1000; // at once, on one connection

/// What becomes an answer.
pub type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
type Serve = Box<dyn Fn(Request<Body>) -> Answer + Send + Sync>;

/// The contracts that are served, by their names.
#[derive(Default)]
pub struct Router(BTreeMap<&'static str, Serve>);

impl Router {
    /// Has a contract served, by what tonic generates for it.
    pub fn add<S>(&mut self, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: NamedService + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let serve = move |request| -> Answer {
            let answer = service.clone().call(request);
            Box::pin(async move { answer.await.unwrap_or_else(|never| match never {}) })
        };
        self.0.insert(S::NAME, Box::new(serve));
    }

    /// What serves a path, as `/package.Service/Method`.
    pub fn find(&self, path: &str) -> Option<&Serve> {
        self.0.get(path.strip_prefix('/')?.split_once('/')?.0)
    }

    /// The contracts without gRPC's own, in alphabetical order.
    pub fn contracts(&self) -> Vec<String> {
        self.0.keys().filter(|name| !name.starts_with("grpc.")).map(|name| (*name).to_owned()).collect()
    }
}

/// Serves until `stop` is closed, and then until all running calls have ended.
pub async fn serve(listener: TcpListener, incoming: Arc<Incoming>, mut stop: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    _ = stream.set_nodelay(true); // fails only where there is no connection any more
                    connections.spawn(connection(stream, Arc::clone(&incoming), stop.clone()));
                }
                // too many open files, most of all: those who call wait meanwhile
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Serves one connection: to its end, or from when `stop` is closed until its calls have ended.
async fn connection(stream: TcpStream, incoming: Arc<Incoming>, mut stop: watch::Receiver<()>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let incoming = Arc::clone(&incoming);
        async move { Ok::<_, Infallible>(incoming.answer(request.map(Body::new)).await) }
    });
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        .serve_connection(TokioIo::new(Policed::new(stream)), service);
    tokio::pin!(serving);
    // that a connection fails is for its other side to say
    tokio::select! {
        _ = serving.as_mut() => return,
        _ = stop.changed() => serving.as_mut().graceful_shutdown(),
    }
    _ = serving.await;
}
