//! Which passwords are refused.
//!
//! Length counts most (NIST SP 800-63B): twelve characters, no rules about their kinds, but none
//! of the passwords that are tried first, and nothing that only looks long. Invariant: a password
//! made at random passes.

use arb_core::AuthError;

/// The fewest characters.
const SHORTEST: usize = 12;
/// The most bytes; hashing takes any number, requests should not.
pub(super) const LONGEST: usize = 256;
/// Fewer different characters than this are a pattern.
const VARIETY: usize = 6;
/// What has to be left when words that everybody tries, or parts of the e-mail, are taken out.
const LEFT_OVER: usize = 8;
/// A part of the e-mail shorter than this says nothing.
const EMAIL_PART: usize = 3;

/// Passwords of twelve characters and more that are tried first, in lower case.
const COMMON: &str = include_str!("common_passwords.txt");
/// Words that passwords are commonly made of, in lower case without digits; longest first where
/// one holds another.
const WORDS: [&str; 60] = [
    "administrator",
    "password",
    "passwort",
    "passwd",
    "passphrase",
    "qwertyuiop",
    "qwertz",
    "qwerty",
    "azerty",
    "asdfghjkl",
    "asdfgh",
    "zxcvbnm",
    "letmein",
    "welcome",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "basketball",
    "superman",
    "batman",
    "starwars",
    "pokemon",
    "monkey",
    "dragon",
    "master",
    "shadow",
    "michael",
    "jordan",
    "charlie",
    "changeme",
    "default",
    "secret",
    "trustno",
    "whatever",
    "freedom",
    "computer",
    "internet",
    "samsung",
    "google",
    "facebook",
    "liverpool",
    "chelsea",
    "arsenal",
    "bitcoin",
    "ethereum",
    "crypto",
    "binance",
    "arbitrage",
    "trading",
    "trader",
    "money",
    "hello",
    "login",
    "admin",
    "guest",
    "abcdef",
    "summer",
    "winter",
];
/// Rows of keys that fingers run along.
const ROWS: [&str; 6] =
    ["qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop", "1234567890"];

/// Refuses what is short or guessed early.
///
/// # Errors
/// [`AuthError::Weak`] that says why and what would do.
pub(super) fn check(password: &str, email: &str) -> Result<(), AuthError> {
    flaw(password, email).map_or(Ok(()), |message| {
        Err(AuthError::Weak { field: "password", message: message.to_owned() })
    })
}

fn flaw(password: &str, email: &str) -> Option<&'static str> {
    let lower: Vec<char> = password.chars().flat_map(char::to_lowercase).collect();
    let text: String = lower.iter().collect();
    let plain: String = lower.iter().copied().map(letter).collect();
    match () {
        () if password.chars().count() < SHORTEST => Some("needs at least 12 characters"),
        () if password.len() > LONGEST => Some("is longer than 256 bytes; shorten it"),
        () if password.chars().any(char::is_control) => {
            Some("has a control character such as a line break; leave it out")
        }
        () if is_common(&text) || is_common(&plain) || left_over(&plain, &WORDS) < LEFT_OVER => {
            Some("is one of the common ones, or nearly; four words that have nothing in common do")
        }
        () if is_pattern(&lower) => {
            Some("is a repetition or a sequence; four words that have nothing in common do")
        }
        () if left_over(&text, &email_parts(email)) < LEFT_OVER => {
            Some("is the e-mail or a part of it; choose something else")
        }
        () => None,
    }
}

fn is_common(text: &str) -> bool {
    COMMON.split_ascii_whitespace().any(|common| common == text)
}

