//! Who owns an open trade when strategies are reordered, taken out and put back.

use super::*;
use crate::event::{Direction, Side};
use crate::strategy::{
    Bracket, Context, Decision, Entry, ExitRules, Factors, Memory, Reason, Strategy, Tier,
};

const BTC: InstrumentId = InstrumentId(0);

/// Enters at once, where its name says so, and remembers how often it was asked.
#[derive(Debug)]
struct Counter {
    name: String,
    asked: u8,
}

impl Strategy for Counter {
    fn name(&self) -> &str {
        &self.name
    }

    fn on_event(&mut self, cx: &Context<'_>, _: &Event, out: &mut Vec<Intent>) {
        self.asked += 1;
        let Some(row) = cx.indicators().filter(|_| self.name == "eager") else { return };
        let decision = Decision {
            time: cx.now(),
            instrument: cx.instrument(),
            direction: Some(Direction::Long),
            score: 80.0,
            tier: Some(Tier::Standard),
            reason: Reason::Entry,
            price: Some(row.last_price),
            factors: Factors::default(),
        };
        out.push(Intent::Enter(Box::new(Entry {
            side: Side::Buy,
            bracket: Bracket { atr: 1.0, rules: ExitRules::standard() },
            risk_r: 1.into(),
            cool_down_ms: 600_000,
            decision,
        })));
    }

    fn memory(&self) -> Memory {
        Memory::Bytes(vec![self.asked])
    }

    fn recall(&mut self, memory: &[u8]) -> Result<(), ConfigError> {
        self.asked = memory[0];
        Ok(())
    }
}

fn with(names: &[&str]) -> EngineConfig {
    names.iter().fold(config(), |config, name| {
        config.with_strategy(name, &format!(r#"{{"kind": "counter", "name": "{name}"}}"#)).unwrap()
    })
}

struct Scene {
    engine: Engine,
    at: Timestamp,
}

impl Scene {
    /// An engine whose strategy `eager`, the first of two, has a trade.
    fn with_a_trade() -> Self {
        let mut registry = Registry::builtin();
        registry.register("counter", |_: &str, text: &str| {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            let name = value["name"].as_str().unwrap().to_owned();
            Ok(Box::new(Counter { name, asked: 0 }) as Box<dyn Strategy>)
        });
        let at = Timestamp::from_millis(1_700_006_400_000);
        let mut own = Self { engine: Engine::new(registry), at };
        own.configure(&["eager", "quiet"]);
        let (price, qty) = ("60000".parse().unwrap(), "1".parse().unwrap());
        let taker_side = Side::Buy;
        let trade = Trade { instrument: BTC, id: 1, price, qty, ts: own.at, taker_side };
        send(&mut own.engine, Event::trade(trade));
        own.tick();
        assert_eq!(own.owner(), Some(0));
        own
    }

    fn configure(&mut self, names: &[&str]) {
        let event = with(names).to_event(self.at).unwrap();
        send(&mut self.engine, event);
        self.tick();
    }

    fn tick(&mut self) -> Vec<Output> {
        self.at = self.at.plus(15_000_000_000);
        send(&mut self.engine, Event::tick(self.at))
    }

    fn core(&self) -> &Core {
        self.engine.core.as_ref().unwrap()
    }

    fn owner(&self) -> Option<usize> {
        self.core().trades[0].as_ref().unwrap().plan.strategy
    }

    fn asked(&self, strategy: usize) -> Memory {
        self.core().strategies[strategy].strategy.memory()
    }
}

#[test]
fn a_trade_follows_its_strategy_to_another_place() {
    let mut scene = Scene::with_a_trade();
    scene.configure(&["quiet", "eager"]);
    assert_eq!(scene.owner(), Some(1));
}

#[test]
fn a_trade_whose_strategy_was_taken_out_is_nobodys_until_it_comes_back() {
    let mut scene = Scene::with_a_trade();
    scene.configure(&["quiet"]);
    assert_eq!(scene.owner(), None);
    scene.tick();
    assert!(scene.core().trades[0].is_some(), "it ends by its bracket");
    scene.configure(&["quiet", "eager"]);
    assert_eq!(scene.owner(), Some(1));
}

#[test]
fn strategies_keep_what_they_remember_and_their_conduct() {
    let mut scene = Scene::with_a_trade();
    let (risk, at) = (scene.core().config.risk, scene.at);
    let lost = ("-200".parse().unwrap(), "200".parse().unwrap());
    let guard = &mut scene.engine.core.as_mut().unwrap().guard;
    assert!(!guard.on_trade_closed(&risk, Some(1), lost, at));
    let before = scene.asked(1);
    assert_ne!(before, Memory::Bytes(vec![0]));
    scene.configure(&["quiet", "eager"]);
    let Memory::Bytes(after) = scene.asked(0) else { panic!("it tells its memory") };
    let Memory::Bytes(before) = before else { panic!("it told its memory") };
    assert_eq!(after[0], before[0] + 1, "asked once more, at the tick");
    assert_eq!((scene.core().guard.losses(0), scene.core().guard.losses(1)), (1, 0));
}
