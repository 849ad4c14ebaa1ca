//! Something falls due: a fetch's timeout, an attempt's, the end of a pause, of a key's lingering, of a drain.

use super::admit::RetryStart;
use super::settle::EndReason;
use super::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::task::deadlines::Due;

impl<H: Host> Table<H> {
    /// Does all that is due.
    pub fn advance<S: AnswerStore>(&mut self, turn: &mut TableContext<'_, H, S>) {
        while let Some((at, due)) = self.deadlines.pop(turn.now.moment()) {
            match due {
                Due::Fetch(id) => {
                    let Some(fetch) = self.fetches.get_mut(id) else { continue };
                    fetch.deadline = None;
                    if fetch.open > 0 {
                        self.counts.fetch_timeouts += 1;
                        self.end_fetch(id, EndReason::Timeout, turn);
                    }
                }
                Due::Attempt(id) => self.attempt_due(id, turn),
                Due::Retry(id) => self.requeue(id, RetryStart::Paused, turn.now.moment()),
                Due::Linger => self.linger = None,
                // `conclude` forms what may be formed now, and waits anew if that is nothing.
                Due::Rate => {
                    if self.queue.len() == 0 {
                        self.rate_wait = None;
                    }
                }
                Due::Drain => {
                    if matches!(self.life, Acceptance::Draining(until) if until <= at) {
                        self.end_all(turn);
                    }
                }
            }
        }
        self.conclude(turn);
    }
}
