//! What the streams of one line say at each step.
//!
//! Invariant: a feed goes from step to step and says of each what changed since the one before, so
//! what it says depends on the steps alone and not on how often the venue is asked. State exists
//! only while somebody listens.

use arb_core::Market;

use super::super::market::{
    AssetCursor, Bar, Depth, Edge, Flow, LIQUIDATION_SPAN, Line, Print, RecordKind, SimMarket, Top,
    bar_around,
};
use super::super::text::Text;
use super::frames::{self, BarSpan};
use super::outbox::ConnectionId;
use super::streams::Kind;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
/// How often bars are told, milliseconds.
const BARS: i64 = 250;

/// A stream with its listeners.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) listeners: Vec<ConnectionId>,
    kind: Kind,
    state: State,
}

/// What a stream remembers from step to step.
#[derive(Debug)]
enum State {
    Nothing,
    Quote(Option<Top>),
    Depth(Option<Edge>),
    Bar(Option<Running>),
    Liquidation(Option<Print>),
}

#[derive(Clone, Copy, Debug)]
struct Running {
    open: i64,
    end: i64,
    bar: Bar,
    fresh: bool,
}

/// The streams of one line.
#[derive(Debug, Default)]
pub(super) struct Feed {
    pub(super) channels: Vec<Channel>,
    cursor: AssetCursor,
    flow: Option<Flow>,
    ahead: Option<Print>,
    prints: Vec<Print>,
    depth: Depth,
    day: Option<DayBar>,
    /// The running rate of a sample.
    rate: Option<(i64, i64)>,
    /// The next recorded record.
    record: Option<usize>,
}

/// The last day's bar, grown each second and summed anew each minute.
#[derive(Clone, Copy, Debug)]
struct DayBar {
    open: i64,
    upto: i64,
    bar: Bar,
}

/// A step of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Place of the line.
    pub(super) place: usize,
    /// The time whose state is told.
    pub(super) at: i64,
    /// The time of sending.
    pub(super) now: i64,
}

impl Step {
    /// Whether something told every so many milliseconds is due.
    const fn is_due(self, every: i64) -> bool {
        self.at % every == 0
    }
}

