//! Connections: accepted, timed, ended.
//!
//! Invariant: a peer that sends nothing, or slowly, costs a connection for a bounded time, and
//! there are a bounded number of them. Stopping is told to every connection and waits a bounded
//! time for them.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, oneshot};
use tower::ServiceExt as _;

use crate::app::App;
use crate::host::Host;
use crate::router::routed;
use crate::stall::{Stall, Streams};

/// Pause after a failed accept: mostly there are no file descriptors left.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Header fields of a request at most.
const MOST_HEADERS: usize = 64;
/// Bytes of a request's header at most.
const LARGEST_HEADER: usize = 16 * 1024;

/// Serves a host until `stop` is done; then open requests get
/// [`stop_timeout`](crate::HttpOptions::stop_timeout) to end.
///
/// # Errors
/// An [`io::Error`] when the listener is of no use.
pub async fn serve(
    listener: TcpListener,
    host: Arc<Host>,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    serve_app(listener, App::new(host), stop).await
}

/// [`serve`] on threads of its own: however many connections there are, they stand in no queue
/// with the caller's tasks, such as the driver of a node.
///
/// Who drops the future leaves the host running until `stop` is done.
///
/// # Errors
/// An [`io::Error`] when the listener is of no use or there can be no more threads.
pub async fn serve_apart(
    listener: TcpListener,
    host: Arc<Host>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = listener.into_std()?;
    let (tell, ended) = oneshot::channel();
    let run = move || {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.thread_name("arb-http").enable_all().build()?;
        let served =
            runtime.block_on(async { serve(TcpListener::from_std(listener)?, host, stop).await });
        runtime.shutdown_background();
        served
    };
    // Whoever dropped the future wants no answer.
    thread::Builder::new().name("arb-http".to_owned()).spawn(move || drop(tell.send(run())))?;
    ended.await.unwrap_or_else(|_| Err(io::Error::other("its thread died")))
}

/// Serves what has been put together.
pub(crate) async fn serve_app(
    listener: TcpListener,
    app: App,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    listener.local_addr()?;
    let (options, router) = (app.host.options.clone(), routed(app.clone()));
    let most = u32::try_from(options.max_connections).unwrap_or(u32::MAX).max(1);
    let places = Arc::new(Semaphore::new(most as usize));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (place, stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = connection(stream, peer, router.clone(), app.clone());
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    app.stop();
    // Whoever holds all places is the last one here.
    if tokio::time::timeout(options.stop_timeout, places.acquire_many(most)).await.is_err() {
        tracing::warn!("connections were still open at the end");
    }
    Ok(())
}

type Accepted = (tokio::sync::OwnedSemaphorePermit, TcpStream, SocketAddr);

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<Accepted> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Small answers must not wait for more.
    stream.set_nodelay(true)?;
    Ok((place, stream, peer))
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, app: App) {
    let streams = Streams::default();
    let stream = Stall::new(stream, app.host.options.write_timeout, streams.clone());
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(streams.clone());
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.host.options.header_timeout)
        .max_buf_size(LARGEST_HEADER)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = app.stopped() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}
