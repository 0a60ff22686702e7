//! Server-sent events over real connections.

use std::time::Duration;

use arb_core::RiskState;
use arb_core::port::UserRole;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::support::{BTC, Served, World, parsed, rate};
use crate::HttpOptions;
use crate::stream::wanted::Topic;

async fn served() -> (Served, String) {
    let world = World::new(HttpOptions::default()).await;
    let token = world.token(UserRole::User).await;
    (world.served().await, token)
}

#[tokio::test]
async fn the_present_state_comes_first_then_what_changes() {
    let (host, token) = served().await;
    let desk = &host.world.desk;
    desk.decide(BTC, 15_000);
    host.world.trade(1, 40).await;
    let mut events = host.listen("", &token, None).await;
    let mut topics = Vec::new();
    while topics.len() < 6 {
        let heard = events.next().await.unwrap();
        match heard.topic.as_str() {
            "rates" => assert_eq!(heard.data["BTC"]["mark_price"], 100),
            "signals" => {
                assert_eq!(heard.data["coin"], "BTC");
                assert_eq!(heard.data["symbol"], "BTCUSDT");
                assert_eq!(heard.data["factors"]["direction"]["score"], 62.5);
            }
            "indicators" => assert_eq!(heard.data["score"], 62.5),
            "positions" => assert_eq!(heard.data["data"], serde_json::json!([])),
            "risk" => assert_eq!(heard.data["state"], "active"),
            "trades" => {
                assert_eq!(heard.data["data"].as_array().unwrap().len(), 30);
                assert_eq!(heard.data["data"][29]["agg_id"], 40);
            }
            other => panic!("{other}"),
        }
        topics.push(heard.topic);
    }
    topics.sort();
    assert_eq!(topics, ["indicators", "positions", "rates", "risk", "signals", "trades"]);

    desk.change(|view| view.risk_state = RiskState::Halted);
    assert_eq!(events.topic("risk").await.data["state"], "halted");
    desk.change(|view| view.rates = [rate(0, "101"), rate(1, "10")].into());
    assert_eq!(events.topic("rates").await.data["BTC"]["mark_price"], 101);
    desk.decide(BTC, 30_000);
    assert_eq!(events.topic("signals").await.data["time_ms"], 30_000);
    host.world.trade(41, 2).await;
    let trades = events.topic("trades").await;
    assert_eq!(trades.data["data"].as_array().unwrap().len(), 2, "only the new ones");
}

#[tokio::test]
async fn a_client_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let (host, token) = served().await;
    let mut whole = host.listen("?topics=risk", &token, None).await;
    let first = whole.topic("risk").await;
    let mut broken = host.listen("?topics=risk", &token, None).await;
    assert_eq!(broken.topic("risk").await, first);
    for part in 0..5 {
        for number in 0..7 {
            host.world.tell(Topic::Risk, &format!("{part} {number}"));
        }
        let cut = broken.until(|heard| heard.data["told"] == format!("{part} 3")).await;
        drop(broken);
        broken = host.listen("?topics=risk", &token, cut.id.as_deref()).await;
        let next = broken.next().await.unwrap();
        assert_eq!(next.data["told"], format!("{part} 4"), "behind {:?}", cut.id);
        assert!(next.number() > cut.number());
        broken.until(|heard| heard.data["told"] == format!("{part} 6")).await;
        whole.until(|heard| heard.data["told"] == format!("{part} 6")).await;
    }
}

#[tokio::test]
async fn an_id_that_nobody_knows_gets_the_present_state() {
    let (host, token) = served().await;
    let mut events = host.listen("?topics=risk", &token, None).await;
    let known = events.topic("risk").await.id.unwrap();
    let boot = known.rsplit_once('-').unwrap().0;
    for unknown in ["", "1", "other-1", "-", &format!("{boot}-999999"), &format!("{boot}-+1")] {
        let mut events = host.listen("?topics=risk", &token, Some(unknown)).await;
        let first = events.next().await.unwrap();
        assert_eq!((first.topic.as_str(), &first.data["state"]), ("risk", &"active".into()));
    }
}

#[tokio::test]
async fn topics_and_symbols_choose_what_comes() {
    let (host, token) = served().await;
    host.world.desk.decide(BTC, 15_000);
    host.world.desk.decide(arb_core::InstrumentId(1), 15_000);
    let mut events = host.listen("?topics=signals,rates&symbols=ETH", &token, None).await;
    let mut heard = [events.next().await.unwrap(), events.next().await.unwrap()];
    heard.sort_by(|a, b| a.topic.cmp(&b.topic));
    assert_eq!(heard[0].topic, "rates");
    assert_eq!(heard[0].data.as_object().unwrap().keys().collect::<Vec<_>>(), ["ETH"]);
    assert_eq!(heard[1].data["coin"], "ETH");
    host.world.desk.decide(BTC, 30_000);
    host.world.desk.decide(arb_core::InstrumentId(1), 45_000);
    let next = events.until(|heard| heard.topic != "heartbeat").await;
    assert_eq!(next.data["time_ms"], 45_000, "nothing of BTC came between: {next:?}");
}

