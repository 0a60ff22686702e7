//! Claims about what nodes show, and about requests to them.

use std::time::Duration;

use arb_core::port::{
    Answer, Component, ComponentState, Cursor, DecisionRow, NewRequest, Receipt, Request,
    RequestState, Shown, Store, TakenRequest, TradingSettings, View,
};
use arb_core::{Command, ConfigError, RiskState, StoreError};

use super::run::{signal, trade};
use super::{BTC, ETH, START};

const HOUR: Duration = Duration::from_hours(1);

/// A view of two instruments with a trade and a decision.
fn shown(epoch: u64, seq: u64) -> Shown {
    let mut view = View::empty();
    (view.seq, view.at, view.risk_state) = (seq, START, RiskState::Active);
    view.instruments = ["um:BTCUSDT", "um:ETHUSDT"].map(str::to_owned).into();
    view.trades = vec![trade(1, BTC, START)];
    view.account.equity = super::run::money("10000.00000001");
    let (name, detail) = ("executor".to_owned(), "the paper venue".to_owned());
    let parts = vec![Component { name, state: ComponentState::Ok, detail }];
    let decisions = vec![DecisionRow::from(&signal(ETH, START))];
    Shown { cursor: Cursor { epoch, seq }, view, decisions, parts }
}

async fn seq(store: &impl Store, stream: &str, newer_than: Cursor) -> Option<u64> {
    store.shown(stream, newer_than).await.unwrap().map(|shown| shown.view.seq)
}

/// Account, trades, decisions and parts, and nothing for who has it already.
pub async fn what_is_shown_comes_back_whole(store: &impl Store) {
    assert!(store.shown("node", Cursor::default()).await.unwrap().is_none());
    let given = shown(1, 7);
    store.show("node", &given).await.unwrap();
    let found = store.shown("node", Cursor::default()).await.unwrap().unwrap();
    assert_eq!(found.cursor, given.cursor);
    assert_eq!(found.view.at, given.view.at);
    assert_eq!(found.view.account, given.view.account);
    assert_eq!(found.view.instruments, given.view.instruments);
    assert_eq!(found.view.trades, given.view.trades);
    assert_eq!(found.view.risk_state, given.view.risk_state);
    assert_eq!(found.parts, given.parts);
    let [found, given] = [&found.decisions, &given.decisions].map(|rows| &rows[0]);
    assert_eq!((found.instrument, &found.factors), (given.instrument, &given.factors));
    assert_eq!(seq(store, "node", Cursor { epoch: 1, seq: 6 }).await, Some(7));
    assert_eq!(seq(store, "node", Cursor { epoch: 1, seq: 7 }).await, None);
    assert_eq!(seq(store, "other", Cursor::default()).await, None);
}

/// An older record, or the same, replaces nothing.
pub async fn what_is_shown_only_moves_forward(store: &impl Store) {
    for (epoch, given, expected) in [(1, 7, 7), (1, 6, 7), (1, 7, 7), (1, 9, 9), (2, 3, 3)] {
        store.show("node", &shown(epoch, given)).await.unwrap();
        assert_eq!(seq(store, "node", Cursor::default()).await, Some(expected));
    }
    store.show("other", &shown(1, 1)).await.unwrap();
    assert_eq!(seq(store, "node", Cursor::default()).await, Some(3));
}

/// Neither who was followed by another, nor who lost the lease to one that shows nothing yet.
pub async fn only_the_newest_epoch_shows(store: &impl Store) {
    store.show("node", &shown(2, 1)).await.unwrap();
    let error = store.show("node", &shown(1, 9)).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced { epoch: 1, current: 2, .. }), "{error}");
    store.hold("guard", "a", Duration::ZERO).await.unwrap();
    store.hold("guard", "b", HOUR).await.unwrap();
    let error = store.show("guard", &shown(1, 9)).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced { epoch: 1, current: 2, .. }), "{error}");
    assert_eq!(seq(store, "node", Cursor::default()).await, Some(1));
    assert_eq!(seq(store, "guard", Cursor::default()).await, None);
}

fn request(id: &str, command: Command) -> NewRequest {
    NewRequest {
        id: id.to_owned(),
        stream: "node".to_owned(),
        asked_by: "api".to_owned(),
        request: Request::Command(command),
        valid_for: HOUR,
    }
}

