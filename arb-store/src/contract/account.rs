//! Claims about users and their secrets.

use arb_core::StoreError;
use arb_core::port::{
    ApiKey, AuditEntry, Invite, NewUser, Page, RefreshToken, Store, UserChange, UserRole,
};
use arb_core::time::{HOUR, SECOND};

use super::START;

fn user(email: &str) -> NewUser {
    NewUser {
        email: email.to_owned(),
        password_hash: format!("hash of {email}"),
        role: UserRole::User,
        created_at: START,
    }
}

fn invite(code: &str, uses_left: u32) -> Invite {
    Invite {
        code: code.to_owned(),
        role: UserRole::Trader,
        uses_left,
        expires_at: Some(START.plus(HOUR)),
        created_by: None,
        created_at: START.plus(-HOUR),
    }
}

fn token(hash: &str, user: u64) -> RefreshToken {
    RefreshToken {
        hash: hash.to_owned(),
        family: "first login".to_owned(),
        user,
        issued_at: START,
        expires_at: START.plus(HOUR),
        replaced_at: None,
        revoked_at: None,
    }
}

async fn somebody(store: &impl Store, email: &str) -> u64 {
    store.insert_user(&user(email), None).await.unwrap().unwrap().id
}

/// Twice and no more; not when it expired; not when it does not exist.
pub async fn an_invite_is_used_up_by_registering(store: &impl Store) {
    store.insert_invite(&invite("two", 2)).await.unwrap();
    let expired = Invite { expires_at: Some(START), ..invite("old", 5) };
    store.insert_invite(&expired).await.unwrap();
    let error = store.insert_invite(&invite("two", 9)).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { table: "invite_codes", .. }), "{error}");
    let first = store.insert_user(&user("a@x"), Some("two")).await.unwrap().unwrap();
    let second = store.insert_user(&user("b@x"), Some("two")).await.unwrap().unwrap();
    assert!(second.id > first.id);
    assert_eq!(store.insert_user(&user("c@x"), Some("two")).await.unwrap(), None);
    assert_eq!(store.insert_user(&user("c@x"), Some("old")).await.unwrap(), None);
    assert_eq!(store.insert_user(&user("c@x"), Some("none")).await.unwrap(), None);
    assert_eq!(store.user_by_email("c@x").await.unwrap(), None);
    let left: Vec<(String, u32)> =
        store.invites().await.unwrap().into_iter().map(|i| (i.code, i.uses_left)).collect();
    assert_eq!(left, [("old".to_owned(), 5), ("two".to_owned(), 0)]);
}

/// Found by its code, used up or not; revoked once, and then nobody registers by it.
pub async fn a_revoked_invite_lets_nobody_in(store: &impl Store) {
    let given = invite("two", 2);
    store.insert_invite(&given).await.unwrap();
    store.insert_invite(&invite("other", 1)).await.unwrap();
    assert_eq!(store.invite("two").await.unwrap(), Some(given.clone()));
    assert_eq!(store.invite("none").await.unwrap(), None);
    assert!(store.revoke_invite("two").await.unwrap());
    assert!(!store.revoke_invite("two").await.unwrap());
    assert!(!store.revoke_invite("none").await.unwrap());
    assert_eq!(store.invite("two").await.unwrap(), Some(Invite { uses_left: 0, ..given }));
    assert_eq!(store.insert_user(&user("a@x"), Some("two")).await.unwrap(), None);
    assert!(store.insert_user(&user("a@x"), Some("other")).await.unwrap().is_some());
}

/// A failed registration costs nothing.
pub async fn a_taken_email_leaves_the_invite_alone(store: &impl Store) {
    store.insert_invite(&invite("one", 1)).await.unwrap();
    somebody(store, "a@x").await;
    let error = store.insert_user(&user("a@x"), Some("one")).await.unwrap_err();
    let StoreError::Conflict { table: "users", key, .. } = &error else { panic!("{error}") };
    assert_eq!(key, "a@x");
    assert_eq!(store.invites().await.unwrap()[0].uses_left, 1);
}

