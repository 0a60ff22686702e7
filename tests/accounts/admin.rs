//! What admins may, and only they; and that there is always one.

use arb::AuthError;
use arb::port::{Accounts as _, InviteWish, Page, Principal, UserPatch, UserRole};

use super::support::{PASSWORD, World, at};

on_both_stores! {
    the_first_start_makes_one_admin,
    the_last_admin_keeps_its_rights,
    two_admins_do_not_demote_each_other_at_once,
    only_admins_manage_and_what_is_refused_is_told,
    a_role_holds_from_the_next_call_on,
    hosts_add_to_the_audit_log,
    users_are_added_with_a_password_that_is_told_once,
}

const fn role(role: UserRole) -> UserPatch {
    UserPatch { role: Some(role), banned: None }
}

const fn ban(banned: bool) -> UserPatch {
    UserPatch { role: None, banned: Some(banned) }
}

async fn the_first_start_makes_one_admin(world: World) {
    let (a, b) = tokio::join!(world.accounts.bootstrap_admin(), world.accounts.bootstrap_admin());
    let made: Vec<_> = [a.unwrap(), b.unwrap()].into_iter().flatten().collect();
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].email, "admin@localhost");
    let session =
        world.accounts.login(at(1), &made[0].email, made[0].password.expose()).await.unwrap();
    assert_eq!(session.user.role, UserRole::Admin);
    assert_eq!(world.accounts.bootstrap_admin().await.unwrap(), None);
    assert_eq!(world.audit().await[0].action, "user_added");
}

async fn the_last_admin_keeps_its_rights(world: World) {
    let admin = world.admin().await;
    for patch in [
        role(UserRole::Trader),
        ban(true),
        UserPatch { role: Some(UserRole::Admin), banned: Some(true) },
        UserPatch { role: Some(UserRole::User), banned: Some(false) },
    ] {
        let answer = world.accounts.change_user(&admin, admin.user, patch).await;
        assert!(matches!(answer, Err(AuthError::LastAdmin)), "{patch:?}: {answer:?}");
        let (user, action, detail) = world.last().await;
        assert_eq!((user, action.as_str()), (Some(admin.user), "refused"));
        assert!(detail.contains("last admin"), "{detail}");
        let kept = world.accounts.user(&admin, admin.user).await.unwrap();
        assert_eq!((kept.role, kept.banned_at), (UserRole::Admin, None));
    }
    let second = world.member("ann@example.com", UserRole::Admin).await.user.id;
    world.accounts.change_user(&admin, admin.user, role(UserRole::User)).await.unwrap();
    let answer = world.accounts.operator().change_user(second, ban(true)).await;
    assert!(matches!(answer, Err(AuthError::LastAdmin)), "{answer:?}");
}

async fn two_admins_do_not_demote_each_other_at_once(world: World) {
    let first = world.admin().await;
    let second = world.who(&world.member("ann@example.com", UserRole::Admin).await).await;
    let (a, b) = tokio::join!(
        world.accounts.change_user(&first, second.user, role(UserRole::User)),
        world.accounts.change_user(&second, first.user, ban(true))
    );
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    let users = world.accounts.operator().users(0, 10).await.unwrap();
    let governs =
        |user: &&arb::port::UserInfo| user.role == UserRole::Admin && user.banned_at.is_none();
    assert_eq!(users.iter().filter(governs).count(), 1);
}