impl Channel {
    pub(super) fn new(name: &str, kind: Kind) -> Self {
        let state = match kind {
            Kind::Quote => State::Quote(None),
            Kind::Depth { .. } => State::Depth(None),
            Kind::Kline(..) => State::Bar(None),
            Kind::Liquidation => State::Liquidation(None),
            _ => State::Nothing,
        };
        Self { name: name.to_owned(), listeners: Vec::new(), kind, state }
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    const fn needs_trades(&self) -> bool {
        matches!(self.kind, Kind::AggTrade | Kind::Trade | Kind::Kline(..))
    }
}

/// Takes the payloads of a channel: written into the buffer by the second argument.
pub(super) trait Emit {
    fn emit(&mut self, channel: &Channel, write: &mut dyn FnMut(&mut Text<'_>));
}

impl Feed {
    /// Says what the step brings.
    pub(super) fn step(&mut self, market: &SimMarket, step: Step, out: &mut dyn Emit) {
        let Some(line) = market.line(step.place) else { return };
        self.collect(line, market.step(), step);
        let mut channels = std::mem::take(&mut self.channels);
        self.say_recorded(line, step, &channels, out);
        for channel in &mut channels {
            self.say(market, step, channel, out);
        }
        self.channels = channels;
    }

    /// Collects the trades since the step before, where a channel needs them.
    fn collect(&mut self, line: &Line, length: i64, step: Step) {
        self.prints.clear();
        if !self.channels.iter().any(Channel::needs_trades) {
            self.flow = None;
            self.ahead = None;
            return;
        }
        let flow = self.flow.get_or_insert_with(|| line.flow_at(step.at - length));
        loop {
            let print = self.ahead.take().unwrap_or_else(|| line.next_print(flow));
            if print.at >= step.at {
                self.ahead = Some(print);
                return;
            }
            self.prints.push(print);
        }
    }

    fn say(&mut self, market: &SimMarket, step: Step, channel: &mut Channel, out: &mut dyn Emit) {
        let Some(line) = market.line(step.place) else { return };
        let recorded = line.records_at(step.at);
        match channel.kind {
            Kind::AggTrade => {
                for print in &self.prints {
                    out.emit(channel, &mut |text| frames::agg_trade(text, line, print, step.now));
                }
            }
            Kind::Trade => self.say_fills(line, step, channel, out),
            Kind::Quote if recorded => {}
            Kind::Quote => self.say_quote(line, step, channel, out),
            Kind::Depth { levels: None, .. } if recorded => {}
            Kind::Depth { levels: None, every } if step.is_due(every) => {
                self.say_changes(line, (every, step), channel, out);
            }
            Kind::Depth { levels: Some(levels), every } if step.is_due(every) => {
                say_top_levels(line, (levels, every), step, channel, out);
            }
            Kind::Mark { every } if step.is_due(every) && !line.has_recorded_marks(step.at) => {
                let prices = self.mark(line, step.at);
                out.emit(channel, &mut |text| frames::mark(text, line, prices, step.now));
            }
            Kind::Liquidation => say_liquidation(line, step, channel, out),
            Kind::Kline(..) => {
                self.say_bar(market, step, channel, out);
            }
            Kind::MiniTicker if step.is_due(SECOND) => {
                let Some(day) = self.day(market, step) else { return };
                out.emit(channel, &mut |text| {
                    frames::mini_ticker(text, line, &day.bar, step.now);
                });
            }
            Kind::Ticker if step.is_due(SECOND) => {
                let Some(day) = self.day(market, step) else { return };
                let top = self.spot_top(line, step);
                out.emit(channel, &mut |text| {
                    frames::ticker(text, line, &day.bar, top.as_ref(), (day.open, step.now));
                });
            }
            _ => {}
        }
    }

    /// Index, mark and running rate. The rate is remembered until its premium is sampled again.
    fn mark(&mut self, line: &Line, at: i64) -> (i64, i64, i64) {
        let (index, mark) = line.index_and_mark_near(&mut self.cursor, at);
        let sample = line.funding_sample(at);
        let rate = match self.rate {
            Some((known, rate)) if sample == Some(known) => rate,
            _ => line.funding_estimate(at),
        };
        self.rate = sample.map(|sample| (sample, rate));
        (index, mark, rate)
    }

    fn say_fills(&self, line: &Line, step: Step, channel: &Channel, out: &mut dyn Emit) {
        for print in &self.prints {
            for fill in print.fills() {
                out.emit(channel, &mut |text| frames::trade(text, line, print, fill, step.now));
            }
        }
    }

    fn say_quote(&mut self, line: &Line, step: Step, channel: &mut Channel, out: &mut dyn Emit) {
        let top = line.top(line.edge(&mut self.cursor, step.at));
        let State::Quote(last) = &mut channel.state else { return };
        if last.is_some_and(|last| (last.bid, last.ask) == (top.bid, top.ask)) {
            return;
        }
        *last = Some(top);
        out.emit(channel, &mut |text| frames::quote(text, line, &top, (step.at, step.now)));
    }

    fn say_changes(
        &mut self,
        line: &Line,
        (every, step): (i64, Step),
        channel: &mut Channel,
        out: &mut dyn Emit,
    ) {
        let to = line.edge(&mut self.cursor, step.at);
        let State::Depth(last) = &mut channel.state else { return };
        let from = last.replace(to);
        let from = from.unwrap_or_else(|| line.edge(&mut self.cursor, step.at - every));
        line.changes(from, to, &mut self.depth);
        let previous = line.top(from).update_id;
        let depth = &self.depth;
        out.emit(channel, &mut |text| {
            frames::depth_update(text, line, depth, previous, step.now);
        });
    }

    fn say_bar(
        &mut self,
        market: &SimMarket,
        step: Step,
        channel: &mut Channel,
        out: &mut dyn Emit,
    ) {
        let Kind::Kline(interval, form) = channel.kind else { return };
        let Some(line) = market.line(step.place) else { return };
        let State::Bar(running) = &mut channel.state else { return };
        let Some(mut now) = *running else {
            let (open, end) = bar_around(interval, step.at);
            let sum = market.bar(step.place, open, step.at);
            *running = sum.map(|bar| Running { open, end, bar, fresh: true });
            return;
        };
        for print in &self.prints {
            now.bar.add(Bar::from(*print));
            now.fresh = true;
        }
        let closed = step.at >= now.end;
        let tells = closed || (now.fresh && step.is_due(BARS));
        let span = BarSpan { interval, form, open: now.open, end: now.end, closed };
        let told = now.bar;
        if closed {
            let (open, end) = bar_around(interval, step.at);
            now = Running { open, end, bar: Bar::empty(told.close, told.last, open), fresh: false };
        }
        now.fresh &= !tells;
        *running = Some(now);
        if tells {
            out.emit(channel, &mut |text| frames::kline(text, line, &span, &told, step.now));
        }
    }

    /// The figures of the last day.
    fn day(&mut self, market: &SimMarket, step: Step) -> Option<DayBar> {
        let open = step.at - DAY - step.at.rem_euclid(MINUTE);
        let day = match self.day {
            Some(mut day) if day.open == open => {
                if day.upto < step.at {
                    day.bar.add(market.bar(step.place, day.upto, step.at)?);
                    day.upto = step.at;
                }
                day
            }
            _ => DayBar { open, upto: step.at, bar: market.bar(step.place, open, step.at)? },
        };
        self.day = Some(day);
        Some(day)
    }

    /// Spot's day ticker also has the best prices.
    fn spot_top(&mut self, line: &Line, step: Step) -> Option<Top> {
        (line.market == Market::Spot).then(|| line.top_at(&mut self.cursor, step.at))
    }

    /// Recorded records since the step before, in their order.
    fn say_recorded(&mut self, line: &Line, step: Step, channels: &[Channel], out: &mut dyn Emit) {
        let Some(book) = line.recorded_book() else { return };
        let mut place = self.record.unwrap_or_else(|| book.place_after(step.at - line.step));
        while let Some(record) = book.record(place).filter(|record| record.at <= step.at) {
            let carries = |channel: &&Channel| match record.kind {
                RecordKind::Depth => matches!(channel.kind, Kind::Depth { levels: None, .. }),
                RecordKind::Quote => channel.kind == Kind::Quote,
                RecordKind::Mark => matches!(channel.kind, Kind::Mark { .. }),
            };
            for channel in channels.iter().filter(carries) {
                out.emit(channel, &mut |text| _ = text.raw(&record.payload));
            }
            place += 1;
        }
        self.record = Some(place);
    }

    /// The feed of `line` as an element of a stream of all symbols.
    pub(super) fn say_in_array(
        &mut self,
        market: &SimMarket,
        step: Step,
        kind: Kind,
        text: &mut Text<'_>,
    ) -> Option<()> {
        let line = market.line(step.place)?;
        match kind {
            Kind::Mark { .. } => {
                let prices = self.mark(line, step.at);
                frames::mark(text, line, prices, step.now);
            }
            Kind::MiniTicker => {
                frames::mini_ticker(text, line, &self.day(market, step)?.bar, step.now);
            }
            Kind::Ticker => {
                let day = self.day(market, step)?;
                let top = self.spot_top(line, step);
                frames::ticker(text, line, &day.bar, top.as_ref(), (day.open, step.now));
            }
            Kind::Quote => {
                let top = line.top_at(&mut self.cursor, step.at);
                frames::quote(text, line, &top, (step.at, step.now));
            }
            _ => return None,
        }
        Some(())
    }
}

fn say_top_levels(
    line: &Line,
    (levels, every): (i64, i64),
    step: Step,
    channel: &Channel,
    out: &mut dyn Emit,
) {
    let depth = line.depth(step.at, levels);
    if line.market == Market::Spot {
        return out.emit(channel, &mut |text| frames::spot_top_levels(text, line, &depth));
    }
    let previous = line.update_id((step.at - every).div_euclid(line.step));
    let previous = previous.min(depth.update_id.saturating_sub(1));
    out.emit(channel, &mut |text| {
        frames::depth_update(text, line, &depth, previous, step.now);
    });
}

fn say_liquidation(line: &Line, step: Step, channel: &mut Channel, out: &mut dyn Emit) {
    let State::Liquidation(due) = &mut channel.state else { return };
    let told = due.filter(|print| print.at + SECOND <= step.at);
    if told.is_some() {
        *due = None;
    }
    // The stretch that began a second ago: what happens in it is told a second later.
    if step.is_due(LIQUIDATION_SPAN) {
        *due = line.liquidation(step.at - SECOND);
    }
    if let Some(print) = told {
        out.emit(channel, &mut |text| frames::liquidation(text, line, &print, step.now));
    }
}