/// The lease of the stream, by its epoch.
async fn leased(store: &impl Store) -> u64 {
    store.hold("node", "a", HOUR).await.unwrap().unwrap().epoch
}

async fn take(store: &impl Store, epoch: u64) -> Vec<String> {
    let taken = store.take("node", epoch, 100).await.unwrap();
    taken.into_iter().map(|taken| taken.id).collect()
}

async fn state(store: &impl Store, id: &str) -> RequestState {
    store.request(id).await.unwrap().unwrap().state
}

const fn done(seq: u64) -> Answer {
    Answer::Done(Receipt { seq })
}

/// In the order in which they were asked, and each by one taker only.
pub async fn a_request_is_taken_once(store: &impl Store) {
    let epoch = leased(store).await;
    assert_eq!(take(store, epoch).await, [""; 0]);
    // Ids do not tell the order.
    for id in ["c", "a", "b"] {
        store.ask(&request(id, Command::Pause)).await.unwrap();
    }
    let other = NewRequest { stream: "other".to_owned(), ..request("d", Command::Pause) };
    store.ask(&other).await.unwrap();
    let first = store.take("node", epoch, 2).await.unwrap();
    assert_eq!(first.iter().map(|taken| taken.id.as_str()).collect::<Vec<_>>(), ["c", "a"]);
    assert!(first.iter().all(|taken| taken.left > HOUR / 2 && taken.left <= HOUR));
    assert_eq!(take(store, epoch).await, ["b"]);
    assert_eq!(take(store, epoch).await, [""; 0]);
    assert_eq!(state(store, "a").await, RequestState::Taken { epoch });
    assert_eq!(state(store, "d").await, RequestState::Waiting);
}

/// Who is not sure whether it was entered asks again, and it is done once.
pub async fn asking_again_changes_nothing(store: &impl Store) {
    let epoch = leased(store).await;
    let pause = request("a", Command::Pause);
    store.ask(&pause).await.unwrap();
    store.ask(&pause).await.unwrap();
    assert_eq!(take(store, epoch).await, ["a"]);
    store.ask(&pause).await.unwrap();
    assert_eq!(take(store, epoch).await, [""; 0]);
    let error = store.ask(&request("a", Command::Flatten(None))).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    assert_eq!(store.request("a").await.unwrap().unwrap().request, pause.request);
}

/// Yesterday's order to close everything must not be carried out today.
pub async fn a_request_whose_time_is_over_is_never_taken(store: &impl Store) {
    let epoch = leased(store).await;
    let late = NewRequest { valid_for: Duration::ZERO, ..request("a", Command::Flatten(None)) };
    store.ask(&late).await.unwrap();
    assert_eq!(state(store, "a").await, RequestState::Answered(Answer::Expired));
    assert_eq!(take(store, epoch).await, [""; 0]);
    assert!(!store.answer("a", epoch, &done(1)).await.unwrap());
    let withdrawn = store.withdraw("a").await.unwrap();
    assert_eq!(withdrawn, Some(RequestState::Answered(Answer::Expired)));
    assert_eq!(state(store, "a").await, RequestState::Answered(Answer::Expired));
}

/// Withdrawing comes before or after taking, never with it.
pub async fn what_is_withdrawn_is_not_taken_and_what_is_taken_is_not_withdrawn(store: &impl Store) {
    let epoch = leased(store).await;
    let withdrawn = RequestState::Answered(Answer::Withdrawn);
    store.ask(&request("a", Command::Pause)).await.unwrap();
    assert_eq!(store.withdraw("a").await.unwrap(), Some(withdrawn.clone()));
    assert_eq!(take(store, epoch).await, [""; 0]);
    store.ask(&request("b", Command::Pause)).await.unwrap();
    assert_eq!(take(store, epoch).await, ["b"]);
    assert_eq!(store.withdraw("b").await.unwrap(), Some(RequestState::Taken { epoch }));
    assert!(store.answer("b", epoch, &done(5)).await.unwrap());
    assert_eq!(store.withdraw("b").await.unwrap(), Some(RequestState::Answered(done(5))));
    assert_eq!(state(store, "a").await, withdrawn);
    assert_eq!(store.withdraw("c").await.unwrap(), None);
}

