//! The streams that the probe opens to others, each to its end or dropped after the first message.

use gossamer_kit::Client;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::contract::probe_service_client::ProbeServiceClient;
use crate::contract::{ChatRequest, CountRequest, SumRequest};

type Callee = ProbeServiceClient<Client>;

/// Counts to 3.
pub async fn count(mut callee: Callee, abandon: bool) -> Result<(), Status> {
    let mut numbers = callee.count(CountRequest { to: 3, interval: None }).await?.into_inner();
    while numbers.message().await?.is_some() {
        if abandon {
            return Ok(());
        }
    }
    Ok(())
}

/// Adds up 1, 2 and 3. A sum that is abandoned has sent only the first.
pub async fn sum(mut callee: Callee, abandon: bool) -> Result<(), Status> {
    let (said, numbers) = mpsc::channel(3);
    let add = |number| said.try_send(SumRequest { number });
    let full = |_| Status::internal("expected room for three numbers");
    if abandon {
        add(1).map_err(full)?;
        let mut calling = Box::pin(callee.sum(ReceiverStream::new(numbers)));
        tokio::select! {
            answer = &mut calling => return answer.map(|_| ()),
            () = tokio::time::sleep(std::time::Duration::from_millis(200)) => return Ok(()),
        }
    }
    for number in 1..=3 {
        add(number).map_err(full)?;
    }
    drop(said);
    callee.sum(ReceiverStream::new(numbers)).await.map(|_| ())
}

/// Says three things, each after the answer to the one before.
pub async fn chat(mut callee: Callee, abandon: bool) -> Result<(), Status> {
    let (said, texts) = mpsc::channel(1);
    let say = async |text: &str| {
        let sent = said.send(ChatRequest { text: text.to_owned() }).await;
        sent.map_err(|_| Status::internal("expected the call to go on"))
    };
    say("one").await?;
    let mut answers = callee.chat(ReceiverStream::new(texts)).await?.into_inner();
    for text in ["two", "three"] {
        answers.message().await?;
        if abandon {
            return Ok(());
        }
        say(text).await?;
    }
    answers.message().await?;
    drop(said);
    answers.message().await.map(|_| ())
}
