//! Coinbase's two ticker feeds.
//!
//! Invariant: on the Advanced feed one number counts over all messages of a connection, without a
//! hole unless a fault makes one; the Exchange feed numbers each product.

use arb_core::Timestamp;
use serde::Deserialize;

use super::super::market::{Product, SimMarket};
use super::super::text::Text;
use super::streams::Route;

/// What a connection listens to.
#[derive(Clone, Debug, Default)]
pub(super) struct Listener {
    /// Places of the products whose tickers it gets.
    pub(super) products: Vec<usize>,
    heartbeats: bool,
    sequence: u64,
}

#[derive(Debug, Deserialize)]
struct Wire {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    product_ids: Vec<String>,
    channel: Option<String>,
    #[serde(default)]
    channels: Vec<serde_json::Value>,
}

impl Listener {
    /// Reads a request and gives the answer.
    pub(super) fn request(
        &mut self,
        route: Route,
        text: &str,
        market: &SimMarket,
        now: i64,
    ) -> Vec<u8> {
        let wire: Wire = match serde_json::from_str(text) {
            Ok(wire) => wire,
            Err(_) => return refused("Malformed JSON"),
        };
        let named = |product: &&Product| wire.product_ids.contains(&product.name);
        let mut products = market.products().iter().enumerate();
        let wanted: Vec<usize> =
            products.by_ref().filter(|(_, p)| named(p)).map(|(place, _)| place).collect();
        if wanted.len() < wire.product_ids.len() {
            return refused("Failed to subscribe");
        }
        let channels = wire.channels.iter().filter_map(|channel| {
            // A channel may be an object with products of its own; only its name matters here.
            channel.as_str().or_else(|| channel.get("name")?.as_str())
        });
        let channels: Vec<&str> = channels.chain(wire.channel.as_deref()).collect();
        let tickers = channels.iter().any(|name| ["ticker", "ticker_batch"].contains(name));
        let beats = channels.iter().any(|name| name.starts_with("heartbeat"));
        match wire.kind.as_str() {
            "subscribe" => {
                self.heartbeats |= beats;
                if tickers {
                    self.products.extend(wanted);
                    self.products.sort_unstable();
                    self.products.dedup();
                }
            }
            "unsubscribe" => {
                self.heartbeats &= !beats;
                if tickers {
                    self.products.retain(|place| !wanted.contains(place));
                }
            }
            _ => return refused("Type has to be either subscribe or unsubscribe"),
        }
        self.subscriptions(route, market, now)
    }

    fn subscriptions(&mut self, route: Route, market: &SimMarket, now: i64) -> Vec<u8> {
        let mut body = Vec::new();
        let mut out = Text(&mut body);
        let advanced = route == Route::CoinbaseAdvanced;
        if advanced {
            self.begin(&mut out, "subscriptions", now);
            out.raw("{\"subscriptions\":{\"ticker\":[");
        } else {
            out.raw(
                "{\"type\":\"subscriptions\",\"channels\":[{\"name\":\"ticker\",\"product_ids\":[",
            );
        }
        let names = self.products.iter().filter_map(|place| market.products().get(*place));
        for (number, product) in names.enumerate() {
            out.raw(if number == 0 { "\"" } else { ",\"" }).raw(&product.name).raw("\"");
        }
        out.raw(if advanced { "]}}]}" } else { "]}]}" });
        body
    }

    /// The beginning of a message of the Advanced feed, up to its first event.
    fn begin(&mut self, out: &mut Text<'_>, channel: &str, now: i64) {
        out.raw("{\"channel\":\"").raw(channel).raw("\",\"timestamp\":\"").raw(&civil(now));
        out.raw("\",\"sequence_num\":").uint(self.sequence).raw(",\"events\":[");
        self.sequence += 1;
    }

    /// Best prices of a product; `number` counts them.
    pub(super) fn ticker(
        &mut self,
        route: Route,
        (product, market): (&Product, &SimMarket),
        now: i64,
        out: &mut Text<'_>,
    ) {
        let quote = product.quote(market, now);
        let price = if quote.sold { quote.bid } else { quote.ask };
        if route == Route::CoinbaseAdvanced {
            self.begin(out, "ticker", now);
            out.raw("{\"type\":\"update\",\"tickers\":[{\"type\":\"ticker\",\"product_id\":\"");
            out.raw(&product.name).raw("\",\"price\":").quoted(price, product.decimals);
            out.raw(",\"best_bid\":").quoted(quote.bid, product.decimals);
            out.raw(",\"best_ask\":").quoted(quote.ask, product.decimals);
            out.raw(",\"best_bid_quantity\":").quoted(quote.bid_qty, 8);
            out.raw(",\"best_ask_quantity\":").quoted(quote.ask_qty, 8).raw("}]}]}");
            return;
        }
        let number = now.div_euclid(500).cast_unsigned();
        out.raw("{\"type\":\"ticker\",\"sequence\":").uint(number * 3);
        out.raw(",\"product_id\":\"").raw(&product.name);
        out.raw("\",\"price\":").quoted(price, product.decimals);
        out.raw(",\"best_bid\":").quoted(quote.bid, product.decimals);
        out.raw(",\"best_bid_size\":").quoted(quote.bid_qty, 8);
        out.raw(",\"best_ask\":").quoted(quote.ask, product.decimals);
        out.raw(",\"best_ask_size\":").quoted(quote.ask_qty, 8);
        out.raw(if quote.sold { ",\"side\":\"sell\"" } else { ",\"side\":\"buy\"" });
        out.raw(",\"time\":\"").raw(&civil(now)).raw("\",\"trade_id\":").uint(number);
        out.raw(",\"last_size\":").quoted(quote.bid_qty, 8).raw("}");
    }

    /// A sign of life each second, where it was asked for.
    pub(super) fn heartbeat(&mut self, route: Route, now: i64) -> Option<Vec<u8>> {
        if !self.heartbeats || route != Route::CoinbaseAdvanced {
            return None;
        }
        let mut body = Vec::new();
        let mut out = Text(&mut body);
        self.begin(&mut out, "heartbeats", now);
        out.raw("{\"current_time\":\"").raw(&civil(now)).raw("\",\"heartbeat_counter\":");
        out.int(now.div_euclid(1_000)).raw("}]}");
        Some(body)
    }
}

fn refused(message: &str) -> Vec<u8> {
    let mut body = Vec::new();
    Text(&mut body).raw("{\"type\":\"error\",\"message\":").quoted_text(message).raw("}");
    body
}

fn civil(now: i64) -> String {
    Timestamp::from_millis(now).to_string()
}
