//! Frames that make no sense, and frames larger than any: nothing is lost, and it is counted.

use std::net::Ipv4Addr;
use std::time::Duration;

use arb::live::Addresses;
use arb::port::{Desk as _, MeasureValue, TapeStore as _};
use arb::{Market, Timestamp};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::support::{Venue, builtin, until};

/// What comes between the venue's own frames, in turns.
fn garbage(number: usize) -> Message {
    let texts = [
        "".to_owned(),
        "\u{0}\u{1}\u{fffd}".to_owned(),
        "[[[[[[[[[[[[[[[[".to_owned(),
        r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","a":"#.to_owned(),
        r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","a":-1,"p":"x"}}"#.to_owned(),
        r#"{"e":"aggTrade","s":"BTCUSDT","a":18446744073709551616,"p":"1e99","q":"NaN"}"#
            .to_owned(),
        r#"{"e":"somethingNew","s":"BTCUSDT"}"#.to_owned(),
        "9".repeat(3 << 20),
    ];
    match number % (texts.len() + 1) {
        at if at < texts.len() => Message::text(texts[at].clone()),
        _ => Message::binary(vec![0xff; 1_000]),
    }
}

/// Passes frames on both ways, and garbage with them; every so often one of 10 MB.
async fn pass_on(socket: TcpStream, venue: String) {
    let mut path = String::new();
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let look = |request: &Request, response: Response| {
        path = request.uri().path_and_query().unwrap().to_string();
        Ok(response)
    };
    let Ok(node) = tokio_tungstenite::accept_hdr_async(socket, look).await else { return };
    let address = format!("{venue}{path}");
    let Ok((venue, _)) = tokio_tungstenite::connect_async(address).await else { return };
    let (mut to_node, mut of_node) = node.split();
    let (mut to_venue, mut of_venue) = venue.split();
    let (mut frames, mut junk) = (0_usize, 0_usize);
    loop {
        tokio::select! {
            Some(Ok(frame)) = of_node.next() => {
                if to_venue.send(frame).await.is_err() {
                    return;
                }
            }
            Some(Ok(frame)) = of_venue.next() => {
                frames += 1;
                if frames.is_multiple_of(5) {
                    junk += 1;
                    if to_node.send(garbage(junk)).await.is_err() {
                        return;
                    }
                }
                if frames.is_multiple_of(2_000)
                    && to_node.send(Message::text("8".repeat(10 << 20))).await.is_err()
                {
                    return;
                }
                if to_node.send(frame).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}

/// A server before the venue's streams.
async fn before(venue: &str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    let venue = venue.to_owned();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(pass_on(socket, venue.clone()));
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_frames_of_ten_megabytes_lose_nothing() {
    let epoch = Timestamp::from_millis(1_767_571_800_000);
    let venue = Venue::start(epoch, 20, &["BTCUSDT"]).await;
    let folder = tempfile::tempdir().unwrap();
    let history = Duration::from_secs(60);
    let mut options =
        venue.options(folder.path(), &["BTCUSDT"], vec![builtin("v51_baseline")], history);
    let honest = options.addresses.clone();
    let futures_ws = before(&honest.futures_ws).await;
    options.addresses = Addresses { futures_ws, ..honest };
    let live = options.start(|_| {}).await.unwrap();
    let handle = live.node().handle();
    let of = live.catalog().find(Market::Um, "BTCUSDT").unwrap();
    let store = std::sync::Arc::clone(live.store());
    let begun = store.extent(of.key).await.unwrap().unwrap().last_id;
    // A frame of 10 MB ends a connection, which is a hole that is filled.
    until(|| async { (handle.metrics().gaps > 1).then_some(()) }).await;
    until(|| async {
        let extent = store.extent(of.key).await.unwrap().unwrap();
        let holes = store.holes(of.key).await.unwrap();
        (holes.is_empty() && extent.last_id > begun + 3_000).then_some(())
    })
    .await;
    let dropped = handle.measures().into_iter().filter(|measure| measure.name.contains("dropped"));
    let counted: f64 = dropped
        .map(|measure| match measure.value {
            MeasureValue::Number(number) => number,
            MeasureValue::Buckets { .. } => 0.0,
        })
        .sum();
    assert!(counted > 0.0, "what was unusable is counted: {:?}", handle.measures());
    let restarts = handle.metrics().feed_restarts;
    assert_eq!(restarts, 0, "the feed itself never failed");
    live.stop().await.unwrap();
}
