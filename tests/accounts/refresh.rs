//! Exchanging refresh tokens, and noticing that one was copied.

use std::sync::Arc;
use std::time::Duration;

use arb::AuthError;
use arb::accounts::{Limits, Rate};
use arb::port::{Accounts as _, UserRole};
use arb::time::{DAY, HOUR, SECOND};

use super::support::{PASSWORD, SECRET, World, at, is_token, limited};

on_both_stores! {
    a_token_is_exchanged_for_another,
    a_used_token_serves_for_a_minute_then_ends_its_login,
    two_exchanges_at_once_are_both_served,
    tokens_end,
    exchanges_are_limited_for_each_user,
}

async fn a_token_is_exchanged_for_another(world: World) {
    let first = world.member("ann@example.com", UserRole::User).await;
    let second = world.accounts.refresh(at(1), &first.refresh).await.unwrap();
    let third = world.accounts.refresh(at(1), &second.refresh).await.unwrap();
    assert_ne!(first.refresh, second.refresh);
    assert_ne!(second.refresh, third.refresh);
    for session in [&first, &second, &third] {
        assert_eq!(world.who(session).await.user, first.user.id, "access tokens stay valid");
    }
    for text in ["", "arbr_", first.access.as_str(), &first.refresh.to_uppercase()] {
        is_token(world.accounts.refresh(at(1), text).await);
    }
    is_token(world.accounts.authenticate(&third.refresh).await);
}

async fn a_used_token_serves_for_a_minute_then_ends_its_login(world: World) {
    let old = world.member("ann@example.com", UserRole::User).await;
    let elsewhere = world.accounts.login(at(2), "ann@example.com", PASSWORD).await.unwrap();
    let new = world.accounts.refresh(at(1), &old.refresh).await.unwrap();
    world.pass(60 * SECOND);
    let more = world.accounts.refresh(at(1), &old.refresh).await.unwrap();
    assert_ne!(more.refresh, new.refresh);
    world.accounts.refresh(at(1), &more.refresh).await.unwrap();
    world.pass(1_000_000);
    is_token(world.accounts.refresh(at(66), &old.refresh).await);
    let (user, action, detail) = world.last().await;
    assert_eq!((user, action.as_str()), (None, "refresh_replayed"));
    assert!(detail.contains("192.0.2.66"), "{detail}");
    for session in [&old, &new, &more] {
        is_token(world.accounts.refresh(at(1), &session.refresh).await);
        is_token(world.accounts.authenticate(&session.access).await);
    }
    world.who(&elsewhere).await;
    world.accounts.refresh(at(2), &elsewhere.refresh).await.unwrap();
}

async fn two_exchanges_at_once_are_both_served(world: World) {
    let session = world.member("ann@example.com", UserRole::User).await;
    let exchange = || world.accounts.refresh(at(1), &session.refresh);
    let (a, b, c) = tokio::join!(exchange(), exchange(), exchange());
    for answer in [a, b, c] {
        let next = answer.unwrap();
        world.who(&next).await;
        world.accounts.refresh(at(1), &next.refresh).await.unwrap();
    }
}

async fn tokens_end(world: World) {
    let first = world.member("ann@example.com", UserRole::User).await;
    world.pass(24 * HOUR - SECOND);
    world.who(&first).await;
    world.pass(SECOND);
    is_token(world.accounts.authenticate(&first.access).await);
    let second = world.accounts.refresh(at(1), &first.refresh).await.unwrap();
    world.pass(7 * DAY - SECOND);
    let third = world.accounts.refresh(at(1), &second.refresh).await.unwrap();
    world.pass(7 * DAY);
    is_token(world.accounts.refresh(at(1), &third.refresh).await);
}

async fn exchanges_are_limited_for_each_user(world: World) {
    let mut ann = world.member("ann@example.com", UserRole::User).await;
    let bob = world.member("bobby@example.com", UserRole::User).await;
    for _ in 0..30 {
        ann = world.accounts.refresh(at(1), &ann.refresh).await.unwrap();
    }
    limited(world.accounts.refresh(at(1), &ann.refresh).await);
    world.accounts.refresh(at(1), &bob.refresh).await.unwrap();
    world.pass(10 * SECOND);
    world.accounts.refresh(at(1), &ann.refresh).await.unwrap();
}

/// Whatever the order in which the two happen, which differs from run to run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_outlives_a_logout_that_came_while_it_was_exchanged() {
    let world = World::sqlite().await;
    let much = Rate { burst: 10_000, every: Duration::from_nanos(1) };
    let limits = Limits { address: much, account: much, refresh: much };
    let accounts = Arc::new(world.again(SECRET, limits));
    let first = world.member("ann@example.com", UserRole::User).await;
    let ann = world.who(&first).await;
    let mut served = 0;
    for round in 0..200 {
        let login = accounts.login(at(1), "ann@example.com", PASSWORD).await.unwrap();
        if round % 2 == 0 {
            // Used once, it is in the minute in which it serves again.
            accounts.refresh(at(1), &login.refresh).await.unwrap();
        }
        let (other, refresh) = (Arc::clone(&accounts), login.refresh.clone());
        let exchange = tokio::spawn(async move { other.refresh(at(1), &refresh).await });
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        accounts.logout(&ann, &login.refresh).await.unwrap();
        match exchange.await.unwrap() {
            Ok(session) => {
                served += 1;
                is_token(accounts.authenticate(&session.access).await);
                is_token(accounts.refresh(at(1), &session.refresh).await);
            }
            Err(error) => assert!(matches!(error, AuthError::Token), "{error}"),
        }
    }
    assert!(served > 0);
}
