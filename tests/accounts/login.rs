//! Registering, logging in and out, and what ends a login.

use std::sync::Arc;
use std::time::Duration;

use arb::AuthError;
use arb::accounts::{Limits, Rate};
use arb::port::{Accounts as _, InviteWish, UserPatch, UserRole};
use arb::time::{HOUR, SECOND};

use super::support::{PASSWORD, SECRET, World, at, is_token, limited};

on_both_stores! {
    an_invite_gives_its_role_and_a_login,
    invites_that_are_no_good_get_one_answer,
    two_who_share_one_invite_do_not_both_get_in,
    a_taken_email_costs_no_invite,
    what_cannot_be_used_is_named,
    an_unknown_user_cannot_be_told_from_a_wrong_password,
    tries_on_one_account_are_limited_wherever_they_come_from,
    tries_from_one_address_are_limited_whomever_they_are_for,
    a_ban_ends_everything_at_once_and_its_end_revives_no_login,
    a_logout_ends_one_login,
    another_password_ends_all_logins,
}

async fn an_invite_gives_its_role_and_a_login(world: World) {
    let code = world.invite(UserRole::Trader, 2).await;
    let session =
        world.accounts.register(at(1), " Ann@Example.com ", PASSWORD, &code).await.unwrap();
    assert_eq!(
        (session.user.email.as_str(), session.user.role),
        ("ann@example.com", UserRole::Trader)
    );
    assert_eq!(world.who(&session).await.user, session.user.id);
    let again = world.accounts.login(at(1), "ANN@example.com", PASSWORD).await.unwrap();
    assert_eq!(again.user, session.user);
    assert_ne!(again.refresh, session.refresh);
    let code = format!(" {code}\n");
    let bob = world.accounts.register(at(2), "bob@example.com", PASSWORD, &code).await;
    assert_eq!(bob.unwrap().user.role, UserRole::Trader);
    let told: Vec<(Option<u64>, String)> =
        world.audit().await.into_iter().map(|row| (row.user, row.action)).collect();
    let ann = Some(session.user.id);
    assert_eq!(
        told[..3],
        [(None, "invite_created".into()), (ann, "registered".into()), (ann, "login".into())]
    );
}

async fn invites_that_are_no_good_get_one_answer(world: World) {
    let used = world.invite(UserRole::User, 1).await;
    world.accounts.register(at(1), "a@example.com", PASSWORD, &used).await.unwrap();
    let revoked = world.invite(UserRole::User, 5).await;
    world.accounts.operator().revoke_invite(&revoked).await.unwrap();
    let expired = world.invite(UserRole::User, 5).await;
    world.pass(HOUR);
    let hashes = world.accounts.password_hashes();
    for code in [&used, &revoked, &expired, "unknown", "", &"x".repeat(100_000)] {
        let error =
            world.accounts.register(at(2), "b@example.com", PASSWORD, code).await.unwrap_err();
        assert_eq!(error.to_string(), AuthError::Invite.to_string());
        let (user, action, detail) = world.last().await;
        assert_eq!((user, action.as_str()), (None, "register_refused"));
        assert!(detail.contains("192.0.2.2") && detail.contains("invite"), "{detail}");
    }
    assert_eq!(world.accounts.password_hashes(), hashes, "nobody is made to work for nothing");
    let error = world.accounts.operator().revoke_invite(&revoked).await.unwrap_err();
    assert!(matches!(error, AuthError::NotFound), "{error}");
}

async fn two_who_share_one_invite_do_not_both_get_in(world: World) {
    for round in 0..8 {
        let code = world.invite(UserRole::User, 1).await;
        let register = |email: String| {
            let (world, code) = (&world, &code);
            async move { world.accounts.register(at(round), &email, PASSWORD, code).await }
        };
        let (a, b) = tokio::join!(
            register(format!("a{round}@example.com")),
            register(format!("b{round}@example.com"))
        );
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        let error = a.err().or(b.err()).unwrap();
        assert!(matches!(error, AuthError::Invite), "{error}");
        let invite = world.store.invite(&code).await.unwrap().unwrap();
        assert_eq!(invite.uses_left, 0);
    }
}

async fn a_taken_email_costs_no_invite(world: World) {
    world.member("ann@example.com", UserRole::User).await;
    let code = world.invite(UserRole::User, 1).await;
    let taken = world.accounts.register(at(1), "Ann@example.com", PASSWORD, &code).await;
    assert!(matches!(taken, Err(AuthError::EmailTaken)), "{taken:?}");
    assert_eq!(world.store.invite(&code).await.unwrap().unwrap().uses_left, 1);
    let race = |from| world.accounts.register(at(from), "bob@example.com", PASSWORD, &code);
    let (a, b) = tokio::join!(race(2), race(3));
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
}

