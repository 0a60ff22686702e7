//! Messages to Discord, against a server that answers as Discord does.

use std::time::Duration;

use arb::notify::{Discord, WebhookError};
use arb::port::Notifier as _;
use arb::{Output, RiskNote, RiskState, Timestamp, VenueError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn halted(at: i64) -> Output {
    let (at, reason) = (Timestamp::from_millis(at), "by @everyone".to_owned());
    let state = RiskState::Halted;
    Output::Risk(Box::new(RiskNote { at, state, trip: None, reason, strategy: None }))
}

/// Answers each request with the next text; gives what was asked.
async fn serve(listener: TcpListener, answers: Vec<&'static str>) -> Vec<String> {
    let mut asked = Vec::new();
    for answer in answers {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            let mut part = [0; 4_096];
            let count = socket.read(&mut part).await.unwrap();
            request.extend_from_slice(&part[..count]);
        }
        let text = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        socket.write_all(text.as_bytes()).await.unwrap();
        asked.push(String::from_utf8(request).unwrap());
    }
    asked
}

#[tokio::test]
async fn a_refused_message_is_told_again_and_a_delivered_one_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook = format!("http://{}/secret-token", listener.local_addr().unwrap());
    let answers = vec![
        "429 Too Many Requests\r\nretry-after: 0.25",
        "500 Internal Server Error",
        "204 No Content",
        "404 Not Found",
    ];
    let server = tokio::spawn(serve(listener, answers));
    let discord = Discord::new(&webhook).unwrap().naming(vec!["BTCUSDT".to_owned()]);
    let limited = discord.notify(&halted(1)).await;
    let wait = Duration::from_millis(250);
    assert!(matches!(limited, Err(VenueError::RateLimited { retry_after }) if retry_after == wait));
    let closed = discord.notify(&halted(1)).await;
    assert!(
        matches!(closed, Err(VenueError::RateLimited { retry_after }) if retry_after <= wait),
        "nothing is sent before the time that Discord named: {closed:?}"
    );
    let failed = loop {
        match discord.notify(&halted(1)).await.unwrap_err() {
            VenueError::RateLimited { retry_after } => tokio::time::sleep(retry_after).await,
            failed => break failed,
        }
    };
    assert!(matches!(failed, VenueError::Rejected { code: 500, .. }));
    discord.notify(&halted(1)).await.unwrap();
    discord.notify(&halted(1)).await.unwrap();
    let gone = discord.notify(&halted(2)).await.unwrap_err().to_string();
    assert!(gone.contains("check that the webhook still exists") && !gone.contains("secret"));
    let asked = server.await.unwrap();
    assert_eq!(asked.len(), 4, "the second telling of the same was not sent");
    assert!(asked[2].contains(r#""content":"**risk: Halted** (by @everyone)""#), "{}", asked[2]);
    assert!(asked[2].contains(r#""allowed_mentions":{"parse":[]}"#));
    assert!(!format!("{discord:?}").contains("secret"));
}

#[tokio::test]
async fn a_day_is_summed_up_once_by_time_alone_and_over_a_restart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook = format!("http://{}/secret-token", listener.local_addr().unwrap());
    let server = tokio::spawn(serve(listener, vec!["204 No Content", "204 No Content"]));
    let at = |hours: i64, minutes: i64| Timestamp::from_millis((hours * 60 + minutes) * 60_000);
    let funding = Output::Funding {
        instrument: arb::InstrumentId(0),
        funding_time: at(8, 0),
        paid: "-2.5".parse().unwrap(),
        approx: false,
    };
    let first = Discord::new(&webhook).unwrap();
    first.notify(&funding).await.unwrap();
    first.elapsed(at(24, 4)).await.unwrap();
    // The process ends before the summary is due, and another one goes on.
    let second = Discord::new(&webhook).unwrap();
    second.recall(&first.memory().unwrap());
    second.elapsed(at(24, 5)).await.unwrap();
    second.elapsed(at(24, 6)).await.unwrap();
    let third = Discord::new(&webhook).unwrap();
    third.recall(&second.memory().unwrap());
    third.elapsed(at(30, 0)).await.unwrap();
    third.elapsed(at(48, 5)).await.unwrap();
    let asked = server.await.unwrap();
    assert!(asked[0].contains("**1970-01-01** 0 signals") && asked[0].contains("funding 2.50"));
    assert!(asked[1].contains("**1970-01-02** 0 signals"), "a day without news: {}", asked[1]);
}

#[tokio::test]
async fn a_lost_connection_tells_no_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook = format!("http://{}/secret-token", listener.local_addr().unwrap());
    drop(listener);
    let error = Discord::new(&webhook).unwrap().notify(&halted(1)).await.unwrap_err();
    assert!(matches!(error, VenueError::Disconnected(_)));
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
}

#[test]
fn a_webhook_of_another_host_is_refused() {
    for address in ["https://discord.com.example.com/api/webhooks/1/x", "http://discord.com/", ""] {
        assert!(matches!(Discord::new(address), Err(WebhookError::Address)), "{address}");
    }
    assert!(Discord::new("https://discord.com/api/webhooks/1/x").is_ok());
}
