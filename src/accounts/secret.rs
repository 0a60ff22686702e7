//! Random secrets, what is stored of them, and a wrapper that keeps one out of logs.
//!
//! Invariant: every random bit comes from the operating system.

use std::fmt::{self, Write as _};

use arb_core::AuthError;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

/// What a person types in: no 0, 1, I, O, so that nothing is taken for something else. 32 symbols.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/// Symbols of a code: 5 bits each, 100 together.
const SYMBOLS: usize = 20;
/// Symbols between two dashes.
const GROUP: usize = 5;

/// Text that is not shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, to be handed to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], AuthError> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| AuthError::System("the system gave no random numbers".into()))?;
    Ok(bytes)
}

/// 256 random bits behind a prefix by which people and scanners know what they found.
pub(super) fn token(prefix: &str) -> Result<String, AuthError> {
    Ok(format!("{prefix}{}", hex(&random::<32>()?)))
}

/// 100 random bits that a person can type in: `7KQ2M-…`.
pub(super) fn code() -> Result<String, AuthError> {
    let mut text = String::with_capacity(SYMBOLS + SYMBOLS / GROUP);
    for (at, byte) in random::<SYMBOLS>()?.into_iter().enumerate() {
        if at > 0 && at.is_multiple_of(GROUP) {
            text.push('-');
        }
        // 256 is a multiple of 32, so each symbol is as likely as any other.
        let symbol = ALPHABET.get(usize::from(byte) % ALPHABET.len());
        text.extend(symbol.copied().map(char::from));
    }
    Ok(text)
}

/// What is stored of a token: its SHA-256. It has 256 random bits, so nothing slower is needed,
/// and comparing hashes tells nothing about the token.
pub(super) fn fingerprint(token: &str) -> String {
    hex(digest(&SHA256, token.as_bytes()).as_ref())
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_sha_256_of_the_text() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(fingerprint("abc"), expected);
    }

    #[test]
    fn codes_are_groups_of_symbols_that_differ_each_time() {
        let (first, second) = (code().unwrap(), code().unwrap());
        assert_ne!(first, second);
        let groups: Vec<&str> = first.split('-').collect();
        assert_eq!(groups.len(), 4);
        assert!(groups.iter().all(|group| group.len() == GROUP), "{first}");
        assert!(first.bytes().all(|byte| byte == b'-' || ALPHABET.contains(&byte)), "{first}");
    }

    #[test]
    fn tokens_carry_their_prefix_and_256_bits() {
        let token = token("arbk_").unwrap();
        assert_eq!(token.len(), 5 + 64);
        assert!(token.starts_with("arbk_"));
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::from("hidden".to_owned())), "Secret(…)");
    }
}
