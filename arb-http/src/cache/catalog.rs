//! The store's list of instruments, read again when it may have grown.

use std::sync::Arc;
use std::time::Duration;

use arb_core::port::{Catalog, Store};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::ApiError;

/// How long a list counts as present. New perpetuals come a few times a week.
const FRESH: Duration = Duration::from_secs(10);

/// The newest list.
#[derive(Debug, Default)]
pub(crate) struct CatalogCache {
    newest: Mutex<Option<(Instant, Arc<Catalog>)>>,
}

impl CatalogCache {
    /// The list, read by one caller for all who wait.
    pub(crate) async fn of(&self, store: &dyn Store) -> Result<Arc<Catalog>, ApiError> {
        let mut newest = self.newest.lock().await;
        if let Some((read_at, catalog)) = &*newest
            && read_at.elapsed() < FRESH
        {
            return Ok(Arc::clone(catalog));
        }
        let catalog = Arc::new(store.catalog().await?);
        *newest = Some((Instant::now(), Arc::clone(&catalog)));
        Ok(catalog)
    }
}
