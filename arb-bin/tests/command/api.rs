//! The REST host in a process of its own, over the store of a node that runs in another.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use super::running::{Running, until};
use super::support::Folder;

/// A host, and who asks it.
struct Caller {
    address: String,
    token: String,
}

impl Caller {
    fn new(host: &Running, login: &Value) -> Self {
        let address = host.ready["rest"].as_str().unwrap().strip_prefix("http://").unwrap();
        let mut caller = Self { address: address.to_owned(), token: String::new() };
        let body = json!({ "email": login["email"], "password": login["password"] });
        let (status, session) = caller.ask("POST", "/api/login", Some(&body));
        assert_eq!(status, 200, "{session}");
        session["access_token"].as_str().unwrap().clone_into(&mut caller.token);
        caller
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let Self { address, token } = self;
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut socket = TcpStream::connect(address).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, None);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

#[test]
fn a_host_of_its_own_shows_and_commands_the_node_and_tells_when_it_is_gone() {
    let folder = Folder::new();
    folder.arb(&["run", "--role", "api", "--data", "d"]).refused(1, &["holds no arb.db"]);
    let sim = ["sim", "--seed", "3", "--symbols", "BTCUSDT,ETHUSDT", "--data", "venue"];
    let _venue = Running::start(&folder, &sim);
    let symbols = ["--symbols", "BTCUSDT,ETHUSDT"];
    let node = ["run", "--role", "node", "--data", "d", "--history-hours", "0"];
    let venue = ["--data-venue", "sim", "--venue-json", "venue/venue.json"];
    let node = Running::start(&folder, &[&node[..], &venue, &symbols].concat());
    assert!(node.ready.get("rest").is_none(), "{}", node.ready);
    let added = folder.ok(&["user", "add", "root@example.com", "--json", "--data", "d"]);
    let login: Value = serde_json::from_str(&added.stdout).unwrap();
    let host = ["run", "--role", "api", "--data", "d"];
    let host = Running::start(&folder, &[&host[..], &symbols].concat());
    let caller = Caller::new(&host, &login);

    until("rates of both symbols", || {
        let rates = caller.get("/api/rates");
        rates["BTC"]["mark_price"].is_number() && rates["ETH"]["mark_price"].is_number()
    });
    until("a node that works", || caller.get("/api/health")["status"] == "ok");
    let state = |caller: &Caller| caller.get("/api/live/risk-status")["state"].clone();
    for (action, becomes) in [("pause", "reduce_only"), ("resume", "active")] {
        let (status, answer) = caller.ask("POST", &format!("/api/live/{action}"), None);
        assert_eq!((status, &answer["state"]), (200, &json!(becomes)), "{answer}");
        until("the host sees the node's state", || state(&caller) == becomes);
    }

    node.stop();
    until("a node that is gone", || {
        let health = caller.get("/api/health");
        health["components"]["feed"]["status"] == "degraded"
    });
    let (status, refused) = caller.ask("POST", "/api/live/pause", None);
    assert_eq!(status, 503, "{refused}");
    assert!(caller.get("/api/rates")["BTC"]["mark_price"].is_number(), "what is stored is shown");
    host.stop();
}

#[test]
fn a_node_that_starts_says_so_at_its_port() {
    let folder = Folder::new();
    let sim = ["sim", "--seed", "3", "--symbols", "BTCUSDT", "--data", "venue"];
    let venue = Running::start(&folder, &sim);
    // A venue that takes connections and never answers.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = format!("http://{}", mute.local_addr().unwrap());
    let mut line = venue.ready.clone();
    line["futures_rest"] = mute.into();
    folder.write("mute.json", line.to_string());
    let node = ["run", "--data-venue", "sim", "--venue-json", "mute.json", "--symbols", "BTCUSDT"];
    let mut node = Running::begin(&folder, &node, &[]);
    let told = node.wait_for("says how far the start is");
    let address = told.split("http://").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let caller = Caller { address, token: String::new() };
    let health = caller.get("/api/health");
    assert_eq!(health["status"], "degraded", "{health}");
    let (status, rates) = caller.ask("GET", "/api/rates", None);
    assert_eq!(status, 503);
    assert!(rates["detail"].as_str().unwrap().contains("the node starts"), "{rates}");
    node.kill();
}
