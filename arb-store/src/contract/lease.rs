//! Claims about leases.

use std::time::Duration;

use arb_core::port::{Lease, Store};

const HOUR: Duration = Duration::from_hours(1);

/// Extending keeps the epoch; names are independent.
pub async fn one_holder_at_a_time(store: &impl Store) {
    assert_eq!(store.lease("node").await.unwrap(), None);
    let first = store.hold("node", "a", HOUR).await.unwrap().unwrap();
    assert_eq!((first.holder.as_str(), first.epoch), ("a", 1));
    assert_eq!(store.hold("node", "b", HOUR).await.unwrap(), None);
    let longer = store.hold("node", "a", 2 * HOUR).await.unwrap().unwrap();
    assert_eq!(longer.epoch, 1);
    assert!(longer.until > first.until);
    assert_eq!(store.lease("node").await.unwrap(), Some(longer));
    assert_eq!(store.hold("guard", "b", HOUR).await.unwrap().unwrap().epoch, 1);
}

/// Even for the former holder: it cannot know who wrote in between.
pub async fn a_lapsed_lease_gets_a_new_epoch(store: &impl Store) {
    let epochs = async |holder: &str, ttl| {
        store.hold("node", holder, ttl).await.unwrap().map(|lease| lease.epoch)
    };
    assert_eq!(epochs("a", Duration::ZERO).await, Some(1));
    assert_eq!(epochs("b", Duration::ZERO).await, Some(2));
    assert_eq!(epochs("b", Duration::ZERO).await, Some(3));
    assert_eq!(epochs("a", HOUR).await, Some(4));
    assert_eq!(epochs("b", HOUR).await, None);
}

/// A release with an epoch that is over, or by somebody else, does nothing.
pub async fn only_the_holder_releases(store: &impl Store) {
    let old = store.hold("node", "a", Duration::ZERO).await.unwrap().unwrap();
    let new = store.hold("node", "b", HOUR).await.unwrap().unwrap();
    assert!(!store.release("node", &old).await.unwrap());
    assert!(
        !store.release("node", &Lease { holder: "c".to_owned(), ..new.clone() }).await.unwrap()
    );
    assert!(!store.release("guard", &new).await.unwrap());
    assert_eq!(store.hold("node", "a", HOUR).await.unwrap(), None);
    assert!(store.release("node", &new).await.unwrap());
    assert_eq!(store.hold("node", "a", HOUR).await.unwrap().unwrap().epoch, 3);
}