/// By e-mail, by id, in order; each change alone.
pub async fn users_are_found_and_changed(store: &impl Store) {
    let mut ids = Vec::new();
    for email in ["a@x", "b@x", "c@x"] {
        ids.push(somebody(store, email).await);
    }
    let b = store.user_by_email("b@x").await.unwrap().unwrap();
    assert_eq!(b.password_hash, "hash of b@x");
    assert_eq!((b.role, b.created_at, b.banned_at), (UserRole::User, START, None));
    assert_eq!(store.user(ids[1]).await.unwrap(), Some(b));
    let listed = store.users(ids[0], 10).await.unwrap();
    assert_eq!(listed.iter().map(|user| user.id).collect::<Vec<_>>(), ids[1..]);
    let banned = UserChange::Banned(Some(START));
    let changed = store.change_user(ids[1], &banned).await.unwrap().unwrap();
    assert_eq!(changed.banned_at, Some(START));
    store.change_user(ids[1], &UserChange::Role(UserRole::Admin)).await.unwrap();
    let hash = UserChange::PasswordHash("other".to_owned());
    let changed = store.change_user(ids[1], &hash).await.unwrap().unwrap();
    assert_eq!(store.user(ids[1]).await.unwrap().as_ref(), Some(&changed));
    assert_eq!((changed.role, changed.banned_at), (UserRole::Admin, Some(START)));
    let free = store.change_user(ids[1], &UserChange::Banned(None)).await.unwrap().unwrap();
    assert_eq!(free.banned_at, None);
    assert_eq!(store.change_user(99_999, &banned).await.unwrap(), None);
}

/// Neither by role nor by ban, while a banned admin is none; any other change of it passes.
pub async fn the_last_admin_stays(store: &impl Store) {
    let admin = NewUser { role: UserRole::Admin, ..user("a@x") };
    let first = store.insert_user(&admin, None).await.unwrap().unwrap().id;
    let admin = NewUser { email: "b@x".to_owned(), ..admin };
    let second = store.insert_user(&admin, None).await.unwrap().unwrap().id;
    let ban = UserChange::Banned(Some(START));
    let demote = UserChange::Role(UserRole::Trader);
    store.change_user(second, &ban).await.unwrap().unwrap();
    for change in [&ban, &demote] {
        let error = store.change_user(first, change).await.unwrap_err();
        let StoreError::Conflict { table: "users", key, .. } = &error else { panic!("{error}") };
        assert_eq!(key, "a@x");
    }
    let kept = store.user(first).await.unwrap().unwrap();
    assert_eq!((kept.role, kept.banned_at), (UserRole::Admin, None));
    for change in [
        UserChange::Role(UserRole::Admin),
        UserChange::Banned(None),
        UserChange::PasswordHash("other".to_owned()),
    ] {
        assert!(store.change_user(first, &change).await.unwrap().is_some());
    }
    store.change_user(second, &UserChange::Banned(None)).await.unwrap().unwrap();
    assert!(store.change_user(first, &demote).await.unwrap().is_some());
    assert!(store.change_user(second, &ban).await.is_err());
}

/// The second who presents it gets no successor, and nothing is stored.
pub async fn a_refresh_token_is_replaced_once(store: &impl Store) {
    let user = somebody(store, "a@x").await;
    store.insert_refresh_token(&token("1", user)).await.unwrap();
    let next = RefreshToken { issued_at: START.plus(SECOND), ..token("2", user) };
    assert!(store.replace_refresh_token("1", &next).await.unwrap());
    let other = RefreshToken { hash: "3".to_owned(), ..next.clone() };
    assert!(!store.replace_refresh_token("1", &other).await.unwrap());
    assert!(!store.replace_refresh_token("none", &other).await.unwrap());
    assert_eq!(store.refresh_token("3").await.unwrap(), None);
    assert_eq!(store.refresh_token("2").await.unwrap(), Some(next));
    let old = store.refresh_token("1").await.unwrap().unwrap();
    assert_eq!(old.replaced_at, Some(START.plus(SECOND)));
    let error = store.insert_refresh_token(&token("1", user)).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { table: "refresh_tokens", .. }), "{error}");
}