/// The first answer stays, and it is that of the taker.
pub async fn a_request_is_answered_once_by_its_taker(store: &impl Store) {
    let epoch = leased(store).await;
    store.ask(&request("a", Command::Pause)).await.unwrap();
    assert!(!store.answer("a", epoch, &done(1)).await.unwrap(), "nobody has taken it");
    take(store, epoch).await;
    assert!(!store.answer("a", epoch + 1, &done(2)).await.unwrap(), "another's");
    assert!(store.answer("a", epoch, &done(3)).await.unwrap());
    assert!(!store.answer("a", epoch, &done(4)).await.unwrap());
    assert!(!store.answer("b", epoch, &done(5)).await.unwrap());
    assert_eq!(state(store, "a").await, RequestState::Answered(done(3)));
}

/// A node that was killed may have done it: nobody does it again.
pub async fn what_was_taken_and_not_answered_is_lost(store: &impl Store) {
    let old = store.hold("node", "a", Duration::ZERO).await.unwrap().unwrap().epoch;
    for id in ["a", "b"] {
        store.ask(&request(id, Command::Flatten(None))).await.unwrap();
    }
    assert_eq!(take(store, old).await, ["a", "b"]);
    assert!(store.answer("b", old, &done(9)).await.unwrap());
    store.ask(&request("c", Command::Pause)).await.unwrap();
    let new = leased(store).await;
    assert_eq!(store.lose("node", new).await.unwrap(), 1);
    assert_eq!(store.lose("node", new).await.unwrap(), 0);
    assert_eq!(state(store, "a").await, RequestState::Answered(Answer::Lost));
    assert_eq!(state(store, "b").await, RequestState::Answered(done(9)));
    assert_eq!(take(store, new).await, ["c"]);
    assert!(!store.answer("a", old, &done(10)).await.unwrap());
}

/// Neither a former holder, nor one that never was.
pub async fn only_the_holder_of_the_lease_takes(store: &impl Store) {
    store.ask(&request("a", Command::Pause)).await.unwrap();
    let old = store.hold("node", "a", Duration::ZERO).await.unwrap().unwrap().epoch;
    let new = store.hold("node", "b", HOUR).await.unwrap().unwrap().epoch;
    for epoch in [0, old, new + 1] {
        let error = store.take("node", epoch, 9).await.unwrap_err();
        assert!(matches!(error, StoreError::Fenced { current: 2, .. }), "{error}");
        let error = store.lose("node", epoch).await.unwrap_err();
        assert!(matches!(error, StoreError::Fenced { current: 2, .. }), "{error}");
    }
    assert_eq!(state(store, "a").await, RequestState::Waiting);
    assert_eq!(take(store, new).await, ["a"]);
}

/// Every kind of request and answer, with who asked and when.
pub async fn requests_and_answers_come_back_as_they_were_given(store: &impl Store) {
    let epoch = leased(store).await;
    let reason = "looked at \"it\"".to_owned();
    let settings = TradingSettings {
        enabled_strategies: vec!["v52_8signals".to_owned()],
        risk_per_trade: "0.015".parse().unwrap(),
        ..TradingSettings::default()
    };
    let refused = ConfigError::new("settings", None, "risk_per_trade", "1 given");
    let given = [
        (Request::Command(Command::Pause), done(3)),
        (Request::Command(Command::Resume), Answer::Failed("the disk is full".to_owned())),
        (Request::Command(Command::Flatten(Some(arb_core::Book::Carry))), Answer::Expired),
        (Request::Command(Command::Reset { reason: reason.clone() }), done(u64::MAX >> 1)),
        (Request::Command(Command::Halt { reason }), Answer::Lost),
        (Request::Settings(settings), Answer::Refused(refused)),
    ];
    for (id, (request, answer)) in given.iter().enumerate() {
        let new = NewRequest {
            request: request.clone(),
            ..self::request(&id.to_string(), Command::Pause)
        };
        store.ask(&new).await.unwrap();
        let taken = store.take("node", epoch, 9).await.unwrap();
        let [TakenRequest { request: taken, .. }] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!(taken, request);
        assert!(store.answer(&new.id, epoch, answer).await.unwrap());
        let stored = store.request(&new.id).await.unwrap().unwrap();
        assert_eq!(
            (&stored.id, &stored.stream, &stored.asked_by),
            (&new.id, &new.stream, &new.asked_by)
        );
        assert_eq!(&stored.request, request);
        assert_eq!(stored.state, RequestState::Answered(answer.clone()));
        assert_eq!(stored.expires_at.since(stored.asked_at), 3_600_000_000_000);
    }
    assert_eq!(store.request("none").await.unwrap(), None);
}
