//! Clients and the hub, without sockets and on a clock that the test moves.

use std::time::Duration;

use arb_core::port::{UserPatch, UserRole};
use arb_core::time::HOUR;

use super::support::{BTC, World};
use crate::HttpOptions;
use crate::coins::Coins;
use crate::error::ApiError;
use crate::metrics::StreamKind;
use crate::stream::client::{Client, End, Listener, Step};
use crate::stream::wanted::{Topic, Wanted};

async fn wanted(world: &World, token: &str, topics: &[&str]) -> Result<Wanted, ApiError> {
    let who = world.app.authenticate(token).await.unwrap();
    Wanted::new(&who, Coins::new(&world.app.host.symbols), (topics, &[]))
}

async fn client(world: &World, token: &str, topics: &[&str]) -> Client {
    let wanted = wanted(world, token, topics).await.unwrap();
    let listener = Listener { token: token.to_owned(), wanted, last: None };
    Client::begin(&world.app, StreamKind::Sse, listener).await.unwrap()
}

/// Hears until the end.
async fn end_of(mut client: Client) -> End {
    loop {
        if let Step::End(end) = client.next().await {
            return end;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_ban_ends_a_stream_within_a_minute() {
    let world = World::new(HttpOptions::default()).await;
    let token = world.token(UserRole::User).await;
    let client = client(&world, &token, &[]).await;
    world.change_user(UserRole::User, UserPatch { banned: Some(true), role: None }).await;
    let began = tokio::time::Instant::now();
    assert_eq!(end_of(client).await, End::NotAllowed);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_ends_a_stream_within_a_minute() {
    let world = World::new(HttpOptions::default()).await;
    let token = world.token(UserRole::Viewer).await;
    let client = client(&world, &token, &[]).await;
    world.clock.pass(25 * HOUR);
    let began = tokio::time::Instant::now();
    assert_eq!(end_of(client).await, End::NotAllowed);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_lowered_ends_a_stream_of_the_account() {
    let world = World::new(HttpOptions::default()).await;
    let token = world.token(UserRole::User).await;
    let all = client(&world, &token, &[]).await;
    let mut market = client(&world, &token, &["rates"]).await;
    let patch = UserPatch { role: Some(UserRole::Viewer), banned: None };
    world.change_user(UserRole::User, patch).await;
    assert_eq!(end_of(all).await, End::NotAllowed);
    assert!(matches!(market.next().await, Step::Messages(_)), "the market stays open");
}

#[tokio::test(start_paused = true)]
async fn the_account_takes_the_role_of_its_endpoints() {
    let world = World::new(HttpOptions::default()).await;
    let token = world.token(UserRole::Viewer).await;
    for topic in ["positions", "risk"] {
        let refused = wanted(&world, &token, &["rates", topic]).await;
        assert!(matches!(refused, Err(ApiError::Forbidden(_))), "{refused:?}");
    }
    let mut client = client(&world, &token, &[]).await;
    let Step::Messages(first) = client.next().await else { panic!("it begins") };
    let topics: Vec<_> = first.iter().map(|message| message.draft.topic).collect();
    assert!(!topics.contains(&Topic::Risk) && !topics.contains(&Topic::Positions), "{topics:?}");
    assert!(topics.contains(&Topic::Rates));
}

#[tokio::test(start_paused = true)]
async fn nobody_looks_while_nobody_listens() {
    let world = World::new(HttpOptions::default()).await;
    let token = world.token(UserRole::User).await;
    assert!(world.app.hub.is_asleep());
    assert_eq!(world.desk.looks(), 0);
    let first = client(&world, &token, &[]).await;
    let second = client(&world, &token, &[]).await;
    drop(first);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(!world.app.hub.is_asleep());
    let per_second = world.desk.looks() / 300;
    assert!((3..=5).contains(&per_second), "{per_second} looks a second for any number of clients");
    drop(second);
    while !world.app.hub.is_asleep() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let looks = world.desk.looks();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(world.desk.looks(), looks);
    let mut third = client(&world, &token, &["risk"]).await;
    assert!(matches!(third.next().await, Step::Messages(_)), "it wakes with the present state");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_half_a_minute_late_is_dropped_others_go_on() {
    let world = World::new(HttpOptions::default()).await;
    let token = world.token(UserRole::User).await;
    let mut slow = client(&world, &token, &["risk"]).await;
    let mut fast = client(&world, &token, &["risk"]).await;
    let mut heard = 0;
    let until = tokio::time::Instant::now() + Duration::from_secs(40);
    while tokio::time::Instant::now() < until {
        let Step::Messages(messages) = fast.next().await else { panic!("it goes on") };
        heard += messages.len();
    }
    assert!(heard >= 8, "{heard} messages of risk in 40 s");
    let Step::Messages(first) = slow.next().await else { panic!("the present state comes first") };
    assert_eq!(first.len(), 1);
    assert_eq!(end_of(slow).await, End::Slow);
    assert!(matches!(fast.next().await, Step::Messages(_)));
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_connection_takes_nothing_counts_as_dropped_and_one_that_leaves_does_not() {
    let world = World::new(HttpOptions::default()).await;
    let token = world.token(UserRole::User).await;
    let dropped = || {
        let mut text = crate::metrics::Text::default();
        world.app.streams.write(&mut text);
        let text = text.finish();
        let line = text.lines().find(|line| line.starts_with("arb_http_streams_dropped_total"));
        line.unwrap().rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let mut leaves = client(&world, &token, &["risk"]).await;
    assert!(matches!(leaves.next().await, Step::Messages(_)));
    let mut stalls = client(&world, &token, &["risk"]).await;
    assert!(matches!(stalls.next().await, Step::Messages(_)));
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(leaves);
    assert_eq!(dropped(), 0);
    tokio::time::sleep(Duration::from_secs(30)).await;
    drop(stalls);
    assert_eq!(dropped(), 1);
}

#[tokio::test(start_paused = true)]
async fn news_is_told_once() {
    let world = World::new(HttpOptions::default()).await;
    let token = world.token(UserRole::User).await;
    world.desk.decide(BTC, 15_000);
    world.trade(1, 40).await;
    let topics = ["rates", "signals", "indicators", "trades"];
    let mut client = client(&world, &token, &topics).await;
    let Step::Messages(first) = client.next().await else { panic!("the present state comes") };
    assert_eq!(first.len(), 4, "one of each: {first:?}");
    let before = world.app.hub.newest();
    tokio::time::sleep(Duration::from_secs(14)).await;
    world.desk.decide(BTC, 30_000);
    world.trade(41, 3).await;
    let mut news = Vec::new();
    while news.len() < 3 {
        let Step::Messages(messages) = client.next().await else { panic!("it goes on") };
        news.extend(messages.into_iter().filter(|each| each.draft.topic != Topic::Heartbeat));
    }
    let told: Vec<_> = news.iter().map(|message| message.draft.topic).collect();
    assert!(told.contains(&Topic::Signals) && told.contains(&Topic::Indicators));
    assert!(told.contains(&Topic::Trades) && !told.contains(&Topic::Rates), "{told:?}");
    let quiet = news.iter().all(|message| message.number > before);
    assert!(quiet, "nothing of it was told before");
}
