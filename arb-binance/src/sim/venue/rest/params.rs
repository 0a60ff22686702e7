//! Parameters of a request.

use super::Refusal;

/// Names and values, decoded.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn read(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Self(pairs.collect())
    }

    /// The value of a name, where it is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(known, _)| known == name)?;
        Some(pair.1.as_str()).filter(|value| !value.is_empty())
    }

    /// The whole number of a name.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let illegal = || {
            Refusal::new(
                -1_100,
                format!(
                    "Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
                ),
            )
        };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits).map(Some).ok_or_else(illegal)
    }

    /// How many rows are wanted: the usual number, or up to the largest.
    pub(super) fn limit(&self, usual: i64, largest: i64) -> Result<i64, Refusal> {
        let limit = self.number("limit")?.unwrap_or(usual);
        if (1..=largest).contains(&limit) {
            return Ok(limit);
        }
        Err(Refusal::new(-1_130, "Data sent for parameter 'limit' is not valid."))
    }

    /// The same where the venue takes the largest for anything above.
    pub(super) fn clamped_limit(&self, usual: i64, largest: i64) -> Result<i64, Refusal> {
        let limit = self.number("limit")?.unwrap_or(usual);
        if limit < 1 {
            return Err(Refusal::new(-1_130, "Data sent for parameter 'limit' is not valid."));
        }
        Ok(limit.min(largest))
    }
}

/// Percent-decoded; what is no code stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = |pair: &[u8]| {
            let text = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(text, 16).ok().filter(|_| *first == b'%')
        };
        match tail.get(..2).and_then(code) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_numbers_checked() {
        let params = Params::read("symbols=%5B%22BTCUSDT%22%5D&limit=5&fromId=x&empty=&a=50%25");
        assert_eq!(params.text("symbols"), Some("[\"BTCUSDT\"]"));
        assert_eq!(params.text("a"), Some("50%"));
        assert_eq!((params.limit(500, 1_000), params.text("empty")), (Ok(5), None));
        assert_eq!(params.number("fromId").unwrap_err().code, -1_100);
        assert_eq!(Params::read("limit=0").limit(5, 10).unwrap_err().code, -1_130);
        assert_eq!(Params::read("limit=99").clamped_limit(5, 10), Ok(10));
    }
}
