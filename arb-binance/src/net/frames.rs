//! The payloads of frames that came together, end to end in one buffer.
//!
//! Invariant: what was pushed comes back, in order. The bytes are copied out of the socket's own
//! buffer, which is then used again while it is warm; held on to, each read would need a new one.

/// Payloads, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Frames {
    /// None yet, with room for as many as `like` has.
    pub(super) fn like((bytes, count): (usize, usize)) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(count) }
    }

    /// Bytes and number.
    pub(super) const fn size(&self) -> (usize, usize) {
        (self.bytes.len(), self.ends.len())
    }

    /// Adds one.
    pub(super) fn push(&mut self, payload: &[u8]) {
        self.bytes.extend_from_slice(payload);
        self.ends.push(self.bytes.len());
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let payload = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            payload
        })
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for Frames {
    fn from_iter<I: IntoIterator<Item = T>>(payloads: I) -> Self {
        let mut frames = Self::default();
        payloads.into_iter().for_each(|payload| frames.push(payload.as_ref()));
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_come_back_in_order() {
        let given = ["one", "", "three"];
        let frames: Frames = given.iter().collect();
        assert_eq!((frames.len(), frames.size()), (3, (8, 3)));
        assert!(frames.iter().eq(given.map(str::as_bytes)));
        assert!(Frames::like(frames.size()).is_empty());
    }
}
