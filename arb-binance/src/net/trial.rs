//! Whether a stream delivers, tried once.

use std::time::Duration;

use arb_core::VenueError;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

/// Connects, sends one subscription, and waits for the first frame that is no answer to it. A
/// connection that is accepted and stays silent has failed: that is how retired paths behave.
///
/// # Errors
/// [`VenueError::Disconnected`] with what is wrong.
pub async fn try_stream(
    address: &str,
    subscription: &str,
    patience: Duration,
) -> Result<(), VenueError> {
    // Whoever embeds this may have chosen a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match timeout(patience, first_frame(address, subscription)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(lost(format!("nothing was delivered within {} s", patience.as_secs()))),
    }
}

async fn first_frame(address: &str, subscription: &str) -> Result<(), VenueError> {
    let (mut socket, _) = connect_async(address).await.map_err(lost)?;
    socket.send(Message::text(subscription)).await.map_err(lost)?;
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message.map_err(lost)?
            && is_data(&text)
        {
            return Ok(());
        }
    }
    Err(lost("the connection was closed"))
}

/// Whether a frame is of a stream, and no answer to the subscription.
fn is_data(text: &str) -> bool {
    let answers = [r#"{"result""#, r#"{"id""#, r#"{"type":"subscriptions""#];
    let refusals = [r#"{"error""#, r#"{"code""#, r#"{"type":"error""#];
    !answers.iter().chain(&refusals).any(|start| text.starts_with(start))
}

fn lost(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> VenueError {
    VenueError::Disconnected(what.into())
}
