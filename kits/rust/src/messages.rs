//! The messages of a body as gRPC frames them: a flag, four bytes of length, then the message; and its trailers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use crate::checks::Checks;

/// The most bytes of a message, in and out.
pub const MAX_MESSAGE: usize = 4 << 20;
/// The most bytes of a list of headers, in and out.
pub const MAX_HEADER_LIST: u32 = 16 << 10;
/// The bytes before a message.
pub const PREFIX: usize = 5;

/// The body of a call that came in, whose messages are checked before anyone sees them.
pub struct Checked {
    body: Body,
    path: String,
    checks: std::sync::Arc<Checks>,
    held: BytesMut,
}

impl Checked {
    pub fn new(body: Body, path: String, checks: std::sync::Arc<Checks>) -> Self {
        Self { body, path, checks, held: BytesMut::new() }
    }

    /// Takes the whole messages off what has come so far, which were checked.
    fn whole(&mut self) -> Result<Option<Bytes>, Status> {
        let mut end = 0;
        while let Some(length) = length(&self.held[end..])? {
            let next = end + PREFIX + length;
            if self.held.len() < next {
                break;
            }
            if self.held[end] == 0 {
                self.checks.message(&self.path, &self.held[end + PREFIX..next])?;
            }
            end = next;
        }
        Ok((end > 0).then(|| self.held.split_to(end).freeze()))
    }
}

impl http_body::Body for Checked {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
                // what is left is no whole message, which tonic says
                let rest = self.held.split().freeze();
                return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
            };
            match frame?.into_data() {
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                Ok(data) => self.held.extend_from_slice(&data),
            }
            if let Some(whole) = self.whole()? {
                return Poll::Ready(Some(Ok(Frame::data(whole))));
            }
        }
    }
}

/// The length of the message that begins here, as soon as it is known.
fn length(bytes: &[u8]) -> Result<Option<usize>, Status> {
    let Some(prefix) = bytes.get(1..PREFIX) else { return Ok(None) };
    let length = prefix.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    if length > MAX_MESSAGE { Err(too_large(length)) } else { Ok(Some(length)) }
}

fn too_large(length: usize) -> Status {
    Status::resource_exhausted(format!("expected a message of at most {MAX_MESSAGE} bytes, found {length}"))
}

/// Watches the sizes of the messages of a body that goes by.
#[derive(Default)]
pub struct Sizes {
    prefix: BytesMut,
    left: usize,
}

impl Sizes {
    /// Looks at the next bytes, and fails at the beginning of a message that is too large.
    pub fn pass(&mut self, mut data: Bytes) -> Result<(), Status> {
        while !data.is_empty() {
            let skipped = self.left.min(data.len());
            data.advance(skipped);
            self.left -= skipped;
            let wanted = (PREFIX - self.prefix.len()).min(data.len());
            self.prefix.extend_from_slice(&data.split_to(wanted));
            if let Some(length) = length(&self.prefix)? {
                self.left = length;
                self.prefix.clear();
            }
        }
        Ok(())
    }
}

/// Makes the trailers of a status. Only what can't be in a header fails, and is then said itself.
pub fn write_status(status: &Status, trailers: &mut HeaderMap) {
    if let Err(other) = status.add_header(trailers) {
        _ = other.add_header(trailers);
    }
}

/// A body that is all there, for calls that may be made again.
pub struct Whole(pub Option<Bytes>);

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |data| data.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn a_message_that_is_too_large_is_found_wherever_its_prefix_is_split() {
        let mut sizes = Sizes::default();
        assert!(sizes.pass(Bytes::from_static(&[0, 0, 0, 0, 2, 7, 7, 0, 0])).is_ok());
        assert!(sizes.pass(Bytes::from_static(&[0x40, 0, 0])).is_ok());
        let error = Sizes::default().pass(Bytes::from_static(&[0, 0, 0x40, 0, 1])).unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
    }
}
