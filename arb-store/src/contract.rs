//! What every store promises, as tests that run against any of them.
//!
//! A store's own test file names how to make an empty one and gets one test per claim:
//!
//! ```ignore
//! arb_store::contract!(|| async { (folder, store) });
//! ```
//!
//! The first of the pair is kept until the claim is over: a folder that is then removed.
//!
//! Invariant: a claim uses the ports alone, so that what one store must do another must too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests, which fail by panicking"
)]

pub mod account;
pub mod book;
pub mod concurrency;
pub mod desk;
pub mod lease;
pub mod log;
pub mod market;
pub mod run;
pub mod tape;
pub mod upkeep;

use arb_core::generator::{GeneratorConfig, TapeGenerator};
use arb_core::port::{Catalog, Listed, Store};
use arb_core::{Instrument, InstrumentId, Timestamp, Trade};

/// Runs every claim as a test of its own; the argument makes `(kept, store)`.
#[macro_export]
macro_rules! contract {
    ($fresh:expr) => {
        $crate::contract!(@module tape, $fresh,
            trades_come_back_in_order_exactly_once,
            equal_trades_are_left_as_they_are,
            an_id_with_another_content_is_a_conflict_and_nothing_is_written,
            ids_that_do_not_ascend_are_refused,
            an_unregistered_instrument_is_refused,
            registering_again_keeps_the_number_and_renews_the_filters,
            values_survive_to_the_last_digit,
            history_and_recent_trades_are_one_tape,
            history_may_arrive_in_any_order,
            holes_are_named_until_they_are_filled,
            the_first_trade_at_a_time_is_found,
        );
        $crate::contract!(@module upkeep, $fresh,
            upkeep_changes_nothing_for_readers,
            trades_that_were_sealed_are_still_known,
            retention_spares_imported_trades,
            retention_of_other_tables_keeps_what_is_young,
            a_sound_store_has_no_findings,
        );
        $crate::contract!(@module market, $fresh,
            settled_funding_is_stored_once,
            a_settlement_with_another_rate_is_a_conflict,
            inputs_come_back_to_the_last_bit_in_the_order_they_became_known,
            the_newest_input_of_each_kind_is_told,
            rates_are_listed_and_the_newest_told,
        );
        $crate::contract!(@module log, $fresh,
            a_run_is_projected_as_the_engine_told_it,
            records_are_projected_once,
            an_older_epoch_is_fenced,
            a_lease_fences_before_its_holder_writes,
            log_numbers_must_ascend,
            live_events_are_read_by_whole_records,
        );
        $crate::contract!(@module book, $fresh,
            pages_of_equal_times_neither_skip_nor_repeat,
            signals_are_filtered,
            trades_keep_their_last_state_and_are_filtered_by_result,
            carry_pairs_keep_their_last_state,
            ledgers_list_funding_and_transfers,
            indicators_come_back_to_the_last_bit,
            settings_are_replaced,
        );
        $crate::contract!(@module desk, $fresh,
            what_is_shown_comes_back_whole,
            what_is_shown_only_moves_forward,
            only_the_newest_epoch_shows,
            a_request_is_taken_once,
            asking_again_changes_nothing,
            a_request_whose_time_is_over_is_never_taken,
            what_is_withdrawn_is_not_taken_and_what_is_taken_is_not_withdrawn,
            a_request_is_answered_once_by_its_taker,
            what_was_taken_and_not_answered_is_lost,
            only_the_holder_of_the_lease_takes,
            requests_and_answers_come_back_as_they_were_given,
        );
        $crate::contract!(@module account, $fresh,
            an_invite_is_used_up_by_registering,
            a_revoked_invite_lets_nobody_in,
            a_taken_email_leaves_the_invite_alone,
            users_are_found_and_changed,
            the_last_admin_stays,
            a_refresh_token_is_replaced_once,
            expired_refresh_tokens_are_forgotten,
            revoking_reaches_the_whole_family,
            api_keys_belong_to_their_user,
            the_audit_log_is_paged,
        );
        $crate::contract!(@module lease, $fresh,
            one_holder_at_a_time,
            a_lapsed_lease_gets_a_new_epoch,
            only_the_holder_releases,
        );
        $crate::contract!(@module concurrency, $fresh,
            readers_see_whole_batches,
            a_request_has_one_fate_however_many_reach_for_it,
            many_writers_lose_nothing,
        );
    };
    (@module $module:ident, $fresh:expr, $($claim:ident),* $(,)?) => {
        mod $module {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[tokio::test]
                async fn $claim() {
                    let (_kept, store) = ($fresh)().await;
                    $crate::contract::$module::$claim(&store).await;
                }
            )*
        }
    };
}

/// BTC perpetual.
pub const BTC: InstrumentId = InstrumentId(0);
/// ETH perpetual.
pub const ETH: InstrumentId = InstrumentId(1);
/// BTC spot.
pub const BTC_SPOT: InstrumentId = InstrumentId(2);

/// The time of the generated tape's beginning, whole days before anything else here.
pub const START: Timestamp = Timestamp::from_millis(1_717_200_000_000);

/// The instruments of the claims, in the order of their ids.
#[must_use]
pub fn instruments() -> Vec<Instrument> {
    let (tick, lot) = ("0.1".parse().unwrap(), "0.001".parse().unwrap());
    vec![
        Instrument::perpetual("BTCUSDT", tick, lot),
        Instrument::perpetual("ETHUSDT", tick, lot),
        Instrument::spot("BTCUSDT", tick, lot),
    ]
}

/// Registers the instruments, after one that is not of this process, so that numbers and indices
/// differ.
pub async fn catalog(store: &impl Store) -> Catalog {
    let (tick, lot) = ("0.01".parse().unwrap(), "1".parse().unwrap());
    store.register(&[Instrument::perpetual("OTHERUSDT", tick, lot)]).await.unwrap();
    store.register(&instruments()).await.unwrap()
}

/// The catalog's entry of an instrument.
#[must_use]
pub fn listed(catalog: &Catalog, id: InstrumentId) -> Listed {
    catalog.listed(id).unwrap()
}

/// A generated tape of an instrument, times moved to begin at [`START`].
#[must_use]
pub fn tape(instrument: InstrumentId, count: usize) -> Vec<Trade> {
    let seed = u64::from(instrument.0) + 1;
    let mut tape: Vec<Trade> =
        TapeGenerator::new(GeneratorConfig::btcusdt(seed)).take(count).collect();
    let first = tape.first().map_or(START, |t| t.ts);
    for trade in &mut tape {
        trade.instrument = instrument;
        trade.ts = START.plus(trade.ts.since(first));
    }
    tape
}

/// Every stored trade of an instrument, read in pages.
pub async fn read_all(store: &impl Store, of: Listed, page: usize) -> Vec<Trade> {
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let some = store.trades(of, from, page).await.unwrap();
        let Some(last) = some.last() else { return all };
        from = last.id + 1;
        all.extend(some);
    }
}
