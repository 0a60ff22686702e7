//! Access tokens that others made.

use arb::accounts::Limits;
use arb::port::{Accounts as _, UserRole};
use jsonwebtoken::dangerous::insecure_decode;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::support::{SECRET, World, is_token};

on_both_stores! {
    a_forged_token_is_refused_whatever_is_wrong_with_it,
    a_token_of_another_secret_is_refused_until_that_one_verifies_again,
}

fn sign(alg: Algorithm, claims: &Value, secret: &str) -> String {
    let header = Header { kid: Some("default".to_owned()), ..Header::new(alg) };
    encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

async fn a_forged_token_is_refused_whatever_is_wrong_with_it(world: World) {
    let session = world.member("ann@example.com", UserRole::Admin).await;
    let bob = world.member("bobby@example.com", UserRole::User).await;
    let claims = insecure_decode::<Value>(&session.access).unwrap().claims;
    let with = |key: &str, value: Value| {
        let mut claims = claims.clone();
        claims[key] = value;
        claims
    };
    let right = sign(Algorithm::HS256, &claims, SECRET);
    world.accounts.authenticate(&right).await.unwrap();
    let other = "another secret with forty bytes as well.";
    let parts: Vec<&str> = right.split('.').collect();
    for (fault, token) in [
        ("key", sign(Algorithm::HS256, &claims, other)),
        ("algorithm", sign(Algorithm::HS512, &claims, SECRET)),
        ("audience", sign(Algorithm::HS256, &with("aud", json!("other")), SECRET)),
        ("issuer", sign(Algorithm::HS256, &with("iss", json!("other")), SECRET)),
        ("expired", sign(Algorithm::HS256, &with("exp", json!(1_699_999_999)), SECRET)),
        ("login of nobody", sign(Algorithm::HS256, &with("sid", json!("00")), SECRET)),
        (
            "user of another login",
            sign(Algorithm::HS256, &with("sub", json!(bob.user.id.to_string())), SECRET),
        ),
        // {"alg":"none","kid":"default"}
        ("none", format!("eyJhbGciOiJub25lIiwia2lkIjoiZGVmYXVsdCJ9.{}.", parts[1])),
        ("unsigned", format!("{}.{}.", parts[0], parts[1])),
        ("cut", right[..right.len() - 1].to_owned()),
        ("text", "Bearer".to_owned()),
        ("nothing", String::new()),
    ] {
        let answer = world.accounts.authenticate(&token).await;
        assert!(matches!(answer, Err(arb::AuthError::Token)), "{fault}: {answer:?}");
    }
}

async fn a_token_of_another_secret_is_refused_until_that_one_verifies_again(world: World) {
    let session = world.member("ann@example.com", UserRole::User).await;
    let new = "new:a newer secret with forty bytes as well.";
    let after = world.again(new, Limits::default());
    is_token(after.authenticate(&session.access).await);
    let both = world.again(&format!("{new},default:{SECRET}"), Limits::default());
    both.authenticate(&session.access).await.unwrap();
    let next = both.refresh(super::support::at(1), &session.refresh).await.unwrap();
    after.authenticate(&next.access).await.unwrap();
    is_token(world.accounts.authenticate(&next.access).await);
}
