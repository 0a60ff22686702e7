//! A connection that is written to in bounded time.
//!
//! Invariant: a peer that takes nothing for so long loses its connection. A stream is never polled
//! while its peer does not read, so nothing else could end it. Of a stream little waits in the
//! kernel, so that a slow peer comes to the word that it was too slow.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// Bytes of a stream that wait in the kernel, about; otherwise it takes megabytes.
const OF_A_STREAM: usize = 64 * 1024;

/// Says that a connection carries a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(Arc<AtomicBool>);

impl Streams {
    /// Little is to wait on this connection from now on.
    pub(crate) fn say(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

/// A connection whose kernel can be told how much may wait to be sent.
pub(crate) trait SendBuffer {
    fn set_send_buffer(&self, bytes: usize) -> io::Result<()>;
}

impl SendBuffer for TcpStream {
    fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        SockRef::from(self).set_send_buffer_size(bytes)
    }
}

/// A connection with the longest time that a write may wait.
#[derive(Debug)]
pub(crate) struct Stall<S> {
    inner: S,
    limit: Duration,
    streams: Streams,
    /// Runs while a write waits.
    waits: Option<Pin<Box<Sleep>>>,
}

impl<S> Stall<S> {
    pub(crate) const fn new(inner: S, limit: Duration, streams: Streams) -> Self {
        Self { inner, limit, streams, waits: None }
    }

    fn judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waits = None;
            return written;
        }
        let limit = self.limit;
        let waits = self.waits.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(waits.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl<S: SendBuffer> Stall<S> {
    fn narrow(&self) {
        if self.streams.take()
            && let Err(error) = self.inner.set_send_buffer(OF_A_STREAM)
        {
            tracing::debug!(%error, "the send buffer of a stream stays as it is");
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + SendBuffer + Unpin> AsyncWrite for Stall<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.narrow();
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.narrow();
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.judge(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    impl SendBuffer for tokio::io::DuplexStream {
        fn set_send_buffer(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn of_a_stream_little_waits_in_the_kernel() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (near, _) = listener.accept().await.unwrap();
        let streams = Streams::default();
        let mut near = Stall::new(near, Duration::from_secs(30), streams.clone());
        near.write_all(b"head").await.unwrap();
        let before = SockRef::from(&near.inner).send_buffer_size().unwrap();
        streams.say();
        near.write_all(b"first").await.unwrap();
        // Linux keeps as much again for its own use.
        let after = SockRef::from(&near.inner).send_buffer_size().unwrap();
        assert!(after <= 2 * OF_A_STREAM && after < before, "{before} to {after}");
        drop(peer);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_loses_its_connection() {
        let (near, far) = tokio::io::duplex(64);
        let mut near = Stall::new(near, Duration::from_secs(30), Streams::default());
        let began = tokio::time::Instant::now();
        let error = near.write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), Duration::from_secs(30));
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_slowly_is_waited_for() {
        use tokio::io::AsyncReadExt as _;
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Stall::new(near, Duration::from_secs(30), Streams::default());
        let reader = tokio::spawn(async move {
            let mut taken = 0;
            while taken < 640 {
                tokio::time::sleep(Duration::from_secs(29)).await;
                taken += far.read(&mut [0; 64]).await.unwrap();
            }
        });
        near.write_all(&[0; 640]).await.unwrap();
        reader.await.unwrap();
    }
}
