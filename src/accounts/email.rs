//! E-mail addresses, in the one form in which they are stored and compared.
//!
//! Whether a message would arrive is not our question; that two spellings are one user is.

use arb_core::AuthError;

/// The longest address that mail knows, bytes.
const LONGEST: usize = 254;
/// The longest part before the `@`, bytes.
const LONGEST_LOCAL: usize = 64;

/// Trimmed and in lower case.
///
/// # Errors
/// [`AuthError::Weak`] when it is no address.
pub(super) fn normalise(text: &str) -> Result<String, AuthError> {
    let email = text.trim().to_ascii_lowercase();
    if is_address(&email) {
        return Ok(email);
    }
    let message = "is no e-mail address; something like name@example.com is needed".to_owned();
    Err(AuthError::Weak { field: "email", message })
}

fn is_address(email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else { return false };
    let in_local = |byte: u8| byte.is_ascii_graphic() && !b"@\"(),:;<>[]\\".contains(&byte);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    email.len() <= LONGEST
        && (1..=LONGEST_LOCAL).contains(&local.len())
        && local.bytes().all(in_local)
        && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_address_are_one() {
        for text in ["Ann.Lee+bot@Example.COM", "  ann.lee+bot@example.com\n"] {
            assert_eq!(normalise(text).unwrap(), "ann.lee+bot@example.com");
        }
        assert_eq!(normalise("admin@localhost").unwrap(), "admin@localhost");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}", "example.".repeat(40));
        for text in [
            "", "@", "a@", "@b", "a b@c.d", "a@b@c", "a@b..c", "a@-b.c", "a@b-", "a\n@b", "ä@b.c",
            "<a@b>", "a\"@b", "a@b c", &long, &longer,
        ] {
            let error = normalise(text).unwrap_err();
            assert!(matches!(error, AuthError::Weak { field: "email", .. }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn normalising_again_changes_nothing(text in "\\PC{0,40}|[ A-z.+-]{1,20}@[ A-z.-]{1,20}") {
            if let Ok(once) = normalise(&text) {
                prop_assert_eq!(normalise(&once).unwrap(), once);
            }
        }
    }
}
