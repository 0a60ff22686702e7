//! Lines against a server on loopback that does what venues do.

use arb_core::Timestamp;
use arb_core::port::Clock;
use arb_core::time::nanos;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
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
            (connection, String::from_utf8(frames.iter().last().unwrap().to_vec()).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

fn line(config: LineConfig) -> (Line, mpsc::Receiver<LineEvent>) {
    let (out, events) = mpsc::channel(64);
    (Line::start(config, Arc::new(Dialer::new(Arc::new(FiftyTimes(Instant::now())))), out), events)
}

/// Venue time that runs fifty times as fast as ours.
#[derive(Debug)]
struct FiftyTimes(Instant);

impl Clock for FiftyTimes {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).plus(50 * nanos(self.0.elapsed()))
    }

    fn wait(&self, until: Timestamp) -> Duration {
        let ahead = u64::try_from(until.since(self.now())).unwrap_or_default();
        Duration::from_nanos(ahead / 50)
    }
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
    let LineEvent::Down { connection: 1, was_up: true, reason, .. } = next(&mut events).await
    else {
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
    let LineEvent::Down { connection: 1, was_up: true, reason, .. } = next(&mut events).await
    else {
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

/// Answers the next handshake with a status instead of accepting it.
async fn refuse(server: &Server, answer: &str) {
    let (mut socket, _) = server.listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(socket.read_u8().await.unwrap());
    }
    socket.write_all(answer.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}connection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_refused_handshake_says_what_to_do_and_is_left_alone_as_long_as_documented() {
    let limit = r#"{"code":-1003,"msg":"Too many requests."}"#;
    let ban = r#"{"code":-1003,"msg":"Way too much request weight used; IP banned until 1700000300000. Please use WebSocket."}"#;
    for (status, headers, body, advice, seconds) in [
        (403, "", "<html>no</html>", "firewall", 300..301),
        (451, "", "{}", "does not serve this location", 1_800..1_801),
        (429, "Retry-After: 90\r\n", limit, "90", 90..91),
        (429, "", limit, "60", 60..61),
        (418, "", ban, "", 250..301),
    ] {
        let server = Server::start().await;
        let (_line, mut events) = line(server.config());
        refuse(&server, &answer(status, headers, body)).await;
        let LineEvent::Down { was_up: false, reason, stay_away: Some(wait), .. } =
            next(&mut events).await
        else {
            panic!("a down with a wait is due");
        };
        assert!(reason.contains(advice), "{status}: {reason}");
        // Venue time runs fifty times as fast as ours.
        let venue_seconds = (wait.as_micros() * 50).div_ceil(1_000_000);
        assert!(seconds.contains(&venue_seconds), "{status}: {venue_seconds} s");
    }
}

#[tokio::test]
async fn a_venue_that_wants_to_be_left_alone_is_tried_again_after_that_time() {
    let server = Server::start().await;
    let (_line, mut events) = line(server.config());
    let began = Instant::now();
    // Twelve virtual seconds would be too short: a 429 means a minute at least.
    refuse(&server, &answer(429, "Retry-After: 12\r\n", "{}")).await;
    assert!(matches!(next(&mut events).await, LineEvent::Down { stay_away: Some(_), .. }));
    drop(server.subscribed().await);
    assert!(began.elapsed() >= Duration::from_millis(1_190), "{:?}", began.elapsed());
}

#[tokio::test]
async fn refused_streams_end_the_connection_and_are_asked_for_again_later() {
    for refusal in [
        r#"{"error":{"code":2,"msg":"Invalid request: too many streams"},"id":1}"#,
        r#"{"id":1,"error":{"code":2,"msg":"Invalid request: too many streams"}}"#,
        r#"{"code":2,"msg":"Invalid request: too many streams","id":1}"#,
    ] {
        let server = Server::start().await;
        let (_line, mut events) = line(server.config());
        let mut peer = server.accept().await;
        peer.next().await.unwrap().unwrap();
        say(&mut peer, refusal).await;
        let LineEvent::Down { reason, stay_away, .. } = next(&mut events).await else {
            panic!("a down is due");
        };
        assert!(reason.contains("too many streams"), "{reason}");
        let wait = stay_away.unwrap();
        assert!(
            wait > Duration::from_millis(500) && wait <= Duration::from_millis(600),
            "{wait:?}"
        );
        assert_eq!(server.subscribed().await.1.len(), 150, "on a fresh connection");
    }
}

#[tokio::test]
async fn a_renewed_line_delivers_from_a_new_connection_before_the_old_one_goes() {
    let server = Server::start().await;
    let (line, mut events) = line(server.config());
    let (mut old, _) = server.subscribed().await;
    say(&mut old, "old").await;
    assert!(matches!(next(&mut events).await, LineEvent::Up { connection: 1 }));
    assert_eq!(text(&mut events).await, (1, "old".to_owned()));
    line.renew();
    let (mut new, _) = server.subscribed().await;
    say(&mut new, "new").await;
    assert!(matches!(next(&mut events).await, LineEvent::Up { connection: 2 }));
    assert_eq!(text(&mut events).await, (2, "new".to_owned()));
    say(&mut old, "both").await;
    assert_eq!(text(&mut events).await, (1, "both".to_owned()));
}
