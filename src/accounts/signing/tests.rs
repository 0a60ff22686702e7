//! Access tokens by their claims: only what these keys signed, for us, and not too long ago.

use std::sync::Barrier;

use arb_core::time::SECOND;
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_500);

fn keys(text: &str) -> SigningKeys {
    SigningKeys::parse("JWT_SECRET", text).unwrap()
}

fn access() -> Access {
    Access { user: 7, login: "f00d".to_owned() }
}

/// A token with these claims instead, signed as told.
fn forged(alg: Algorithm, kid: &str, secret: &str, change: impl Fn(&mut Value)) -> String {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "7", "jti": "1", "sid": "f00d",
        "iat": 1_700_000_000_i64, "exp": 1_700_086_400_i64,
    });
    change(&mut claims);
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(alg) };
    encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

#[test]
fn a_token_says_whom_it_is_for_until_it_is_over() {
    let keys = keys(SECRET);
    let token = keys.sign(&access(), NOW).unwrap();
    assert_eq!(keys.verify(&token, NOW), Some(access()));
    let end = NOW.floor_to(SECOND).plus(ACCESS_LIFE);
    assert_eq!(keys.verify(&token, end.plus(-1_000_000)), Some(access()));
    assert_eq!(keys.verify(&token, end), None);
    assert_eq!(ACCESS_LIFE, 24 * HOUR);
    assert_ne!(token, keys.sign(&access(), NOW).unwrap(), "each has its own jti");
}

#[test]
fn the_forger_that_makes_all_right_is_believed_so_each_single_fault_is_what_is_refused() {
    let keys = keys(&format!("a:{SECRET}"));
    let right = forged(Algorithm::HS256, "a", SECRET, |_| ());
    assert_eq!(keys.verify(&right, NOW), Some(access()));
    type Change = fn(&mut Value);
    let faults: [(&str, Change); 9] = [
        ("issuer", |claims| claims["iss"] = json!("mallory")),
        ("audience", |claims| claims["aud"] = json!("other-api")),
        ("audiences", |claims| claims["aud"] = json!([AUDIENCE, "other-api"])),
        ("no audience", |claims| drop(claims.as_object_mut().unwrap().remove("aud"))),
        ("no issuer", |claims| drop(claims.as_object_mut().unwrap().remove("iss"))),
        ("no end", |claims| drop(claims.as_object_mut().unwrap().remove("exp"))),
        ("no login", |claims| drop(claims.as_object_mut().unwrap().remove("sid"))),
        ("past", |claims| claims["exp"] = json!(1_700_000_000)),
        ("user", |claims| claims["sub"] = json!("7 or 1=1")),
    ];
    for (fault, change) in faults {
        let token = forged(Algorithm::HS256, "a", SECRET, change);
        assert_eq!(keys.verify(&token, NOW), None, "{fault}");
    }
    for (alg, kid, secret) in [
        (Algorithm::HS256, "a", OTHER),
        (Algorithm::HS256, "b", SECRET),
        (Algorithm::HS384, "a", SECRET),
        (Algorithm::HS512, "a", SECRET),
    ] {
        assert_eq!(keys.verify(&forged(alg, kid, secret, |_| ()), NOW), None, "{alg:?} {kid}");
    }
}

#[test]
fn no_signature_is_no_signature() {
    let keys = keys(&format!("a:{SECRET}"));
    let right = forged(Algorithm::HS256, "a", SECRET, |_| ());
    let parts: Vec<&str> = right.split('.').collect();
    // {"alg":"none","kid":"a"} and {"alg":"None","typ":"JWT","kid":"a"}
    for header in
        ["eyJhbGciOiJub25lIiwia2lkIjoiYSJ9", "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIiwia2lkIjoiYSJ9"]
    {
        for signature in ["", parts[2]] {
            assert_eq!(keys.verify(&format!("{header}.{}.{signature}", parts[1]), NOW), None);
        }
    }
    assert_eq!(keys.verify(&format!("{}.{}.", parts[0], parts[1]), NOW), None);
    for text in ["", ".", "..", "a.b.c", "arbk_00", &"x".repeat(1 << 20)] {
        assert_eq!(keys.verify(text, NOW), None);
    }
}

