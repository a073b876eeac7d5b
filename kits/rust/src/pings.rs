//! Ends a connection whose client pings without pause, since h2 answers all pings and counts none.
//!
//! Counts as gRPC's other servers do (gRFC A8): of the pings that come too soon after the one before the third is one too
//! many, and what is answered meanwhile forgives all, because gRPC's libraries ping to measure how much they may send.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Pings every 10 s pass, even bunched.
const MIN_INTERVAL: Duration = Duration::from_secs(5);
const MAX_STRIKES: u32 = 2;
const PREFACE: usize = 24; // bytes that a client begins with
const HEAD: usize = 9; // bytes of a frame before its payload
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const ACK: u8 = 1;

/// A client's connection, which fails when there are too many pings.
pub struct Policed<S> {
    stream: S,
    received: Frames,
    sent: Frames,
    last: Option<Instant>,
    strikes: u32,
}

impl<S> Policed<S> {
    /// Looks at all that goes over a connection, from its beginning.
    pub fn new(stream: S) -> Self {
        let received = Frames { left: PREFACE, ..Frames::default() };
        Self { stream, received, sent: Frames::default(), last: None, strikes: 0 }
    }

    fn receive(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut pings = 0;
        self.received.pass(bytes, |kind, flags| pings += u32::from(kind == PING && flags & ACK == 0));
        for _ in 0..pings {
            let now = Instant::now();
            let soon = self.last.replace(now).is_some_and(|last| now.duration_since(last) < MIN_INTERVAL);
            self.strikes += u32::from(soon);
        }
        if self.strikes > MAX_STRIKES {
            return Err(io::Error::other("the client pings without pause"));
        }
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) {
        let strikes = &mut self.strikes;
        self.sent.pass(bytes, |kind, _| {
            if kind == DATA || kind == HEADERS {
                *strikes = 0;
            }
        });
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Policed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        Poll::Ready(self.receive(&buffer.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Policed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.send(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        let mut left = written;
        for slice in slices {
            let passed = left.min(slice.len());
            self.send(&slice[..passed]);
            left -= passed;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Finds the frames of HTTP/2 in one direction of a connection.
#[derive(Default)]
struct Frames {
    /// How many bytes there are before the next frame begins.
    left: usize,
    head: [u8; HEAD],
    filled: usize,
}

impl Frames {
    /// Looks at the next bytes, and tells the type and the flags of each frame that begins.
    fn pass(&mut self, mut bytes: &[u8], mut tell: impl FnMut(u8, u8)) {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            let (head, rest) = bytes[skipped..].split_at((HEAD - self.filled).min(bytes.len() - skipped));
            self.head[self.filled..][..head.len()].copy_from_slice(head);
            self.filled += head.len();
            bytes = rest;
            if self.filled == HEAD {
                let [high, middle, low, kind, flags, ..] = self.head;
                self.left = u32::from_be_bytes([0, high, middle, low]) as usize;
                self.filled = 0;
                tell(kind, flags);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PINGED: [u8; 17] = [0, 0, 8, PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let mut bytes = vec![b'x'; PREFACE];
        bytes.extend([0, 0, 2, HEADERS, 4, 0, 0, 0, 1, PING, PING]);
        bytes.extend(PINGED);
        for size in 1..bytes.len() {
            let mut frames = Frames { left: PREFACE, ..Frames::default() };
            let mut found = Vec::new();
            for part in bytes.chunks(size) {
                frames.pass(part, |kind, flags| found.push((kind, flags)));
            }
            assert_eq!(found, [(HEADERS, 4), (PING, 0)], "in parts of {size} bytes");
        }
    }

    #[test]
    fn the_third_ping_that_comes_too_soon_ends_the_connection() {
        let mut connection = Policed::new(());
        connection.receive(&[b'x'; PREFACE]).unwrap();
        let taken = (0..9).take_while(|_| connection.receive(&PINGED).is_ok()).count();
        assert_eq!(taken, 3); // the first, and two that come too soon
    }

    #[test]
    fn what_is_answered_forgives_pings() {
        let mut connection = Policed::new(());
        connection.receive(&[b'x'; PREFACE]).unwrap();
        for _ in 0..9 {
            connection.receive(&PINGED).unwrap();
            connection.send(&[0, 0, 0, DATA, 0, 0, 0, 0, 1]);
        }
    }
}
