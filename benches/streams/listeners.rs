//! Those who listen: event streams and sockets, and some that never read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// Bytes that the kernel keeps for one that never reads.
const DEAF_BUFFER: u32 = 2_048;

#[derive(Default)]
struct Heard {
    /// Listeners that have heard something.
    began: AtomicUsize,
    /// Listeners whose stream ended.
    ended: AtomicUsize,
    bytes: AtomicU64,
}

impl Heard {
    fn begin(&self) {
        self.began.fetch_add(1, Ordering::Relaxed);
    }

    fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

fn request(address: SocketAddr, key: &str) -> String {
    format!("GET /api/stream HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\r\n")
}

async fn events(address: SocketAddr, key: Arc<str>, heard: Arc<Heard>) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request(address, &key).as_bytes()).await.unwrap();
    let (mut buffer, mut is_first) = (vec![0; 4_096], true);
    while let Ok(count @ 1..) = socket.read(&mut buffer).await {
        heard.add(count);
        // Past the head and the opening comment.
        if is_first && buffer[..count].windows(3).any(|part| part == b"id:") {
            is_first = false;
            heard.begin();
        }
    }
    heard.end();
}

async fn messages(address: SocketAddr, key: Arc<str>, heard: Arc<Heard>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let url = format!("ws://{address}/api/ws");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let hello = serde_json::json!({ "token": &*key }).to_string();
    socket.send(Message::text(hello)).await.unwrap();
    let mut is_first = true;
    while let Some(Ok(Message::Text(text))) = socket.next().await {
        heard.add(text.len());
        if std::mem::take(&mut is_first) {
            heard.begin();
        }
    }
    heard.end();
}

async fn deaf(address: SocketAddr, key: Arc<str>) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(DEAF_BUFFER).unwrap();
    let mut socket = socket.connect(address).await.unwrap();
    socket.write_all(request(address, &key).as_bytes()).await.unwrap();
    socket
}

/// Listens until a line comes in, then says what was heard.
pub(crate) async fn listen(address: SocketAddr, (ears, deaf_ears): (usize, usize)) {
    let key: Arc<str> = std::env::var("ARB_BENCH_KEY").unwrap().into();
    let heard = Arc::new(Heard::default());
    for place in 0..ears {
        let (key, own) = (Arc::clone(&key), Arc::clone(&heard));
        if place % 2 == 0 {
            tokio::spawn(events(address, key, own));
        } else {
            tokio::spawn(messages(address, key, own));
        }
    }
    let mut silent = Vec::new();
    for _ in 0..deaf_ears {
        silent.push(deaf(address, Arc::clone(&key)).await);
    }
    while heard.began.load(Ordering::Relaxed) < ears {
        assert_eq!(heard.ended.load(Ordering::Relaxed), 0, "a listener was turned away");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("all hear");
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()))
        .await
        .unwrap()
        .unwrap();
    let (bytes, ended) = (heard.bytes.load(Ordering::Relaxed), heard.ended.load(Ordering::Relaxed));
    println!("{ears} listeners heard {:.1} MB, {ended} were cut off", bytes as f64 / 1e6);
    drop(silent);
}

/// What the host says of streams that were too slow.
pub(crate) async fn dropped(address: SocketAddr) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let ask = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    socket.write_all(ask.as_bytes()).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    let line = text.lines().find(|line| line.starts_with("arb_http_streams_dropped_total"));
    line.unwrap_or("no count of dropped streams").to_owned()
}