#[tokio::test]
async fn what_is_not_there_is_told_with_what_is() {
    let (host, token) = served().await;
    let bearer = format!("Bearer {token}");
    for (query, part) in [("?topics=rates,weather", "weather"), ("?symbols=DOGE", "BTCUSDT")] {
        let response = host.get(query, &[("authorization", &bearer)]).await;
        assert_eq!(response.status(), 422);
        let body = response.text().await.unwrap();
        assert!(body.contains(part), "{body}");
    }
}

#[tokio::test]
async fn nobody_hears_anything_without_a_token() {
    let (host, _) = served().await;
    for headers in
        [vec![], vec![("authorization", "Bearer nonsense")], vec![("authorization", "x")]]
    {
        let response = host.get("", &headers).await;
        assert_eq!(response.status(), 401);
        assert!(response.text().await.unwrap().contains("detail"));
    }
    let response = host.get("?token=nonsense", &[]).await;
    assert_eq!(response.status(), 401, "a token in the address is not looked at");
    assert!(host.world.app.hub.is_asleep());
}

#[tokio::test]
async fn messages_are_not_held_back_by_compression() {
    let (host, token) = served().await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("accept-encoding", "gzip")];
    let response = host.get("", &headers).await;
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("content-encoding"));
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn there_are_as_many_streams_as_allowed() {
    let options = HttpOptions { max_streams: 2, ..HttpOptions::default() };
    let world = World::new(options).await;
    let token = world.token(UserRole::User).await;
    let host = world.served().await;
    let first = host.listen("", &token, None).await;
    let _second = host.listen("", &token, None).await;
    let bearer = format!("Bearer {token}");
    let third = host.get("", &[("authorization", &bearer)]).await;
    assert_eq!(third.status(), 503);
    assert!(third.headers().contains_key("retry-after"));
    drop(first);
    // The place is free as soon as the connection is seen to be gone.
    let again = async {
        while host.get("", &[("authorization", &bearer)]).await.status() != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("a place becomes free");
}

#[tokio::test]
async fn stopping_the_host_ends_streams_with_a_word() {
    let (host, token) = served().await;
    let mut events = host.listen("?topics=risk", &token, None).await;
    events.topic("risk").await;
    host.stop.send(()).unwrap();
    let last = events.topic("dropped").await;
    assert_eq!(last.data["reason"], "the server stops");
    assert_eq!(events.next().await, None);
    tokio::time::timeout(Duration::from_secs(2), host.server).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_with_a_reason_while_others_go_on() {
    let (host, token) = served().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    let mut slow = socket.connect(host.address).await.unwrap();
    let request = format!(
        "GET /api/stream?topics=risk HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\n\r\n"
    );
    slow.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 15];
    slow.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");

    let mut fast = host.listen("?topics=risk", &token, None).await;
    fast.topic("risk").await;
    let large = "x".repeat(512 * 1024);
    // Five times what the ring keeps.
    for number in 0..80 {
        host.world.tell(Topic::Risk, &format!("{number} {large}"));
        let told = fast.until(|heard| heard.data["told"].is_string()).await;
        assert!(told.data["told"].as_str().unwrap().starts_with(&format!("{number} ")));
    }
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), slow.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&rest);
    let last = text.rsplit("event: ").next().unwrap();
    assert!(last.starts_with("dropped\ndata: {\"reason\":\"too slow"), "{}", &last[..80]);
    assert!(rest.len() < 80 * 512 * 1024 / 2, "{} bytes waited for it", rest.len());
    let mut text = crate::metrics::Text::default();
    host.world.app.streams.write(&mut text);
    assert!(text.finish().contains("arb_http_streams_dropped_total 1\n"));
    host.world.tell(Topic::Risk, "after");
    assert_eq!(fast.until(|heard| heard.data["told"] == "after").await.topic, "risk");
}

/// Memory of this process, bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_thousand_streams_cost_little_memory_each() {
    let options = HttpOptions { max_streams: 1_100, ..HttpOptions::default() };
    let world = World::new(options).await;
    let token = world.token(UserRole::User).await;
    let host = world.served().await;
    let mut watcher = host.listen("?topics=risk", &token, None).await;
    watcher.topic("risk").await;
    let request = format!(
        "GET /api/stream?topics=risk HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    let mut clients = Vec::new();
    let mut before = 0;
    for count in 0..1_000 {
        if count == 50 {
            // What the first ones cost is mostly paid once.
            before = resident();
        }
        let mut client = tokio::net::TcpStream::connect(host.address).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 15];
        client.read_exact(&mut head).await.unwrap();
        clients.push(client);
    }
    // Everybody has work: 200 messages of 2 KiB that nobody takes out of the sockets.
    let large = "x".repeat(2 * 1024);
    for number in 0..200 {
        host.world.tell(Topic::Risk, &format!("{number} {large}"));
    }
    watcher.until(|heard| heard.data["told"].as_str().is_some_and(|t| t.starts_with("199 "))).await;
    let each = resident().saturating_sub(before) / 950;
    println!("{each} bytes for each of 1,000 clients");
    assert!(each < 64 * 1024, "{each} bytes for each client");
}

#[test]
fn a_block_without_data_is_no_message() {
    assert_eq!(parsed(": connected"), None);
}
