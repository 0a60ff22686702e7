//! No secret comes out where people look: audit log, errors, `Debug`, the store.

use std::fmt::Write as _;

use arb::port::{Accounts as _, Page, Scope, UserPatch, UserRole};

use super::support::{PASSWORD, SECRET, World, at};

on_both_stores! { nothing_that_is_shown_or_stored_holds_a_secret }

async fn nothing_that_is_shown_or_stored_holds_a_secret(world: World) {
    let accounts = &world.accounts;
    let (mut shown, mut secrets) = (String::new(), vec![PASSWORD.to_owned(), SECRET.to_owned()]);
    let made = accounts.bootstrap_admin().await.unwrap().unwrap();
    secrets.push(made.password.expose().to_owned());
    let _ = write!(shown, "{made:?}");
    let session = accounts.login(at(1), &made.email, made.password.expose()).await.unwrap();
    let admin = world.who(&session).await;
    let invite = world.invite(UserRole::User, 2).await;
    let ann = accounts.register(at(1), "ann@example.com", PASSWORD, &invite).await.unwrap();
    let next = accounts.refresh(at(1), &ann.refresh).await.unwrap();
    let key = accounts.create_key(&world.who(&ann).await, "bot", &[Scope::Read]).await.unwrap();
    let _ = write!(shown, "{session:?} {ann:?} {next:?} {key:?} {accounts:?} {admin:?}");

    let typed = "my secret in the wrong field";
    secrets.extend([typed.to_owned(), "wrong but secret".to_owned()]);
    for error in [
        accounts.login(at(1), typed, PASSWORD).await.unwrap_err(),
        accounts.login(at(1), "ann@example.com", "wrong but secret").await.unwrap_err(),
        accounts.register(at(1), typed, PASSWORD, &invite).await.unwrap_err(),
        accounts.register(at(1), "ann@example.com", PASSWORD, &invite).await.unwrap_err(),
        accounts.register(at(1), "b@example.com", typed, "wrong but secret").await.unwrap_err(),
        accounts.authenticate(typed).await.unwrap_err(),
        accounts.create_key(&admin, &key.secret, &[Scope::Read]).await.unwrap_err(),
    ] {
        let _ = write!(shown, "{error} {error:?}");
    }
    accounts.operator().set_password(ann.user.id, "pebble harvest tunic owl").await.unwrap();
    secrets.push("pebble harvest tunic owl".to_owned());
    let ban = UserPatch { role: Some(UserRole::Viewer), banned: Some(true) };
    accounts.change_user(&admin, ann.user.id, ban).await.unwrap();
    accounts.operator().revoke_invite(&invite).await.unwrap();

    for session in [&session, &ann, &next] {
        secrets.extend([session.access.clone(), session.refresh.clone()]);
    }
    secrets.push(key.secret.clone());
    let stored = format!(
        "{:?} {:?}",
        world.store.users(0, 10).await.unwrap(),
        world.store.api_keys(ann.user.id).await.unwrap()
    );
    let audit = world.store.audit(Page::first(1_000)).await.unwrap();
    assert!(audit.len() > 12, "{audit:?}");
    let _ = write!(shown, "{audit:?} {stored}");
    secrets.push(invite);
    for secret in &secrets {
        assert!(!shown.contains(secret.as_str()), "{secret:?} is in {shown}");
        let unmarked = secret.trim_start_matches("arbk_").trim_start_matches("arbr_");
        assert!(!shown.contains(unmarked), "{unmarked:?} is in {shown}");
    }
}
