//! Strategy files and back-tests, for hosts.

use async_trait::async_trait;

use crate::error::{ConfigError, StoreError};
use crate::time::Timestamp;

/// Strategy files and back-tests, for hosts.
#[async_trait]
pub trait Lab: Send + Sync {
    /// Checks a strategy's JSON text.
    ///
    /// # Errors
    /// [`ConfigError`] naming line and field.
    fn check(&self, text: &str) -> Result<(), ConfigError>;

    /// Runs a back-test over stored trades and tells its result as JSON.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn backtest(
        &self,
        strategy: &str,
        symbol: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<String, StoreError>;
}
