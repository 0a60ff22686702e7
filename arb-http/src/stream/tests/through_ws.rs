//! WebSockets over real connections.

use std::time::Duration;

use arb_core::port::UserRole;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

use super::support::{BTC, Served, World};
use crate::HttpOptions;
use crate::stream::wanted::Topic;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn served() -> (Served, String) {
    let world = World::new(HttpOptions::default()).await;
    let token = world.token(UserRole::User).await;
    (world.served().await, token)
}

async fn open(host: &Served, token: Option<&str>, hello: Option<Value>) -> Socket {
    let url = format!("ws://{}/api/ws", host.address);
    let mut request = url.into_client_request().unwrap();
    if let Some(token) = token {
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
    }
    let (mut socket, _) = connect_async(request).await.unwrap();
    if let Some(hello) = hello {
        socket.send(Message::text(hello.to_string())).await.unwrap();
    }
    socket
}

async fn frame(socket: &mut Socket) -> Message {
    let next = tokio::time::timeout(Duration::from_secs(20), socket.next()).await;
    next.expect("a message within 20 s").expect("it comes before the end").unwrap()
}

async fn heard(socket: &mut Socket) -> Value {
    loop {
        if let Message::Text(text) = frame(socket).await {
            let value: Value = serde_json::from_str(&text).unwrap();
            if value["topic"] != "heartbeat" {
                return value;
            }
        }
    }
}

/// The code and the reason with which it is closed.
async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        if let Message::Close(close) = frame(socket).await {
            let close = close.unwrap();
            return (close.code.into(), close.reason.to_string());
        }
    }
}

#[tokio::test]
async fn the_first_message_says_who_and_what() {
    let (host, token) = served().await;
    host.world.desk.decide(BTC, 15_000);
    host.world.desk.decide(arb_core::InstrumentId(1), 15_000);
    let hello = json!({ "token": token, "topics": ["signals"], "symbols": ["BTCUSDT"] });
    let mut socket = open(&host, None, Some(hello)).await;
    let first = heard(&mut socket).await;
    assert_eq!(first["topic"], "signals");
    assert_eq!(first["data"]["coin"], "BTC");
    host.world.desk.decide(arb_core::InstrumentId(1), 30_000);
    host.world.desk.decide(BTC, 45_000);
    assert_eq!(heard(&mut socket).await["data"]["time_ms"], 45_000);
}

#[tokio::test]
async fn a_socket_goes_on_behind_the_last_id_it_heard() {
    let (host, token) = served().await;
    let mut socket = open(&host, Some(&token), Some(json!({ "topics": ["risk"] }))).await;
    let first = heard(&mut socket).await;
    for number in 0..5 {
        host.world.tell(Topic::Risk, &number.to_string());
    }
    drop(socket);
    let hello = json!({ "topics": ["risk"], "after": first["id"] });
    let mut socket = open(&host, Some(&token), Some(hello)).await;
    for number in 0..5 {
        assert_eq!(heard(&mut socket).await["data"]["told"], number.to_string());
    }
    let hello = json!({ "topics": ["risk"], "after": "unknown-1" });
    let mut socket = open(&host, Some(&token), Some(hello)).await;
    let mut present = vec![heard(&mut socket).await, heard(&mut socket).await];
    present.retain(|message| message["data"]["state"] == "active");
    assert_eq!(present.len(), 1, "the present state comes");
}

#[tokio::test]
async fn nobody_hears_anything_without_a_valid_token() {
    let (host, token) = served().await;
    for (header, hello) in [
        (None, json!({})),
        (None, json!({ "token": "nonsense" })),
        (Some("nonsense"), json!({})),
        (Some("nonsense"), json!({ "token": token })),
    ] {
        let mut socket = open(&host, header, Some(hello.clone())).await;
        assert_eq!(closed(&mut socket).await.0, 4401, "{header:?} {hello}");
    }
}

