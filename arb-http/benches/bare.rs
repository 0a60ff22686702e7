//! The limit of an HTTP answer: an axum handler of one thread that gives the bytes of a file.
//!
//! `scripts/http-bench` runs `bare FILE` and reads the port from its first line.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may stop at its first surprise")]

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;

async fn serve(body: Bytes) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let rates = get(async move || ([(header::CONTENT_TYPE, "application/json")], body.clone()));
    axum::serve(listener, Router::new().route("/api/rates", rates)).await.unwrap();
}

fn main() {
    let file = std::env::args().skip(1).find(|arg| arg != "--bench");
    let Some(file) = file else {
        println!("scripts/http-bench runs this: bare FILE");
        return;
    };
    let body = Bytes::from(std::fs::read(file).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(serve(body));
}
