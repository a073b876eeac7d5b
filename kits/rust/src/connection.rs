//! One connection to one instance, which is made again whenever it ends.

use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tonic::body::Body;

use crate::backoff::Backoff;
use crate::messages::MAX_HEADER_LIST;
use crate::xds::outliers::Calls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How it is with a connection.
#[derive(Clone)]
pub enum State {
    /// It is being made.
    Connecting,
    /// It takes calls.
    Ready(SendRequest<Body>),
    /// It could not be made, for this reason, and is tried again.
    Failed(String),
}

/// A connection. When it is dropped, its running calls still finish.
pub struct Connection {
    /// The calls that were made of its instance.
    pub calls: Arc<Calls>,
    state: watch::Receiver<State>,
    keeping: AbortHandle,
}

impl Connection {
    /// Connects to `host:port`. `changed` is told of every change.
    pub fn open(address: String, changed: watch::Sender<()>) -> Self {
        let (told, state) = watch::channel(State::Connecting);
        let keeping = tokio::spawn(keep(address, told, changed)).abort_handle();
        Self { calls: Arc::default(), state, keeping }
    }

    /// How it is with it now.
    pub fn state(&self) -> State {
        match &*self.state.borrow() {
            State::Ready(sender) if sender.is_closed() => State::Connecting, // its end is about to be noticed
            state => state.clone(),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

async fn keep(address: String, told: watch::Sender<State>, changed: watch::Sender<()>) {
    let tell = |state| {
        told.send_replace(state);
        changed.send_replace(());
    };
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        match timeout(CONNECT_TIMEOUT, connect(&address)).await {
            Ok(Ok((sender, connection))) => {
                backoff.worked();
                tell(State::Ready(sender));
                _ = tokio::spawn(connection).await; // goes on by itself for running calls, should this task be aborted
                tell(State::Connecting);
                continue;
            }
            Ok(Err(error)) => tell(State::Failed(format!("{address}: {error}"))),
            Err(_) => tell(State::Failed(format!("{address}: no connection within {CONNECT_TIMEOUT:?}"))),
        }
        backoff.pause().await;
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn connect(
    address: &str,
) -> Result<(SendRequest<Body>, impl Future<Output = hyper::Result<()>> + Send + use<>), Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let handshake = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEADER_LIST)
        .handshake(TokioIo::new(stream));
    Ok(handshake.await?)
}