#[tokio::test]
async fn a_first_message_that_makes_no_sense_is_told_why() {
    let (host, token) = served().await;
    for (hello, part) in [
        (json!({ "token": token, "topics": ["weather"] }), "weather"),
        (json!({ "token": token, "symbols": ["DOGE"] }), "DOGE"),
        (json!({ "token": token, "colour": "blue" }), "colour"),
        (json!([1]), "makes no sense"),
    ] {
        let mut socket = open(&host, None, Some(hello.clone())).await;
        let (code, reason) = closed(&mut socket).await;
        assert_eq!(code, 4422, "{hello}");
        assert!(reason.contains(part), "{reason}");
    }
    let mut socket = open(&host, Some(&token), None).await;
    socket.send(Message::binary(vec![0_u8; 4])).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 4422);
}

#[tokio::test]
async fn a_viewer_does_not_hear_of_the_account() {
    let (host, _) = served().await;
    let token = host.world.token(UserRole::Viewer).await;
    let mut socket = open(&host, Some(&token), Some(json!({ "topics": ["risk"] }))).await;
    assert_eq!(closed(&mut socket).await.0, 4403);
}

#[tokio::test]
async fn an_endless_first_message_is_not_read() {
    let (host, _) = served().await;
    let mut socket = open(&host, None, None).await;
    let _ = socket.send(Message::text("x".repeat(64 * 1024))).await;
    let end = loop {
        match tokio::time::timeout(Duration::from_secs(20), socket.next()).await.unwrap() {
            Some(Ok(Message::Close(close))) => break close.map(|close| u16::from(close.code)),
            Some(Ok(_)) => {}
            // What was not read resets the connection, which may overtake the farewell.
            None | Some(Err(Error::Io(_) | Error::Protocol(_) | Error::ConnectionClosed)) => {
                break None;
            }
            Some(Err(error)) => panic!("{error}"),
        }
    };
    assert!(matches!(end, None | Some(1009)), "{end:?}");
    assert!(host.world.app.hub.is_asleep());
}

#[tokio::test]
async fn a_socket_that_is_not_read_is_closed_with_a_reason() {
    let (host, token) = served().await;
    let tcp = TcpSocket::new_v4().unwrap();
    tcp.set_recv_buffer_size(8 * 1024).unwrap();
    let stream = tcp.connect(host.address).await.unwrap();
    let url = format!("ws://{}/api/ws", host.address);
    let (mut slow, _) = client_async(url, stream).await.unwrap();
    let hello = json!({ "token": token, "topics": ["risk"] });
    slow.send(Message::text(hello.to_string())).await.unwrap();
    slow.next().await.unwrap().unwrap();
    let mut fast = host.listen("?topics=risk", &token, None).await;
    let large = "x".repeat(512 * 1024);
    for number in 0..80 {
        host.world.tell(Topic::Risk, &format!("{number} {large}"));
        let wanted = format!("{number} ");
        fast.until(|heard| {
            heard.data["told"].as_str().is_some_and(|told| told.starts_with(&wanted))
        })
        .await;
    }
    let end = async {
        loop {
            match slow.next().await {
                Some(Ok(Message::Close(close))) => break close.unwrap(),
                Some(Ok(_)) => {}
                other => panic!("it ends without a word: {other:?}"),
            }
        }
    };
    let close = tokio::time::timeout(Duration::from_secs(20), end).await.unwrap();
    assert_eq!(u16::from(close.code), 4008);
    assert!(close.reason.starts_with("too slow"), "{}", close.reason);
}

#[tokio::test]
async fn stopping_the_host_closes_sockets() {
    let (host, token) = served().await;
    let mut hearing = open(&host, Some(&token), Some(json!({ "topics": ["risk"] }))).await;
    heard(&mut hearing).await;
    let mut waiting = open(&host, None, None).await;
    host.stop.send(()).unwrap();
    assert_eq!(closed(&mut hearing).await.0, 1001);
    assert_eq!(closed(&mut waiting).await.0, 1001);
    tokio::time::timeout(Duration::from_secs(3), host.server).await.unwrap().unwrap().unwrap();
}
