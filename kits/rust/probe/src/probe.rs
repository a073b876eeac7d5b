//! What each method of the contract has to do is said there.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI32, AtomicI64, Ordering};
use std::time::Duration;

use gossamer_kit::{Call, Client, Clients, Config, Error, unexpected};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::contract::probe_service_client::ProbeServiceClient;
use crate::contract::probe_service_server::ProbeService;
use crate::contract::{
    CallFailure, CallMethod, CallRequest, CallResponse, ChatRequest, ChatResponse, CountRequest,
    CountResponse, EchoRequest, EchoResponse, FailMode, FailRequest, FailResponse, Hop, RelayRequest,
    RelayResponse, SumRequest, SumResponse, WaitRequest, WaitResponse,
};
use crate::streams;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Serves the contract.
pub struct Probe {
    config: Config,
    clients: Clients,
    fails: AtomicI64,
    waits: Mutex<HashMap<String, Arc<Waits>>>,
}

/// Counts the waits of a key.
#[derive(Default)]
struct Waits {
    waiting: AtomicI32,
    cancelled: AtomicI32,
}

/// One wait. When it is dropped before its end, its call was given up.
struct Waiting {
    waits: Arc<Waits>,
    over: bool,
}

impl Waiting {
    fn end(&mut self) {
        self.over = true;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waits.waiting.fetch_sub(1, Ordering::Relaxed);
        self.waits.cancelled.fetch_add(i32::from(!self.over), Ordering::Relaxed);
    }
}

impl Probe {
    pub fn new(config: Config, clients: Clients) -> Self {
        Self { config, clients, fails: AtomicI64::new(0), waits: Mutex::default() }
    }

    fn client(&self, service: &str) -> ProbeServiceClient<Client> {
        ProbeServiceClient::new(self.clients.client(service))
    }

    /// What this instance saw of a call.
    fn hop(&self, metadata: &MetadataMap) -> Hop {
        let call = Call::current();
        let mut seen = HashMap::new();
        for pair in metadata.iter() {
            if let KeyAndValueRef::Ascii(key, value) = pair {
                seen.insert(key.to_string(), value.to_str().unwrap_or_default().to_owned());
            }
        }
        Hop {
            service: self.config.service.clone(),
            instance: self.config.instance.clone(),
            language: "rust".to_owned(),
            remaining: call.as_ref().and_then(|call| call.remaining()?.try_into().ok()),
            metadata: seen,
            trace_id: call.map(|call| call.trace_id()).unwrap_or_default(),
        }
    }

    /// Waits, and counts who waits and who gave up.
    async fn pause(&self, request: WaitRequest) -> Result<(), Status> {
        let waits = self.waits_of(&request.key);
        waits.waiting.fetch_add(1, Ordering::Relaxed);
        let mut waiting = Waiting { waits, over: false };
        let duration = to_duration(request.duration);
        let waited = async move {
            sleep(duration).await;
            waiting.end();
        };
        if request.ignore_cancellation {
            gossamer_kit::spawn(waited).await.map_err(unexpected)
        } else {
            waited.await;
            Ok(())
        }
    }

    fn waits_of(&self, key: &str) -> Arc<Waits> {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(waits.entry(key.to_owned()).or_default())
    }

    async fn call_on(self: Arc<Self>, request: CallRequest) -> Result<CallResponse, Status> {
        if let Some(first) = request.first.clone() {
            self.pause(first).await?;
        }
        let mut callee = self.client(&request.service);
        let hop = match request.method() {
            CallMethod::Unspecified => None,
            CallMethod::Echo => callee.echo(EchoRequest::default()).await?.into_inner().hop,
            CallMethod::Wait => callee.wait(request.wait.unwrap_or_default()).await?.into_inner().hop,
            CallMethod::Fail => {
                let fails = FailRequest { mode: FailMode::Domain.into(), ..FailRequest::default() };
                return Ok(failed(callee.fail(fails).await));
            }
            CallMethod::Refused => {
                let fails = FailRequest { code: 99, ..FailRequest::default() };
                return Ok(failed(callee.fail(fails).await));
            }
            CallMethod::Count => streams::count(callee, request.abandon).await.map(|()| None)?,
            CallMethod::Sum => streams::sum(callee, request.abandon).await.map(|()| None)?,
            CallMethod::Chat => streams::chat(callee, request.abandon).await.map(|()| None)?,
        };
        Ok(CallResponse { hop, failure: None })
    }
}

fn failed(answer: Result<Response<FailResponse>, Status>) -> CallResponse {
    CallResponse { hop: None, failure: answer.err().map(|status| read(&status)) }
}

/// What can be read of a call that failed.
fn read(status: &Status) -> CallFailure {
    let (error, domain) =
        Error::of(status).unwrap_or_else(|| (Error::new(status.code(), "", status.message()), String::new()));
    CallFailure {
        code: error.code.into(),
        message: error.message,
        reason: error.reason,
        domain,
        fields: error.fields.into_iter().map(|(path, _)| path).collect(),
    }
}

