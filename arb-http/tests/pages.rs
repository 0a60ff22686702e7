//! Lists page by page.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::caller::Caller;
use crate::fixture::Fixture;

/// Walks a list by pages of so many and tells its items in order.
async fn walk(caller: &Caller, path: &str, (limit, next_as): (usize, &str)) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), String::new());
    loop {
        let glue = if path.contains('?') { '&' } else { '?' };
        let place = if next.is_empty() { String::new() } else { format!("&{next_as}={next}") };
        let answer = caller.get(&format!("{path}{glue}limit={limit}{place}"), "admin").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let page = answer.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        all.extend(items.iter().cloned());
        match page["next"].as_str() {
            Some(place) => {
                assert_eq!(items.len(), limit, "only a full page has a next one");
                place.clone_into(&mut next);
            }
            None => return all,
        }
    }
}

#[tokio::test]
async fn a_walk_by_pages_sees_every_row_once_in_order() {
    let caller = Caller::of(&Fixture::new().await);
    for (path, next_as, rows) in [
        ("/api/signals/history", "before", 26),
        ("/api/signals/history?symbol=BTC", "before", 19),
        ("/api/signals/history?strategy=v52_8signals", "before", 1),
        ("/api/paper/trades", "before", 7),
        ("/api/paper/trades?result=loss", "before", 4),
        ("/api/live/events", "before", 36),
        ("/api/audit", "before", 5),
        ("/api/users", "after", 4),
    ] {
        let whole = walk(&caller, path, (400, next_as)).await;
        assert_eq!(whole.len(), rows, "{path}");
        for limit in [1, 2, 3, 7] {
            let walked = walk(&caller, path, (limit, next_as)).await;
            assert_eq!(walked, whole, "{path} by {limit}");
        }
        let distinct: BTreeSet<String> = whole.iter().map(Value::to_string).collect();
        assert!(distinct.len() * 2 > rows, "{path}: rows differ");
    }
}

#[tokio::test]
async fn lists_are_newest_first() {
    let caller = Caller::of(&Fixture::new().await);
    for (path, time) in [
        ("/api/signals/history", "time_ms"),
        ("/api/paper/trades", "entry_time_ms"),
        ("/api/live/events", "seq"),
    ] {
        let rows = walk(&caller, path, (5, "before")).await;
        let times: Vec<i64> = rows.iter().map(|row| row[time].as_i64().unwrap()).collect();
        assert!(times.is_sorted_by(|a, b| a >= b), "{path}: {times:?}");
    }
}

#[tokio::test]
async fn a_place_that_is_none_is_refused() {
    let caller = Caller::of(&Fixture::new().await);
    for path in ["/api/signals/history", "/api/paper/trades", "/api/live/events", "/api/audit"] {
        for place in [
            "",
            "x",
            "1",
            "1-",
            "-1-1",
            "1-1-1-1",
            "ffffffffffffffff0-1",
            "1-ffffffffffffffff",
            "1-1%00",
        ] {
            let answer = caller.get(&format!("{path}?before={place}"), "admin").await;
            assert_eq!(answer.status, 422, "{path} {place:?}: {}", answer.text);
            assert_eq!(answer.flaw().0, "query.before");
        }
    }
}
