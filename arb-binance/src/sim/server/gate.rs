//! The listener, which accepts nobody while the venue is away.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};

use super::Shared;

/// Connections that come during a restart end at once, as if nothing listened.
pub(super) struct Gate {
    pub(super) listener: TcpListener,
    pub(super) shared: Arc<Shared>,
}

impl Listener for Gate {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let (stream, peer) = Listener::accept(&mut self.listener).await;
            // The control endpoint shares the listener, so a restart always ends by itself.
            if !self.shared.away.load(Ordering::Relaxed) {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
