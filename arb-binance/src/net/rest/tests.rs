//! Requests against a server on loopback that answers what the test says.

use std::sync::Mutex;

use arb_core::port::Clock;
use arb_core::time::{MINUTE, nanos};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::budget::Pool;

/// Venue time from 2023-11-14 on, as fast as tokio's.
#[derive(Debug)]
struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).plus(nanos(self.0.elapsed()))
    }

    fn wait(&self, until: Timestamp) -> Duration {
        Duration::from_nanos(u64::try_from(until.since(self.now())).unwrap_or_default())
    }
}

/// Answers in turn, the last one for ever; keeps what was asked.
struct Server {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answers: Vec<(u16, &'static str, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        tokio::spawn(async move {
            for turn in 0.. {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let byte = socket.read_u8().await.unwrap();
                    request.push(byte);
                }
                let request = String::from_utf8(request).unwrap();
                kept.lock().unwrap().push(request.lines().next().unwrap().to_owned());
                let (status, headers, body) = answers[turn.min(answers.len() - 1)];
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
                    body.len()
                );
                socket.write_all(answer.as_bytes()).await.unwrap();
                socket.shutdown().await.unwrap();
            }
        });
        Self { base, asked }
    }

    fn client(&self) -> FuturesRest {
        let clock = Arc::new(TestClock(Instant::now()));
        let broker = Arc::new(Broker::new(Limits::FUTURES, clock));
        let rest = Rest::new(&self.base, Market::Um, broker).unwrap();
        let symbols =
            SymbolTable::new([("BTCUSDT", InstrumentId(0)), ("币安人生USDT", InstrumentId(1))]);
        FuturesRest::new(rest, Arc::new(symbols))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

const TIME: (u16, &str, &str) = (200, "", r#"{"serverTime":1700000000000}"#);

#[tokio::test]
async fn trades_are_asked_for_by_id_and_by_time() {
    let page = r#"[{"a":5,"p":"1.5","q":"2","f":1,"l":2,"T":1700000000000,"m":true}]"#;
    let server = Server::start(vec![(200, "X-MBX-USED-WEIGHT-1M: 77\r\n", page)]).await;
    let client = server.client();
    let symbol = "币安人生USDT";
    let page =
        client.agg_trades(symbol, InstrumentId(1), TradeRange::From(5), 1_000).await.unwrap();
    assert_eq!((page.rows[0].id, page.rows[0].instrument), (5, InstrumentId(1)));
    let hour = Timestamp::from_millis(1_700_000_000_000);
    let range = TradeRange::Between(hour, hour.plus(MINUTE));
    client.agg_trades("BTCUSDT", InstrumentId(0), range, 10).await.unwrap();
    assert_eq!(
        server.asked(),
        [
            "GET /fapi/v1/aggTrades?symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT&fromId=5&limit=1000 HTTP/1.1",
            "GET /fapi/v1/aggTrades?symbol=BTCUSDT&startTime=1700000000000&endTime=1700000060000&limit=10 HTTP/1.1",
        ]
    );
    let (used, _) = client.rest().broker().used(Pool::Weight);
    assert!(used >= 77, "the venue's own count is taken: {used}");
}

#[tokio::test]
async fn a_failing_venue_is_asked_again() {
    let unknown = r#"{"code":-1000,"msg":"An unknown error occured."}"#;
    let server =
        Server::start(vec![(503, "", "Service Unavailable"), (500, "", unknown), TIME]).await;
    let time = server.client().time().await.unwrap();
    assert_eq!(time, Timestamp::from_millis(1_700_000_000_000));
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn too_many_requests_stop_every_request_until_the_time_named() {
    let refusal = r#"{"code":-1003,"msg":"Too many requests."}"#;
    let server = Server::start(vec![(429, "Retry-After: 2\r\n", refusal), TIME]).await;
    let client = server.client();
    let began = Instant::now();
    let (one, two) = tokio::join!(client.time(), async {
        while client.rest().broker().stopped_until().is_none() {
            tokio::task::yield_now().await;
        }
        client.time().await
    });
    assert!(one.is_ok() && two.is_ok());
    assert!(began.elapsed() >= Duration::from_secs(2), "both waited for the end of the stop");
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_not_repeated_and_says_what_to_do() {
    for (status, advice) in [(451, "does not serve this location"), (403, "firewall")] {
        let server = Server::start(vec![(status, "", "<html>no</html>")]).await;
        let error = server.client().time().await.unwrap_err().to_string();
        assert!(error.contains(advice) && error.contains("<html>no</html>"), "{error}");
        assert_eq!(server.asked().len(), 1, "{status}");
    }
    let server = Server::start(vec![(400, "", r#"{"code":-1121,"msg":"Invalid symbol."}"#)]).await;
    let error = server.client().open_interest("X").await.unwrap_err();
    assert!(matches!(error, VenueError::Rejected { code: -1121, .. }), "{error}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_address_in_an_error_is_left_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let broker = Arc::new(Broker::new(Limits::FUTURES, Arc::new(TestClock(Instant::now()))));
    let rest = Rest::new(&base, Market::Um, broker).unwrap();
    let error = rest.send(&format!("{base}/x?signature=secret")).await.unwrap_err();
    let chain = format!("{error:?} {error}");
    assert!(!chain.contains("secret"), "{chain}");
}