/// The letter that a digit or sign is commonly written for.
fn letter(sign: char) -> char {
    match sign {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// Characters that are left when all `words` are taken out.
fn left_over(text: &str, words: &[&str]) -> usize {
    let rest = words.iter().fold(text.to_owned(), |rest, word| rest.replace(word, ""));
    rest.chars().count()
}

/// The part before the `@`, and the names in the domain but its last.
fn email_parts(email: &str) -> Vec<&str> {
    let (local, domain) = email.split_once('@').unwrap_or((email, ""));
    let names = domain.rsplit_once('.').map_or(domain, |(names, _)| names);
    let parts = [email, domain, local].into_iter().chain(names.split('.'));
    parts.filter(|part| part.len() >= EMAIL_PART).collect()
}

/// Few different characters, one part over and over, or mostly steps to a neighbour.
fn is_pattern(text: &[char]) -> bool {
    let mut different = text.to_vec();
    different.sort_unstable();
    different.dedup();
    let repeats = |part: usize| text.iter().zip(text.iter().skip(part)).all(|(a, b)| a == b);
    let pairs = text.iter().zip(text.iter().skip(1));
    let steps = pairs.filter(|(a, b)| are_neighbours(**a, **b)).count();
    different.len() < VARIETY
        || (1..=text.len() / 2).any(repeats)
        || 3 * steps >= 2 * text.len().saturating_sub(1)
}

/// Next to each other in the alphabet, among the digits or on a keyboard, or the same.
fn are_neighbours(a: char, b: char) -> bool {
    let beside = |row: &&str| {
        let place = |sign: char| row.find(sign);
        place(a).zip(place(b)).is_some_and(|(a, b)| a.abs_diff(b) == 1)
    };
    let in_order = a.is_ascii_alphanumeric()
        && b.is_ascii_alphanumeric()
        && u32::from(a).abs_diff(u32::from(b)) == 1;
    a == b || in_order || ROWS.iter().any(beside)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::secret::{code, token};
    use super::*;

    const EMAIL: &str = "ann.lee@example.com";

    #[test]
    fn all_common_passwords_are_refused_also_in_disguise() {
        let all: Vec<&str> = COMMON.split_ascii_whitespace().collect();
        assert!(all.len() >= 250, "{}", all.len());
        for password in all {
            assert!(password.chars().count() >= SHORTEST, "{password} is refused as short anyway");
            assert_eq!(password.to_lowercase(), password);
            assert!(check(password, EMAIL).is_err(), "{password}");
            assert!(check(&password.to_uppercase(), EMAIL).is_err(), "{password}");
        }
        for password in
            ["P@ssw0rd2024", "Passw0rd!!!!", "qwerty123456", "ADMIN-admin-1", "Welcome2Winter"]
        {
            let error = check(password, EMAIL).unwrap_err().to_string();
            assert!(error.contains("common"), "{password}: {error}");
        }
    }

    #[test]
    fn what_only_looks_long_is_refused() {
        for password in [
            "aaaaaaaaaaaaaa",
            "abababababababab",
            "xK9!xK9!xK9!xK9!",
            "abcdefghijklmnop",
            "987654321098",
            "asdfghjklzxcvbnm",
            "qwertzuiopasdf",
            "aabbccddeeffgg",
            "1234abcd5678",
        ] {
            let error = check(password, EMAIL).unwrap_err().to_string();
            assert!(error.contains("common") || error.contains("sequence"), "{password}: {error}");
        }
    }

    #[test]
    fn the_e_mail_is_no_password() {
        for password in
            ["ann.lee@example.com", "Ann.Lee@Example.com1", "ann.lee-2024", "example12345"]
        {
            let error = check(password, EMAIL).unwrap_err().to_string();
            assert!(error.contains("e-mail"), "{password}: {error}");
        }
    }

    #[test]
    fn length_is_bounded_on_both_sides() {
        let error = check("xK9!wQ2#vB7", EMAIL).unwrap_err().to_string();
        assert!(error.contains("12 characters"), "{error}");
        assert!(check("xK9!wQ2#vB7é", EMAIL).is_ok(), "characters, not bytes");
        let words = "lamp orbit cactus violin ";
        assert!(check(&words.repeat(10)[..LONGEST - 9], EMAIL).is_err(), "one part over and over");
        let long: String = (0..40).map(|at| format!("{}-", at * at * 7_919)).collect();
        assert!(check(&long[..LONGEST], EMAIL).is_ok());
        let error = check(&long[..=LONGEST], EMAIL).unwrap_err().to_string();
        assert!(error.contains("256"), "{error}");
    }

    #[test]
    fn good_ones_pass() {
        for password in [
            "lamp orbit cactus violin",
            "correct dragon battery monkey",
            "Tr0ub4dor&3-plus",
            "mein-Hund-frisst-Laub",
            "пароль-длинный-но-свой",
            "g7$kQz!p2vLx",
        ] {
            check(password, EMAIL).unwrap();
        }
    }

    #[test]
    fn passwords_made_at_random_pass() {
        for _ in 0..2_000 {
            check(&code().unwrap(), "admin@localhost").unwrap();
            check(&token("").unwrap(), EMAIL).unwrap();
        }
    }

    proptest! {
        #[test]
        fn any_text_gets_an_answer_and_no_short_one_passes(text in "\\PC{0,40}", email in "\\PC{0,20}") {
            let answer = check(&text, &email);
            prop_assert!(answer.is_err() || text.chars().count() >= SHORTEST);
        }

        #[test]
        fn a_repeated_part_never_passes(part in "[a-z0-9!]{1,9}", times in 2_usize..9) {
            prop_assert!(check(&part.repeat(times), EMAIL).is_err() );
        }
    }
}
