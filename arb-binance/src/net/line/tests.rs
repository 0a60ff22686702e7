//! Lines against a server on loopback that does what venues do.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::*;

/// A server whose connections the test holds.
struct Server {
    listener: TcpListener,
}

type Peer = WebSocketStream<TcpStream>;

impl Server {
    async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn config(&self) -> LineConfig {
        let address = format!("ws://{}/market/stream", self.listener.local_addr().unwrap());
        let streams: Vec<String> = (0..150).map(|n| format!("s{n}@aggTrade")).collect();
        LineConfig::streams("test", address, &streams)
    }

    async fn accept(&self) -> Peer {
        accept_async(self.listener.accept().await.unwrap().0).await.unwrap()
    }

    /// A connection whose subscriptions were read and answered.
    async fn subscribed(&self) -> (Peer, Vec<String>) {
        let mut peer = self.accept().await;
        let mut streams = Vec::new();
        while streams.len() < 150 {
            let message = peer.next().await.unwrap().unwrap().into_text().unwrap();
            let message: serde_json::Value = serde_json::from_str(&message).unwrap();
            let names = message["params"].as_array().unwrap();
            streams.extend(names.iter().map(|name| name.as_str().unwrap().to_owned()));
            let answer = format!(r#"{{"result":null,"id":{}}}"#, message["id"]);
            peer.send(Message::text(answer)).await.unwrap();
        }
        (peer, streams)
    }
}

async fn say(peer: &mut Peer, text: &str) {
    peer.send(Message::text(text.to_owned())).await.unwrap();
}

/// The next event that is not the answer to a subscription.
async fn next(events: &mut mpsc::Receiver<LineEvent>) -> LineEvent {
    loop {
        match events.recv().await.unwrap() {
            LineEvent::Frames { frames, .. }
                if frames.iter().all(|f| f.starts_with(b"{\"result\"")) => {}
            event => return event,
        }
    }
}

async fn text(events: &mut mpsc::Receiver<LineEvent>) -> (u64, String) {
    match next(events).await {
        LineEvent::Frames { connection, frames } => {
            (connection, String::from_utf8(frames.last().unwrap().to_vec()).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

fn line(config: LineConfig) -> (Line, mpsc::Receiver<LineEvent>) {
    let (out, events) = mpsc::channel(64);
    (Line::start(config, out), events)
}

#[tokio::test]
async fn every_stream_is_subscribed_and_up_means_that_something_came() {
    let server = Server::start().await;
    let (_line, mut events) = line(server.config());
    let (mut peer, streams) = server.subscribed().await;
    assert_eq!(streams.len(), 150);
    assert_eq!((streams[0].as_str(), streams[149].as_str()), ("s0@aggTrade", "s149@aggTrade"));
    say(&mut peer, r#"{"e":"x"}"#).await;
    assert!(matches!(next(&mut events).await, LineEvent::Up { connection: 1 }));
    assert_eq!(text(&mut events).await, (1, r#"{"e":"x"}"#.to_owned()));
}

#[tokio::test]
async fn a_cut_connection_is_told_with_its_reason_and_followed_by_another() {
    let server = Server::start().await;
    let (_line, mut events) = line(server.config());
    let (mut peer, _) = server.subscribed().await;
    say(&mut peer, "1").await;
    assert!(matches!(next(&mut events).await, LineEvent::Up { .. }));
    assert_eq!(text(&mut events).await.1, "1");
    peer.close(None).await.unwrap();
    let LineEvent::Down { connection: 1, was_up: true, reason } = next(&mut events).await else {
        panic!("a down is due");
    };
    assert!(reason.contains("disconnected"), "{reason}");
    let (mut peer, _) = server.subscribed().await;
    say(&mut peer, "2").await;
    assert!(matches!(next(&mut events).await, LineEvent::Up { connection: 2 }));
    assert_eq!(text(&mut events).await, (2, "2".to_owned()));
}

#[tokio::test]
async fn a_stream_that_answers_and_then_says_nothing_counts_as_lost() {
    let server = Server::start().await;
    let silence = Duration::from_millis(700);
    let (_line, mut events) = line(LineConfig { silence, ..server.config() });
    let (_peer, _) = server.subscribed().await;
    let LineEvent::Down { was_up: false, reason, .. } = next(&mut events).await else {
        panic!("a down is due");
    };
    assert!(reason.contains("no frame for 700ms"), "{reason}");
    drop(server.subscribed().await);
}

#[tokio::test]
async fn an_old_connection_goes_only_after_its_successor_delivers() {
    let server = Server::start().await;
    let life = Duration::from_millis(1_500);
    let (_line, mut events) = line(LineConfig { life, ..server.config() });
    let (mut old, _) = server.subscribed().await;
    say(&mut old, "old 1").await;
    assert!(matches!(next(&mut events).await, LineEvent::Up { connection: 1 }));
    assert_eq!(text(&mut events).await.1, "old 1");
    let (mut new, _) = server.subscribed().await;
    say(&mut old, "old 2").await;
    assert_eq!(text(&mut events).await, (1, "old 2".to_owned()));
    say(&mut new, "new 1").await;
    assert!(matches!(next(&mut events).await, LineEvent::Up { connection: 2 }));
    assert_eq!(text(&mut events).await, (2, "new 1".to_owned()));
    say(&mut old, "old 3").await;
    assert_eq!(text(&mut events).await, (1, "old 3".to_owned()), "both deliver for a while");
    let LineEvent::Down { connection: 1, was_up: true, reason } = next(&mut events).await else {
        panic!("the old one goes");
    };
    assert!(reason.contains("replaced"), "{reason}");
}

#[tokio::test]
async fn a_frame_beyond_any_the_venue_sends_ends_the_connection() {
    let server = Server::start().await;
    let (_line, mut events) = line(server.config());
    let (mut peer, _) = server.subscribed().await;
    let _ = peer.send(Message::text("x".repeat(10 << 20))).await;
    let LineEvent::Down { reason, .. } = next(&mut events).await else { panic!("a down is due") };
    assert!(reason.contains("too long") || reason.contains("Message"), "{reason}");
    drop(server.subscribed().await);
}

#[tokio::test]
async fn a_dropped_line_closes_its_connections() {
    let server = Server::start().await;
    let (held, _events) = line(server.config());
    let (mut peer, _) = server.subscribed().await;
    drop(held);
    while let Some(Ok(message)) = peer.next().await {
        assert!(message.is_close());
    }
}