#[test]
fn every_changed_character_is_seen() {
    let keys = keys(SECRET);
    let token = keys.sign(&access(), NOW).unwrap();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        // Two steps of the alphabet, so that the unused bits of a last character are not all.
        changed[at] = if changed[at] == b'Q' { b'g' } else { b'Q' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(keys.verify(&changed, NOW), None, "{at}: {changed}");
    }
}

#[test]
fn secrets_are_replaced_without_ending_the_tokens_of_the_old_one() {
    let old = keys(&format!("2024:{SECRET}"));
    let token = old.sign(&access(), NOW).unwrap();
    let both = keys(&format!("2025:{OTHER}, 2024:{SECRET}"));
    assert_eq!(both.verify(&token, NOW), Some(access()));
    let newer = both.sign(&access(), NOW).unwrap();
    assert_eq!(decode_header(&newer).unwrap().kid.as_deref(), Some("2025"));
    assert_eq!(old.verify(&newer, NOW), None);
    let new = keys(&format!("2025:{OTHER}"));
    assert_eq!(new.verify(&newer, NOW), Some(access()));
    assert_eq!(new.verify(&token, NOW), None);
}

#[test]
fn weak_secrets_do_not_start_and_are_not_shown() {
    for (text, parts) in [
        ("hush-hush", &["default", "9 bytes", "32", "openssl rand -hex 32"][..]),
        ("", &["0 bytes"]),
        ("abababababababababababababababababab", &["2 different"]),
        ("a:0123456789abcdef0123456789abcdef,b:hush", &["JWT_SECRET: b:", "4 bytes"]),
        ("a:0123456789abcdef0123456789abcdef,hush", &["no name", "new:SECRET,old:SECRET"]),
        ("a:0123456789abcdef0123456789abcdef,a:fedcba9876543210fedcba9876543210", &["repeated"]),
        ("a b:0123456789abcdef0123456789abcdef", &["name before a colon"]),
        (":0123456789abcdef0123456789abcdef", &["name before a colon"]),
    ] {
        let error = SigningKeys::parse("JWT_SECRET", text).unwrap_err().to_string();
        assert!(error.starts_with("JWT_SECRET: "), "{error}");
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert!(!error.contains("hush") && !error.contains("89abcdef"), "{error}");
    }
}

#[test]
fn keys_show_their_names_alone() {
    let shown = format!("{:?}", keys(&format!("a:{SECRET},b:{OTHER}")));
    assert_eq!(shown, "[\"a\", \"b\"]");
}

#[cfg(unix)]
#[test]
fn a_folder_gets_one_secret_for_its_owners_eyes_and_keeps_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let start = Barrier::new(4);
    let load = || {
        start.wait();
        SigningKeys::load(None, folder.path()).unwrap()
    };
    let all: Vec<SigningKeys> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let token = all[0].sign(&access(), NOW).unwrap();
    assert!(all.iter().all(|keys| keys.verify(&token, NOW).is_some()), "all have the same");
    let again = SigningKeys::load(None, folder.path()).unwrap();
    assert!(again.verify(&token, NOW).is_some());
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["jwt.secret"]);
    let file = folder.path().join("jwt.secret");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let given = SigningKeys::load(Some(SECRET), folder.path()).unwrap();
    assert!(given.verify(&token, NOW).is_none(), "the variable goes first");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let error = SigningKeys::load(None, folder.path()).unwrap_err().to_string();
    assert!(error.contains("jwt.secret") && error.contains("delete it"), "{error}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, "cut").unwrap();
    let error = SigningKeys::load(None, folder.path()).unwrap_err().to_string();
    assert!(error.contains("jwt.secret") && error.contains("3 bytes"), "{error}");
    let error = SigningKeys::load(None, &folder.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("JWT_SECRET"), "{error}");
}
