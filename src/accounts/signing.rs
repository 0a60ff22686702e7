//! Access tokens: signed, and verified without trusting what they say about themselves.
//!
//! Invariant: the algorithm is HS256 whatever a header names, the key is the one of its `kid`, and
//! time is that of our clock. Several secrets may verify while one is replaced by another; the
//! first signs.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use arb_core::time::{HOUR, nanos};
use arb_core::{AuthError, ConfigError, Timestamp};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde::{Deserialize, Serialize};

use super::secret::{hex, random};

/// How long an access token is valid, nanoseconds.
pub(super) const ACCESS_LIFE: i64 = 24 * HOUR;
/// Who issues the tokens.
const ISSUER: &str = "arb";
/// For whom they are.
const AUDIENCE: &str = "arb-api";
/// The fewest bytes of a secret: those of its hash (RFC 7518 §3.2).
const SHORTEST: usize = 32;
/// Fewer different bytes than this are no random secret.
const VARIETY: usize = 8;
/// Longer texts are no tokens of ours.
const LONGEST_TOKEN: usize = 2_048;
/// The name of a secret that has none.
const UNNAMED: &str = "default";
/// Where a secret of our own is kept.
const FILE: &str = "jwt.secret";

/// What an access token says.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The user.
    sub: String,
    /// This token.
    jti: String,
    /// The login: the hash of the refresh token that was given with it.
    sid: String,
    /// Seconds.
    iat: i64,
    /// Seconds.
    exp: i64,
}

/// A verified access token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Access {
    /// The user.
    pub(super) user: u64,
    /// Hash of the refresh token that was given with it.
    pub(super) login: String,
}

struct Key {
    id: String,
    sign: EncodingKey,
    verify: DecodingKey,
}

/// The secrets that sign access tokens, the one in use first.
pub struct SigningKeys {
    keys: Vec<Key>,
    validation: Validation,
}

impl SigningKeys {
    /// From a text, as a rule an environment variable: one secret, or several with their names as
    /// `new:SECRET,old:SECRET`, of which the first signs and all verify. `source` is named in
    /// errors.
    ///
    /// # Errors
    /// [`ConfigError`] for a secret under 32 bytes or of too few different ones, and for a list
    /// that is none.
    pub fn parse(source: &str, text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        let error = |field: &str, message: String| ConfigError::new(source, None, field, message);
        let mut keys: Vec<Key> = Vec::new();
        for part in text.split(',') {
            let (id, secret) = match part.split_once(':') {
                Some((id, secret)) => (id.trim(), secret.trim()),
                None if part == text => (UNNAMED, text),
                None => {
                    let message = "a part of the list has no name; write new:SECRET,old:SECRET, and no comma \
                                   in a secret";
                    return Err(error("list", message.to_owned()));
                }
            };
            if !is_name(id) || keys.iter().any(|key| key.id == id) {
                let message = "a name before a colon is repeated or not 1 to 32 of a-z, A-Z, 0-9, \
                               '-' and '_'; write new:SECRET,old:SECRET, and no colon in a secret";
                return Err(error("list", message.to_owned()));
            }
            if let Some(message) = flaw(secret) {
                return Err(error(id, message));
            }
            let sign = EncodingKey::from_secret(secret.as_bytes());
            let verify = DecodingKey::from_secret(secret.as_bytes());
            keys.push(Key { id: id.to_owned(), sign, verify });
        }
        Ok(Self { keys, validation: validation() })
    }

    /// From the text of `JWT_SECRET` where there is one, else from the file `jwt.secret` in the
    /// folder, which is made with 256 random bits, for its owner's eyes only, where it is missing.
    ///
    /// # Errors
    /// [`ConfigError`] as of [`parse`](Self::parse), for a file that others can read, and for one
    /// that cannot be read or made.
    pub fn load(secret: Option<&str>, folder: &Path) -> Result<Self, ConfigError> {
        if let Some(text) = secret {
            return Self::parse("JWT_SECRET", text);
        }
        let file = folder.join(FILE);
        let name = file.display().to_string();
        let text = read_or_make(folder, &file)
            .map_err(|error| ConfigError::new(name.clone(), None, "file", told(&error)))?;
        Self::parse(&name, &text)
    }

    /// A token for a user, and the moment it ends.
    pub(super) fn sign(&self, access: &Access, now: Timestamp) -> Result<String, AuthError> {
        let Some(key) = self.keys.first() else {
            return Err(AuthError::System("there is no key to sign with".into()));
        };
        let iat = now.as_millis().div_euclid(1_000);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: access.user.to_string(),
            jti: hex(&random::<16>()?),
            sid: access.login.clone(),
            iat,
            exp: iat + ACCESS_LIFE / nanos(std::time::Duration::from_secs(1)),
        };
        let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &key.sign).map_err(|error| AuthError::System(Box::new(error)))
    }

    /// What a token says, if it is one of ours and not over.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Option<Access> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let id = decode_header(token).ok()?.kid?;
        let key = self.keys.iter().find(|key| key.id == id)?;
        let claims = decode::<Claims>(token, &key.verify, &self.validation).ok()?.claims;
        let valid = now.as_millis() < claims.exp.checked_mul(1_000)?;
        valid.then_some(Access { user: claims.sub.parse().ok()?, login: claims.sid })
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    // Against our own clock, without leeway: see `verify`.
    validation.validate_exp = false;
    validation
}

fn is_name(id: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=32).contains(&id.len()) && id.bytes().all(legal)
}

fn flaw(secret: &str) -> Option<String> {
    let mut different = secret.as_bytes().to_vec();
    different.sort_unstable();
    different.dedup();
    let way = "make one with: openssl rand -hex 32";
    match (secret.len(), different.len()) {
        (bytes, _) if bytes < SHORTEST => {
            Some(format!("the secret has {bytes} bytes, at least {SHORTEST} are needed; {way}"))
        }
        (_, different) if different < VARIETY => {
            Some(format!("the secret has {different} different bytes, so it can be guessed; {way}"))
        }
        _ => None,
    }
}

fn told(error: &io::Error) -> String {
    format!("{error}; mend it, or set JWT_SECRET")
}

fn read_or_make(folder: &Path, file: &Path) -> io::Result<String> {
    match read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(folder, file)?;
            read(file)
        }
        read => read,
    }
}

fn read(file: &Path) -> io::Result<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if fs::metadata(file)?.permissions().mode() & 0o077 != 0 {
            let what = "others can read it, so they could log in as anybody: delete it, and a new \
                        one is made that they cannot (everybody logs in again)";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
    }
    fs::read_to_string(file)
}

/// Whole or not at all, and never over another: of two processes that start at once both go on
/// with the same.
fn make(folder: &Path, file: &Path) -> io::Result<()> {
    let random = || Ok::<_, AuthError>((hex(&random::<8>()?), hex(&random::<32>()?)));
    let (name, secret) = random().map_err(io::Error::other)?;
    let draft = folder.join(format!(".{FILE}-{name}"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options.open(&draft).and_then(|mut out| {
        writeln!(out, "{secret}")?;
        out.sync_all()
    });
    let named = written.and_then(|()| fs::hard_link(&draft, file));
    let removed = fs::remove_file(&draft);
    match named {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => removed,
        named => named.and(removed),
    }
}

#[cfg(test)]
mod tests;