fn to_duration(said: Option<prost_types::Duration>) -> Duration {
    said.and_then(|said| said.try_into().ok()).unwrap_or_default()
}

/// The served form, which work that outlasts its handler can hold.
pub struct Served(pub Arc<Probe>);

#[tonic::async_trait]
impl ProbeService for Served {
    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        let hop = Some(self.0.hop(request.metadata()));
        let request = request.into_inner();
        let padding = vec![0; usize::try_from(request.response_padding).unwrap_or_default()];
        Ok(Response::new(EchoResponse { payload: request.payload, hop, padding }))
    }

    async fn relay(&self, request: Request<RelayRequest>) -> Result<Response<RelayResponse>, Status> {
        let mut hops = vec![self.0.hop(request.metadata())];
        let RelayRequest { services, last_wait } = request.into_inner();
        let Some((first, others)) = services.split_first() else {
            let wait = WaitRequest { duration: last_wait, key: "relay".to_owned(), ..WaitRequest::default() };
            self.0.pause(wait).await?;
            return Ok(Response::new(RelayResponse { hops }));
        };
        let rest = RelayRequest { services: others.to_vec(), last_wait };
        hops.extend(self.0.client(first).relay(rest).await?.into_inner().hops);
        Ok(Response::new(RelayResponse { hops }))
    }

    async fn wait(&self, request: Request<WaitRequest>) -> Result<Response<WaitResponse>, Status> {
        let hop = Some(self.0.hop(request.metadata()));
        let request = request.into_inner();
        let others = self.0.waits_of(&request.key);
        let cancelled = others.cancelled.load(Ordering::Relaxed);
        let waiting = others.waiting.load(Ordering::Relaxed);
        self.0.pause(request).await?;
        Ok(Response::new(WaitResponse { cancelled, hop, waiting }))
    }

    async fn call(&self, request: Request<CallRequest>) -> Result<Response<CallResponse>, Status> {
        let request = request.into_inner();
        let unnoticing = request.first.as_ref().is_some_and(|first| first.ignore_cancellation);
        let calling = Arc::clone(&self.0).call_on(request);
        // a handler that doesn't notice that its call is gone is one that goes on elsewhere
        let response =
            if unnoticing { gossamer_kit::spawn(calling).await.map_err(unexpected)? } else { calling.await };
        response.map(Response::new)
    }

    async fn fail(&self, request: Request<FailRequest>) -> Result<Response<FailResponse>, Status> {
        let hop = Some(self.0.hop(request.metadata()));
        let request = request.into_inner();
        let nth = self.0.fails.fetch_add(1, Ordering::Relaxed) + 1;
        let elsewhere = !request.only_instance.is_empty() && request.only_instance != self.0.config.instance;
        if nth % i64::from(request.every.max(1)) != 0 || elsewhere {
            return Ok(Response::new(FailResponse { hop }));
        }
        match request.mode() {
            FailMode::Status if request.code != 0 => {
                return Err(Status::new(Code::from(request.code), "as told"));
            }
            FailMode::Unspecified | FailMode::Status => {}
            FailMode::Domain => {
                return Err(Error::new(Code::NotFound, "PROBE_NOT_FOUND", "nothing to find here").into());
            }
            FailMode::Unexpected => return Err(unexpected("reading the secret: nobody must see this")),
            FailMode::Panic => panic!("secret: nobody must see this"),
        }
        Ok(Response::new(FailResponse { hop }))
    }

    type CountStream = Answers<CountResponse>;

    async fn count(&self, request: Request<CountRequest>) -> Result<Response<Self::CountStream>, Status> {
        let CountRequest { to, interval } = request.into_inner();
        let interval = to_duration(interval);
        let (told, numbers) = mpsc::channel(1);
        gossamer_kit::spawn(async move {
            for number in 1..=to {
                if number > 1 {
                    sleep(interval).await;
                }
                if told.send(Ok(CountResponse { number })).await.is_err() {
                    return; // the client went away
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(numbers))))
    }

    async fn sum(&self, request: Request<Streaming<SumRequest>>) -> Result<Response<SumResponse>, Status> {
        let mut numbers = request.into_inner();
        let mut response = SumResponse::default();
        while let Some(next) = numbers.message().await? {
            response.sum += i64::from(next.number);
            response.count += 1;
        }
        Ok(Response::new(response))
    }

    type ChatStream = Answers<ChatResponse>;

    async fn chat(
        &self,
        request: Request<Streaming<ChatRequest>>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        let mut said = request.into_inner();
        let instance = self.0.config.instance.clone();
        let (told, answers) = mpsc::channel(1);
        gossamer_kit::spawn(async move {
            loop {
                let answer = match said.message().await {
                    Ok(None) => return,
                    Ok(Some(next)) => Ok(ChatResponse { text: next.text, instance: instance.clone() }),
                    Err(status) => Err(status),
                };
                let last = answer.is_err();
                if told.send(answer).await.is_err() || last {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}