async fn what_cannot_be_used_is_named(world: World) {
    let code = world.invite(UserRole::User, 1).await;
    for (email, password, named) in [
        ("ann", PASSWORD, "email"),
        ("ann@example.com", "short", "password"),
        ("ann@example.com", "password1234", "password"),
        ("ann@example.com", "Ann@Example.com", "password"),
    ] {
        let error = world.accounts.register(at(1), email, password, &code).await.unwrap_err();
        let AuthError::Weak { field, .. } = &error else { panic!("{error}") };
        assert_eq!(*field, named);
    }
    let now = arb::port::Clock::now(world.clock.as_ref());
    for (uses, expires_at, named) in
        [(0, None, "uses"), (1_001, None, "uses"), (1, Some(now), "expires_at")]
    {
        let wish = InviteWish { role: UserRole::User, uses, expires_at };
        let error = world.accounts.operator().create_invite(wish).await.unwrap_err();
        let AuthError::Weak { field, .. } = &error else { panic!("{error}") };
        assert_eq!(*field, named);
    }
}

async fn an_unknown_user_cannot_be_told_from_a_wrong_password(world: World) {
    world.member("ann@example.com", UserRole::User).await;
    let mut seen = Vec::new();
    for email in ["ann@example.com", "nobody@example.com", "no address", ""] {
        let (hashes, rows) = (world.accounts.password_hashes(), world.audit().await.len());
        let error = world.accounts.login(at(1), email, "wrong and long enough").await.unwrap_err();
        let hashed = world.accounts.password_hashes() - hashes;
        let told = world.audit().await.len() - rows;
        seen.push((error.to_string(), format!("{error:?}"), hashed, told));
    }
    let expected = ("e-mail or password is wrong".to_owned(), "Credentials".to_owned(), 1, 1);
    assert!(seen.iter().all(|seen| *seen == expected), "{seen:?}");
    let long = "x".repeat(1 << 20);
    for email in ["ann@example.com", "nobody@example.com"] {
        let error = world.accounts.login(at(1), email, &long).await.unwrap_err();
        assert!(matches!(error, AuthError::Credentials), "{error}");
    }
}

async fn tries_on_one_account_are_limited_wherever_they_come_from(world: World) {
    world.member("ann@example.com", UserRole::User).await;
    for email in ["ann@example.com", "nobody@example.com"] {
        for host in 0..10 {
            let wrong = world.accounts.login(at(host), email, "wrong and long enough").await;
            assert!(matches!(wrong, Err(AuthError::Credentials)), "{wrong:?}");
        }
        let hashes = world.accounts.password_hashes();
        let wait = limited(world.accounts.login(at(99), email, PASSWORD).await);
        assert_eq!(wait, Duration::from_secs(30), "{email}");
        assert_eq!(world.accounts.password_hashes(), hashes, "the right password is not looked at");
        let (_, action, detail) = world.last().await;
        assert_eq!(action, "limited");
        assert!(detail.contains("192.0.2.99") && detail.contains("account"), "{detail}");
        let rows = world.audit().await.len();
        limited(world.accounts.login(at(99), &email.to_uppercase(), PASSWORD).await);
        assert_eq!(world.audit().await.len(), rows, "told once a minute");
    }
    world.pass(30 * SECOND);
    world.accounts.login(at(99), "ann@example.com", PASSWORD).await.unwrap();
}

async fn tries_from_one_address_are_limited_whomever_they_are_for(world: World) {
    let session = world.member("ann@example.com", UserRole::User).await;
    for account in 0..30 {
        let email = format!("{account}@example.com");
        let wrong = world.accounts.login(at(9), &email, "wrong and long enough").await;
        assert!(matches!(wrong, Err(AuthError::Credentials)), "{wrong:?}");
    }
    let wait = limited(world.accounts.login(at(9), "ann@example.com", PASSWORD).await);
    assert_eq!(wait, Duration::from_secs(5));
    let code = world.invite(UserRole::User, 1).await;
    limited(world.accounts.register(at(9), "new@example.com", PASSWORD, &code).await);
    world.accounts.login(at(8), "ann@example.com", PASSWORD).await.unwrap();
    world.accounts.refresh(at(9), &session.refresh).await.unwrap();
    world.pass(5 * SECOND);
    world.accounts.login(at(9), "ann@example.com", PASSWORD).await.unwrap();
}