async fn only_admins_manage_and_what_is_refused_is_told(world: World) {
    let admin = world.admin().await;
    for (email, rank) in [
        ("viewer@example.com", UserRole::Viewer),
        ("user@example.com", UserRole::User),
        ("trader@example.com", UserRole::Trader),
    ] {
        let who = world.who(&world.member(email, rank).await).await;
        for (what, answer) in managing(&world, &who, admin.user).await {
            assert!(
                matches!(answer, Err(AuthError::Forbidden { needed: "admin" })),
                "{what} {answer:?}"
            );
        }
        let refused: Vec<_> = world
            .audit()
            .await
            .into_iter()
            .filter(|row| row.user == Some(who.user) && row.action == "refused")
            .collect();
        assert_eq!(refused.len(), 1, "one line a minute");
        assert!(refused[0].detail.contains("create_invite"), "{}", refused[0].detail);
        assert_eq!(world.accounts.user(&who, who.user).await.unwrap().email, email);
    }
    for (what, answer) in managing(&world, &admin, admin.user).await {
        assert!(answer.is_ok(), "{what} {answer:?}");
    }
    let none = world.accounts.user(&admin, 99_999).await;
    assert!(matches!(none, Err(AuthError::NotFound)), "{none:?}");
    let none = world.accounts.change_user(&admin, 99_999, ban(true)).await;
    assert!(matches!(none, Err(AuthError::NotFound)), "{none:?}");
    let page = world.accounts.users(&admin, admin.user, 2).await.unwrap();
    let emails: Vec<&str> = page.iter().map(|user| user.email.as_str()).collect();
    assert_eq!(emails, ["viewer@example.com", "user@example.com"]);
}

/// All calls that need an admin.
async fn managing(
    world: &World,
    who: &Principal,
    other: u64,
) -> Vec<(&'static str, Result<(), AuthError>)> {
    let accounts = &world.accounts;
    let wish = InviteWish { role: UserRole::Admin, uses: 1, expires_at: None };
    vec![
        ("create_invite", accounts.create_invite(who, wish).await.map(drop)),
        ("invites", accounts.invites(who).await.map(drop)),
        ("user", accounts.user(who, other).await.map(drop)),
        ("users", accounts.users(who, 0, 10).await.map(drop)),
        ("change_user", accounts.change_user(who, other, role(UserRole::Admin)).await.map(drop)),
        ("audit", accounts.audit(who, Page::first(10)).await.map(drop)),
    ]
}

async fn a_role_holds_from_the_next_call_on(world: World) {
    let admin = world.admin().await;
    let session = world.member("ann@example.com", UserRole::User).await;
    for rank in [UserRole::Admin, UserRole::Viewer] {
        world.accounts.change_user(&admin, session.user.id, role(rank)).await.unwrap();
        assert_eq!(world.who(&session).await.role, rank);
    }
    let (by, action, detail) = world.last().await;
    assert_eq!((by, action.as_str()), (Some(admin.user), "user_role"));
    assert!(detail.contains("viewer"), "{detail}");
}

async fn hosts_add_to_the_audit_log(world: World) {
    let mut admin = world.admin().await;
    world.accounts.note(&admin, "pause", "by hand").await.unwrap();
    admin.key = Some(7);
    let (action, detail) = ("a".repeat(100), "ü".repeat(10_000));
    world.accounts.note(&admin, &action, &detail).await.unwrap();
    let rows = world.accounts.audit(&admin, Page::first(2)).await.unwrap();
    assert_eq!((rows[1].action.as_str(), rows[1].detail.as_str()), ("pause", "by hand"));
    assert_eq!((rows[0].action.len(), rows[0].detail.chars().count()), (64, 4_000 + 11));
    assert!(rows[0].detail.ends_with(" (by key 7)"));
    assert!(rows.iter().all(|row| row.user == Some(admin.user)));
}

async fn users_are_added_with_a_password_that_is_told_once(world: World) {
    let operator = world.accounts.operator();
    let made = operator.add_user("Ann@Example.com", UserRole::Trader).await.unwrap();
    assert_eq!(made.email, "ann@example.com");
    let session = world.accounts.login(at(1), &made.email, made.password.expose()).await.unwrap();
    assert_eq!(session.user, operator.user_by_email("ANN@example.com").await.unwrap());
    let again = operator.add_user("ann@example.com", UserRole::Admin).await;
    assert!(matches!(again, Err(AuthError::EmailTaken)), "{again:?}");
    let stored = world.store.user(session.user.id).await.unwrap().unwrap();
    assert!(stored.password_hash.starts_with("$argon2id$"));
    assert!(!stored.password_hash.contains(PASSWORD));
}
