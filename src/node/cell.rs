//! The engine with its paper venue: both pure, both changed by events alone.
//!
//! Invariant: the same calls give the same outputs and the same answers. The venue sees an event
//! before the engine does, its answers come back as events of their own, and what the engine wants
//! reaches it only through [`Cell::act`], which a driver calls when the log has it.

use std::collections::VecDeque;

use arb_core::{
    Effect, Engine, Event, EventKind, OrderEvent, OrderUpdate, Output, PaperVenue, RejectReason,
    Timestamp,
};

/// An engine and the venue its orders go to.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) engine: Engine,
    pub(super) venue: PaperVenue,
    answers: VecDeque<OrderEvent>,
    fills: Vec<OrderEvent>,
    /// What the engine said to the event observed last.
    pub(super) out: Vec<Output>,
}

impl Cell {
    pub(super) const fn new(engine: Engine, venue: PaperVenue) -> Self {
        Self { engine, venue, answers: VecDeque::new(), fills: Vec::new(), out: Vec::new() }
    }

    /// Shows an event to the venue and the engine; what the engine says is in `out`.
    #[inline]
    pub(super) fn observe(&mut self, event: &Event) {
        self.out.clear();
        if !matches!(event.kind, EventKind::Order(_)) {
            self.venue.on_event(event, &mut self.fills);
            if !self.fills.is_empty() {
                self.answers.extend(self.fills.drain(..));
            }
        }
        self.engine.on_event(event, &mut self.out);
    }

    /// Whether nothing follows from the event observed last.
    #[inline]
    pub(super) fn is_quiet(&self) -> bool {
        self.out.is_empty() && self.answers.is_empty()
    }

    /// Whether the engine wants something that must be durable before it is done.
    #[inline]
    pub(super) fn wants_action(&self) -> bool {
        self.out.iter().any(|output| matches!(output, Output::Submit(_) | Output::Cancel { .. }))
    }

    /// Carries out what the engine wants.
    #[inline]
    pub(super) fn act(&mut self, event: &Event) {
        if self.out.is_empty() {
            return;
        }
        // A tick that was told late acts from then on, not from when it should have been told.
        let decided_at = self.venue.decided_at(event).max(event.at);
        for output in &self.out {
            match output {
                Output::Submit(approved) => self.venue.submit(approved.order(), decided_at),
                Output::Cancel { id, instrument } => {
                    self.venue.cancel(*id, *instrument, decided_at);
                }
                _ => {}
            }
        }
    }

    /// Takes back the orders that would open risk: they were not sent, and are answered so.
    pub(super) fn refuse_entries(&mut self) {
        for output in &self.out {
            let Output::Submit(approved) = output else { continue };
            let order = approved.order();
            if order.effect == Effect::Open && self.venue.take_back(order.id) {
                let update = OrderUpdate::Rejected(RejectReason::NotDurable);
                let (id, instrument) = (order.id, order.instrument);
                self.answers.push_back(OrderEvent { id, instrument, update });
            }
        }
    }

    /// The next answer of the venue, as the event it becomes.
    #[inline]
    pub(super) fn next_answer(&mut self, at: Timestamp) -> Option<Event> {
        let answer = self.answers.pop_front()?;
        Some(Event { at, kind: EventKind::Order(Box::new(answer)) })
    }

    pub(super) fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// When the venue has something to say by itself.
    #[inline]
    pub(super) const fn next_wakeup(&self) -> Timestamp {
        self.venue.next_wakeup()
    }

    /// Lets the venue's requests act whose time has come.
    pub(super) fn wake(&mut self, at: Timestamp) {
        self.venue.wake(at, &mut self.fills);
        self.answers.extend(self.fills.drain(..));
    }
}