async fn a_ban_ends_everything_at_once_and_its_end_revives_no_login(world: World) {
    let admin = world.admin().await;
    let session = world.member("ann@example.com", UserRole::Trader).await;
    let ann = world.who(&session).await;
    let key = world.accounts.create_key(&ann, "bot", &[arb::port::Scope::Read]).await.unwrap();
    let ban = UserPatch { banned: Some(true), ..UserPatch::default() };
    let banned = world.accounts.change_user(&admin, ann.user, ban).await.unwrap();
    assert!(banned.banned_at.is_some());
    let (by, action, _) = world.last().await;
    assert_eq!((by, action.as_str()), (Some(admin.user), "user_banned"));
    is_token(world.accounts.authenticate(&session.access).await);
    is_token(world.accounts.authenticate(&key.secret).await);
    is_token(world.accounts.refresh(at(1), &session.refresh).await);
    let right = world.accounts.login(at(1), "ann@example.com", PASSWORD).await;
    assert!(matches!(right, Err(AuthError::Banned)), "{right:?}");
    let wrong = world.accounts.login(at(1), "ann@example.com", "wrong and long enough").await;
    assert!(matches!(wrong, Err(AuthError::Credentials)), "{wrong:?}");
    world.pass(SECOND);
    let again = world.accounts.change_user(&admin, ann.user, ban).await.unwrap();
    assert_eq!(again.banned_at, banned.banned_at, "since the first ban");

    let unban = UserPatch { banned: Some(false), ..UserPatch::default() };
    world.accounts.change_user(&admin, ann.user, unban).await.unwrap();
    is_token(world.accounts.authenticate(&session.access).await);
    is_token(world.accounts.refresh(at(1), &session.refresh).await);
    world.accounts.authenticate(&key.secret).await.unwrap();
    world.accounts.login(at(1), "ann@example.com", PASSWORD).await.unwrap();
}

async fn a_logout_ends_one_login(world: World) {
    let here = world.member("ann@example.com", UserRole::User).await;
    let there = world.accounts.login(at(2), "ann@example.com", PASSWORD).await.unwrap();
    let other = world.member("bobby@example.com", UserRole::Admin).await;
    let (ann, bob) = (world.who(&here).await, world.who(&other).await);
    is_token(world.accounts.logout(&bob, &here.refresh).await);
    is_token(world.accounts.logout(&ann, "arbr_unknown").await);
    world.who(&here).await;
    let next = world.accounts.refresh(at(1), &here.refresh).await.unwrap();
    world.accounts.logout(&ann, &here.refresh).await.unwrap();
    for access in [&here.access, &next.access] {
        is_token(world.accounts.authenticate(access).await);
    }
    for refresh in [&here.refresh, &next.refresh] {
        is_token(world.accounts.refresh(at(1), refresh).await);
    }
    world.who(&there).await;
    let rows = world.audit().await.len();
    world.accounts.logout(&ann, &here.refresh).await.unwrap();
    assert_eq!(world.audit().await.len(), rows, "once more does nothing");
}

async fn another_password_ends_all_logins(world: World) {
    let session = world.member("ann@example.com", UserRole::User).await;
    let operator = world.accounts.operator();
    let weak = operator.set_password(session.user.id, "password1234").await;
    assert!(matches!(weak, Err(AuthError::Weak { field: "password", .. })), "{weak:?}");
    world.who(&session).await;
    operator.set_password(session.user.id, "pebble harvest tunic owl").await.unwrap();
    is_token(world.accounts.authenticate(&session.access).await);
    is_token(world.accounts.refresh(at(1), &session.refresh).await);
    let old = world.accounts.login(at(1), "ann@example.com", PASSWORD).await;
    assert!(matches!(old, Err(AuthError::Credentials)), "{old:?}");
    world.accounts.login(at(1), "ann@example.com", "pebble harvest tunic owl").await.unwrap();
}

/// Whatever the order in which the two happen, which differs from run to run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_login_outlives_a_ban_that_came_while_it_was_made() {
    let world = World::memory();
    let user = world.member("ann@example.com", UserRole::User).await.user.id;
    let much = Rate { burst: 10_000, every: Duration::from_nanos(1) };
    let limits = Limits { address: much, account: much, refresh: much };
    let accounts = Arc::new(world.again(SECRET, limits));
    let ban = |banned| UserPatch { banned: Some(banned), ..UserPatch::default() };
    let (mut in_time, mut late) = (0, 0);
    for _ in 0..300 {
        let other = Arc::clone(&accounts);
        let login =
            tokio::spawn(async move { other.login(at(1), "ann@example.com", PASSWORD).await });
        while accounts.password_hashes() == in_time + late {
            tokio::task::yield_now().await;
        }
        accounts.operator().change_user(user, ban(true)).await.unwrap();
        let answer = login.await.unwrap();
        accounts.operator().change_user(user, ban(false)).await.unwrap();
        match answer {
            Ok(session) => {
                in_time += 1;
                is_token(accounts.authenticate(&session.access).await);
                is_token(accounts.refresh(at(1), &session.refresh).await);
            }
            Err(AuthError::Banned | AuthError::Credentials) => late += 1,
            Err(error) => panic!("{error}"),
        }
        assert_eq!(accounts.password_hashes(), in_time + late);
    }
}
