//! Who may act: one holder at a time, with an epoch that fences the former one.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::time::Timestamp;

/// A lease as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it, or held it last.
    pub holder: String,
    /// Counts the changes of holder; never falls.
    pub epoch: u64,
    /// Until when, by the store's clock.
    pub until: Timestamp,
}

/// Leases by name. The store's clock decides, so that holders need not agree on the time.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Takes a lease that is free or lapsed under a new epoch, or extends one's own under the
    /// same; tells it, or none while another holds it.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn hold(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError>;

    /// Ends one's own lease early; false when it is not the caller's any more.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn release(&self, name: &str, lease: &Lease) -> Result<bool, StoreError>;

    /// The lease as it stands, lapsed or not; none when nobody ever held it.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError>;
}
