//! API keys do what their scopes and their owner may, and no more.

use arb::AuthError;
use arb::port::{Accounts as _, Scope, UserPatch, UserRole};

use super::support::{World, is_token};

on_both_stores! {
    a_key_has_the_lesser_of_its_scopes_and_its_owner,
    a_key_is_told_once_and_stored_as_a_hash,
    keys_neither_make_nor_end_other_keys,
    keys_that_cannot_be_made_are_explained,
}

async fn a_key_has_the_lesser_of_its_scopes_and_its_owner(world: World) {
    let admin = world.admin().await;
    let session = world.member("ann@example.com", UserRole::Trader).await;
    let ann = world.who(&session).await;
    let accounts = &world.accounts;
    let read = accounts.create_key(&ann, "read", &[Scope::Read]).await.unwrap().secret;
    let both = [Scope::Trade, Scope::Read, Scope::Trade];
    let trade = accounts.create_key(&ann, "trade", &both).await.unwrap();
    assert_eq!(trade.info.scopes, [Scope::Read, Scope::Trade]);
    let role = async |secret: &str| accounts.authenticate(secret).await.unwrap().role;
    assert_eq!((role(&read).await, role(&trade.secret).await), (UserRole::User, UserRole::Trader));
    for (owner, expected) in [
        (UserRole::Viewer, (UserRole::Viewer, UserRole::Viewer)),
        (UserRole::User, (UserRole::User, UserRole::User)),
        (UserRole::Admin, (UserRole::User, UserRole::Trader)),
    ] {
        let patch = UserPatch { role: Some(owner), ..UserPatch::default() };
        accounts.change_user(&admin, ann.user, patch).await.unwrap();
        assert_eq!((role(&read).await, role(&trade.secret).await), expected, "{owner:?}");
    }
    let reader = accounts.authenticate(&trade.secret).await.unwrap();
    assert_eq!((reader.user, reader.key), (ann.user, Some(trade.info.id)));
    for answer in [
        accounts.users(&reader, 0, 10).await.map(drop),
        accounts.invites(&reader).await.map(drop),
        accounts.change_user(&reader, ann.user, UserPatch::default()).await.map(drop),
    ] {
        assert!(matches!(answer, Err(AuthError::Forbidden { needed: "admin" })), "{answer:?}");
    }
}

async fn a_key_is_told_once_and_stored_as_a_hash(world: World) {
    let session = world.member("ann@example.com", UserRole::User).await;
    let ann = world.who(&session).await;
    let key = world.accounts.create_key(&ann, "  my bot ", &[Scope::Read]).await.unwrap();
    assert!(key.secret.starts_with("arbk_"));
    assert_eq!(key.info.name, "my bot");
    assert_eq!(world.accounts.keys(&ann).await.unwrap(), std::slice::from_ref(&key.info));
    let stored = world.store.api_keys(ann.user).await.unwrap();
    assert!(!format!("{stored:?}").contains(&key.secret[5..]));
    let mut other = key.secret.clone();
    other.push('0');
    for wrong in ["arbk_", &stored[0].hash, &other, &key.secret[..68], &key.secret.to_uppercase()] {
        is_token(world.accounts.authenticate(wrong).await);
    }
    world.accounts.revoke_key(&ann, key.info.id).await.unwrap();
    is_token(world.accounts.authenticate(&key.secret).await);
    let again = world.accounts.revoke_key(&ann, key.info.id).await;
    assert!(matches!(again, Err(AuthError::NotFound)), "{again:?}");
    let actions: Vec<String> = world.audit().await.into_iter().map(|row| row.action).collect();
    assert_eq!(actions[2..], ["key_created", "key_revoked"]);
}

async fn keys_neither_make_nor_end_other_keys(world: World) {
    let session = world.member("ann@example.com", UserRole::Admin).await;
    let bob = world.who(&world.member("bobby@example.com", UserRole::User).await).await;
    let ann = world.who(&session).await;
    let accounts = &world.accounts;
    let first = accounts.create_key(&ann, "first", &Scope::ALL).await.unwrap();
    let second = accounts.create_key(&ann, "second", &[Scope::Read]).await.unwrap();
    let by_key = accounts.authenticate(&first.secret).await.unwrap();
    assert_eq!(by_key.role, UserRole::Admin);
    let made = accounts.create_key(&by_key, "third", &[Scope::Read]).await;
    assert!(matches!(made, Err(AuthError::Forbidden { .. })), "{made:?}");
    let (user, action, detail) = world.last().await;
    assert_eq!((user, action.as_str()), (Some(ann.user), "refused"));
    assert!(detail.contains(&format!("\"by_key\":{}", first.info.id)), "{detail}");
    let ended = accounts.revoke_key(&by_key, second.info.id).await;
    assert!(matches!(ended, Err(AuthError::Forbidden { .. })), "{ended:?}");
    let others = accounts.revoke_key(&bob, first.info.id).await;
    assert!(matches!(others, Err(AuthError::NotFound)), "{others:?}");
    accounts.revoke_key(&by_key, first.info.id).await.unwrap();
    is_token(accounts.authenticate(&first.secret).await);
    accounts.authenticate(&second.secret).await.unwrap();
}

async fn keys_that_cannot_be_made_are_explained(world: World) {
    let session = world.member("ann@example.com", UserRole::User).await;
    let ann = world.who(&session).await;
    let accounts = &world.accounts;
    for (scope, needed) in [(Scope::Trade, "trader"), (Scope::Admin, "admin")] {
        match accounts.create_key(&ann, "bot", &[Scope::Read, scope]).await {
            Err(AuthError::Forbidden { needed: told }) => assert_eq!(told, needed),
            other => panic!("{other:?}"),
        }
    }
    let long = "x".repeat(65);
    for (name, scopes, named) in [
        (" ", &[Scope::Read][..], "name"),
        (&long, &[Scope::Read], "name"),
        ("two\nlines", &[Scope::Read], "name"),
        ("arbk_0123", &[Scope::Read], "name"),
        ("bot", &[], "scopes"),
    ] {
        let error = accounts.create_key(&ann, name, scopes).await.unwrap_err();
        let AuthError::Weak { field, .. } = &error else { panic!("{error}") };
        assert_eq!(*field, named);
    }
    for at in 0..50 {
        accounts.create_key(&ann, &format!("bot {at}"), &[Scope::Read]).await.unwrap();
    }
    let error = accounts.create_key(&ann, "one more", &[Scope::Read]).await.unwrap_err();
    assert!(error.to_string().contains("revoke one"), "{error}");
    let first = accounts.keys(&ann).await.unwrap()[0].id;
    accounts.revoke_key(&ann, first).await.unwrap();
    accounts.create_key(&ann, "one more", &[Scope::Read]).await.unwrap();
}
