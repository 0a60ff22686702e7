//! Claims about several tasks at once.

use arb_core::port::{Answer, NewRequest, Request, RequestState, Store};
use tokio::try_join;

use super::{BTC, ETH, catalog, listed, read_all, tape};

const BATCH: usize = 100;

/// A reader beside a writer sees the tape grow by whole batches, without a hole.
pub async fn readers_see_whole_batches(store: &impl Store) {
    let catalog = catalog(store).await;
    let (given, of) = (tape(BTC, 20_000), listed(&catalog, BTC));
    let write = async {
        for (at, batch) in given.chunks(BATCH).enumerate() {
            store.append_trades(&catalog, batch).await?;
            if at % 20 == 19 {
                let later = super::START.plus(30 * arb_core::time::DAY);
                store.upkeep(later, Default::default()).await?;
            }
        }
        Ok::<(), arb_core::StoreError>(())
    };
    let read = async {
        let mut seen = 0;
        while seen < given.len() {
            let some = store.trades(of, 0, given.len()).await?;
            assert!(some.len() >= seen && some.len() % BATCH == 0, "{} after {seen}", some.len());
            assert!(given.starts_with(&some));
            seen = some.len();
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    try_join!(write, read).unwrap();
}

/// Trades of two instruments, settings and leases at once.
pub async fn many_writers_lose_nothing(store: &impl Store) {
    let catalog = catalog(store).await;
    let (btc, eth) = (tape(BTC, 10_000), tape(ETH, 10_000));
    let append = async |trades: &[arb_core::Trade]| {
        for batch in trades.chunks(BATCH) {
            store.append_trades(&catalog, batch).await?;
        }
        Ok(())
    };
    let settings = async {
        for at in 0..100 {
            let setting = arb_core::port::Setting {
                key: format!("k{at}"),
                value: at.to_string(),
                updated_at: super::START,
                updated_by: "test".to_owned(),
            };
            store.set_setting(&setting).await?;
        }
        Ok::<(), arb_core::StoreError>(())
    };
    try_join!(append(&btc), append(&eth), settings).unwrap();
    assert!(read_all(store, listed(&catalog, BTC), 50_000).await == btc);
    assert!(read_all(store, listed(&catalog, ETH), 50_000).await == eth);
    for at in 0..100 {
        assert_eq!(store.setting(&format!("k{at}")).await.unwrap().unwrap().value, at.to_string());
    }
}

/// Takers and one who withdraws reach for the same request at the same moment.
pub async fn a_request_has_one_fate_however_many_reach_for_it(store: &impl Store) {
    let hour = std::time::Duration::from_hours(1);
    let epoch = store.hold("node", "a", hour).await.unwrap().unwrap().epoch;
    for id in (0..50).map(|at| at.to_string()) {
        let request = Request::Command(arb_core::Command::Pause);
        let (stream, asked_by) = ("node".to_owned(), "api".to_owned());
        store.ask(&NewRequest { id, stream, asked_by, request, valid_for: hour }).await.unwrap();
    }
    let take = async || {
        let mut taken = Vec::new();
        for _ in 0..50 {
            taken.extend(store.take("node", epoch, 1).await?.into_iter().map(|taken| taken.id));
        }
        Ok::<_, arb_core::StoreError>(taken)
    };
    let withdraw = async {
        let mut withdrawn = Vec::new();
        for id in (0..50).rev().map(|at| at.to_string()) {
            let state = store.withdraw(&id).await?;
            if state == Some(RequestState::Answered(Answer::Withdrawn)) {
                withdrawn.push(id);
            }
            tokio::task::yield_now().await;
        }
        Ok(withdrawn)
    };
    let (one, other, withdrawn) = try_join!(take(), take(), withdraw).unwrap();
    let mut all = [one, other, withdrawn].concat();
    all.sort_by_key(|id| id.parse::<u32>().unwrap());
    assert_eq!(all, (0..50).map(|at| at.to_string()).collect::<Vec<_>>());
}
