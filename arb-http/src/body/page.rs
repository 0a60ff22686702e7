//! Lists.

use std::fmt::Display;

use serde::Serialize;
use utoipa::ToSchema;

/// A list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Data<T: ToSchema> {
    /// Its members.
    pub data: Vec<T>,
}

impl<T: ToSchema> FromIterator<T> for Data<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self { data: items.into_iter().collect() }
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PageOf<T: ToSchema> {
    /// Its members.
    pub items: Vec<T>,
    /// Where the next page begins: what `before` (or `after`) is then; null on the last page.
    pub next: Option<String>,
}

impl<T: ToSchema> PageOf<T> {
    /// The first `limit` of the rows, of which one more was asked for.
    pub(crate) fn of<R, P: Display>(
        rows: &[R],
        limit: usize,
        place: impl Fn(&R) -> P,
        item: impl Fn(&R) -> T,
    ) -> Self {
        let last = rows.get(limit.wrapping_sub(1)).filter(|_| rows.len() > limit);
        Self {
            items: rows.iter().take(limit).map(item).collect(),
            next: last.map(|row| place(row).to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_a_next_one_only_where_there_is_more() {
        let page = |rows: &[u64]| {
            let page = PageOf::of(rows, 2, |row| *row, |row| *row);
            (page.items, page.next)
        };
        assert_eq!(page(&[9, 8, 7]), (vec![9, 8], Some("8".to_owned())));
        assert_eq!(page(&[9, 8]), (vec![9, 8], None));
        assert_eq!(page(&[]), (vec![], None));
    }
}