/// Whoever logs in leaves none that nobody could use, and touches nobody else's.
pub async fn expired_refresh_tokens_are_forgotten(store: &impl Store) {
    let (user, other) = (somebody(store, "a@x").await, somebody(store, "b@x").await);
    let first = token("1", user);
    for token in [first.clone(), token("2", other)] {
        store.insert_refresh_token(&token).await.unwrap();
    }
    let later = |hash: &str, issued_at| RefreshToken {
        issued_at,
        expires_at: issued_at.plus(HOUR),
        ..token(hash, user)
    };
    store.insert_refresh_token(&later("3", first.expires_at.plus(-SECOND))).await.unwrap();
    assert!(store.refresh_token("1").await.unwrap().is_some(), "it is good for a second");
    assert!(store.replace_refresh_token("3", &later("4", first.expires_at)).await.unwrap());
    assert_eq!(store.refresh_token("1").await.unwrap(), None);
    assert!(store.refresh_token("2").await.unwrap().is_some());
    assert!(store.refresh_token("3").await.unwrap().is_some());
}

/// Replaced ones too; another login of the same user only with all of theirs.
pub async fn revoking_reaches_the_whole_family(store: &impl Store) {
    let user = somebody(store, "a@x").await;
    for hash in ["1", "2"] {
        store.insert_refresh_token(&token(hash, user)).await.unwrap();
    }
    let other = RefreshToken { family: "second login".to_owned(), ..token("3", user) };
    store.insert_refresh_token(&other).await.unwrap();
    assert_eq!(store.revoke_family("first login", START).await.unwrap(), 2);
    assert_eq!(store.revoke_family("first login", START.plus(HOUR)).await.unwrap(), 0);
    let revoked = store.refresh_token("1").await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(START));
    assert!(!store.replace_refresh_token("1", &token("4", user)).await.unwrap());
    assert_eq!(store.refresh_token("3").await.unwrap(), Some(other));
    assert_eq!(store.revoke_user_tokens(user, START).await.unwrap(), 1);
}

/// Found by hash; revoked by their owner alone.
pub async fn api_keys_belong_to_their_user(store: &impl Store) {
    let (a, b) = (somebody(store, "a@x").await, somebody(store, "b@x").await);
    let mut key = ApiKey {
        id: 0,
        user: a,
        name: "bot".to_owned(),
        hash: "h1".to_owned(),
        scopes: vec!["read".to_owned(), "trade".to_owned()],
        created_at: START,
        revoked_at: None,
    };
    key.id = store.insert_api_key(&key).await.unwrap();
    let error = store.insert_api_key(&key).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { table: "api_keys", .. }), "{error}");
    let bare = ApiKey { user: b, hash: "h2".to_owned(), scopes: Vec::new(), ..key.clone() };
    let bare = ApiKey { id: store.insert_api_key(&bare).await.unwrap(), ..bare };
    assert_eq!(store.api_key("h1").await.unwrap(), Some(key.clone()));
    assert_eq!(store.api_key("h3").await.unwrap(), None);
    assert_eq!(store.api_keys(b).await.unwrap(), [bare]);
    assert!(!store.revoke_api_key(b, key.id, START).await.unwrap());
    assert!(store.revoke_api_key(a, key.id, START).await.unwrap());
    assert!(!store.revoke_api_key(a, key.id, START).await.unwrap());
    assert_eq!(store.api_keys(a).await.unwrap()[0].revoked_at, Some(START));
}

/// Newest first, equal times by row.
pub async fn the_audit_log_is_paged(store: &impl Store) {
    let user = somebody(store, "a@x").await;
    for at in 0..10 {
        let entry = AuditEntry {
            id: 0,
            at: START.plus(at / 3 * SECOND),
            user: (at % 2 == 0).then_some(user),
            action: "login".to_owned(),
            detail: at.to_string(),
        };
        store.append_audit(&entry).await.unwrap();
    }
    let (mut seen, mut page) = (Vec::new(), Page::first(4));
    loop {
        let rows = store.audit(page).await.unwrap();
        let Some(last) = rows.last() else { break };
        page = page.after((last.at, last.id));
        seen.extend(rows.into_iter().map(|row| (row.detail, row.user.is_some())));
    }
    let expected: Vec<_> = (0..10).rev().map(|at| (at.to_string(), at % 2 == 0)).collect();
    assert_eq!(seen, expected);
}
