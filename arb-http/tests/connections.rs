//! Connections: slow ones, full ones, and the end of the host.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use arb_http::HttpOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::fixture::Fixture;

/// A host on a socket of this machine.
struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn of(fixture: &Fixture) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let host = fixture.host();
        let ended = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            arb_http::serve(listener, host, stop).await
        });
        Self { address, stop, ended }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap().unwrap();
    }
}

fn client() -> reqwest::Client {
    // It wants one although nothing here is encrypted; the first test to come installs it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = stream.read_to_end(&mut text);
    let _ = tokio::time::timeout(Duration::from_secs(20), read).await.expect("it is closed");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_client_is_served_over_a_socket() {
    let served = Served::of(&Fixture::new().await).await;
    let client = client();
    let answer = client.get(served.url("/api/rates")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    assert!(text.contains("\"mark_price\":64012.3,"), "{text}");
    let answer = client.get(served.url("/api/me")).bearer_auth("trader").send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("trader@example.com"));
    let figures = client.get(served.url("/metrics")).send().await.unwrap();
    assert_eq!(figures.status(), 200, "figures are told to callers on this machine");
    drop(client);
    served.end().await;
}

#[tokio::test]
async fn a_host_apart_serves_while_its_caller_is_busy() {
    let fixture = Fixture::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = arb_http::serve_apart(listener, fixture.host(), async {
        let _ = stopped.await;
    });
    let ended = tokio::spawn(serving);
    tokio::task::yield_now().await;
    // The only thread of this runtime waits here.
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = "GET /api/rates HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stop.send(()).unwrap();
    ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_host_that_starts_says_how_far_it_is_until_it_is_ready() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (news, hears) = watch::channel("reads history".to_owned());
    let (ready, is_ready) = oneshot::channel::<()>();
    let what = (HttpOptions::default(), Fixture::new().await.host().clock.clone());
    let starting = tokio::spawn(arb_http::serve_starting(listener, what, hears, async {
        let _ = is_ready.await;
    }));
    let client = client();
    let get = async |path: &str| {
        let asked = client.get(format!("http://{address}{path}"));
        let answer = asked.header("origin", "http://localhost:3000").send().await.unwrap();
        let allowed = answer.headers()["access-control-allow-origin"].to_str().unwrap().to_owned();
        assert_eq!(allowed, "http://localhost:3000");
        let again = answer.headers().contains_key("retry-after");
        (answer.status().as_u16(), again, answer.text().await.unwrap())
    };
    let (status, _, health) = get("/api/health").await;
    let health: serde_json::Value = serde_json::from_str(&health).unwrap();
    assert_eq!((status, &health["status"]), (200, &"degraded".into()));
    assert_eq!(health["components"]["feed"]["detail"], "reads history");
    assert_eq!(health["components"]["guard"]["status"], "off");
    news.send_replace("reads <much> history".to_owned());
    let (status, again, rates) = get("/api/rates").await;
    assert_eq!((status, again), (503, true));
    assert_eq!(rates, r#"{"detail":"the node starts: reads <much> history"}"#);
    let (status, _, page) = get("/").await;
    assert_eq!(status, 503);
    assert!(page.contains("reads &lt;much> history"), "{page}");
    let silent = TcpStream::connect(address).await.unwrap();
    ready.send(()).unwrap();
    starting.await.unwrap();
    drop(silent);
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_given_up() {
    let mut fixture = Fixture::new().await;
    fixture.options.body_timeout = Duration::from_millis(100);
    let served = Served::of(&fixture).await;
    let mut stream = served.connect().await;
    let head = "POST /api/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("{\"detail\":\"the body did not come in time\"}"), "{answer}");
    served.end().await;
}

#[tokio::test]
async fn who_says_nothing_is_hung_up_on() {
    let mut fixture = Fixture::new().await;
    fixture.options.header_timeout = Duration::from_millis(100);
    let served = Served::of(&fixture).await;
    for head in ["", "GET /api/rates HT", "GET /api/rates HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut stream = served.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_all(&mut stream).await;
        assert!(!answer.contains("200"), "{head:?}: {answer}");
    }
    let mut idle = served.connect().await;
    idle.write_all(b"GET /api/health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = read_all(&mut idle).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 "),
        "an idle connection ends after its answer: {answer}"
    );
    served.end().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let served = Served::of(&Fixture::new().await).await;
    let many: String = (0..100).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("x-long: {}\r\n", "a".repeat(20_000));
    for fields in [many, long] {
        let mut stream = served.connect().await;
        let head = format!("GET /api/rates HTTP/1.1\r\nhost: x\r\n{fields}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_all(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(), "{answer}");
    }
    served.end().await;
}

#[tokio::test]
async fn headers_cannot_be_smuggled_in() {
    let served = Served::of(&Fixture::new().await).await;
    for (head, status) in [
        ("GET /api/rates%0d%0aset-cookie:%20a=b HTTP/1.1\r\nhost: x\r\n", "404"),
        ("GET /api/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a\tb\r\n", "401"),
        ("GET /api/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \u{e4}\r\n", "401"),
        ("GET /api/rates HTTP/1.1\r\nhost: x\r\nx-a: b\0c\r\n", "400"),
        (
            "POST /api/login HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n",
            "400",
        ),
        ("GET /api/rates HTTP/9.9\r\nhost: x\r\n", "400"),
    ] {
        let mut stream = served.connect().await;
        let text = format!("{head}connection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let answer = read_all(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head:?}: {answer}");
        assert!(!answer.to_lowercase().contains("set-cookie"), "{answer}");
    }
    served.end().await;
}

#[tokio::test]
async fn one_address_may_not_guess_for_ever() {
    let mut fixture = Fixture::new().await;
    fixture.options.logins_per_minute = 3;
    fixture.options.refused_tokens_per_minute = 2;
    let served = Served::of(&fixture).await;
    let client = client();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let login = client
            .post(served.url("/api/login"))
            .header("content-type", "application/json")
            // Nobody here is a proxy, so this is but a claim.
            .header("x-forwarded-for", format!("198.51.100.{}", statuses.len()))
            .body(r#"{"email":"user@example.com","password":"wrong"}"#);
        statuses.push(login.send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 429]);
    let mut statuses = Vec::new();
    for token in ["a", "b", "c", "viewer"] {
        let asked = client.get(served.url("/api/me")).bearer_auth(token);
        statuses.push(asked.send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [401, 401, 429, 200], "a good token is let in all the same");
    drop(client);
    served.end().await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_caller_counts_and_not_the_proxy() {
    let mut fixture = Fixture::new().await;
    fixture.options.logins_per_minute = 1;
    fixture.options.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let served = Served::of(&fixture).await;
    let client = client();
    let mut statuses = Vec::new();
    for chain in ["192.0.2.1", "192.0.2.2", "1.2.3.4, 192.0.2.1", "192.0.2.3, 127.0.0.1"] {
        let login = client
            .post(served.url("/api/refresh"))
            .header("content-type", "application/json")
            .header("x-forwarded-for", chain)
            .body(r#"{"refresh_token":"refresh-2"}"#);
        statuses.push(login.send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429, 200]);
    let figures = client.get(served.url("/metrics")).header("x-forwarded-for", "192.0.2.1");
    assert_eq!(figures.send().await.unwrap().status(), 401, "the caller is not on this machine");
    drop(client);
    served.end().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let mut fixture = Fixture::new().await;
    fixture.options.max_connections = 1;
    let served = Served::of(&fixture).await;
    let mut first = served.connect().await;
    first.write_all(b"GET /api/health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut begin = [0; 12];
    first.read_exact(&mut begin).await.unwrap();
    let mut second = served.connect().await;
    let ask = b"GET /api/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    second.write_all(ask).await.unwrap();
    let mut nothing = [0; 1];
    let waited = tokio::time::timeout(Duration::from_millis(100), second.read(&mut nothing)).await;
    assert!(waited.is_err(), "the only place is taken");
    drop(first);
    assert!(read_all(&mut second).await.starts_with("HTTP/1.1 200 "));
    served.end().await;
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_host_ends() {
    let fixture = Fixture::new().await;
    let served = Served::of(&fixture).await;
    let mut idle = served.connect().await;
    idle.write_all(b"GET /api/health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut begin = [0; 12];
    idle.read_exact(&mut begin).await.unwrap();
    let url = served.url("/api/me");
    let asked = tokio::spawn(async move { client().get(url).bearer_auth("waits").send().await });
    fixture.accounts.waits.notified().await;
    let ending = tokio::spawn(served.end());
    read_all(&mut idle).await;
    fixture.accounts.go.notify_one();
    assert_eq!(asked.await.unwrap().unwrap().status(), 200);
    tokio::time::timeout(Duration::from_secs(2), ending).await.unwrap().unwrap();
}
