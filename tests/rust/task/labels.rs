//! What the table does with tagged answers, and with answers that say that the value has not changed (rules R06, R11).

use super::harness::{Harness, Summary, bytes, tagged, value};
use kvlight::base::{Answer, Status, StoreTerms};
use kvlight::task::ProviderAnswer;

impl Harness {
    fn answer_tagged(&mut self, nth: usize, key: &str, text: &str, tags: &[&str]) -> Status {
        self.give(nth, key, ProviderAnswer::Answer(bytes(text), tagged(tags)))
    }
}

#[test]
fn r11_a_load_that_began_before_a_tag_was_removed_is_not_stored_if_its_answer_carries_the_tag() {
    let mut harness = Harness::new();
    let waiters = [harness.fetch("tagged"), harness.fetch("other"), harness.fetch("plain")];
    harness.remove_tag("a");
    harness.answer_tagged(0, "tagged", "old", &["b", "a"]);
    harness.answer_tagged(1, "other", "v", &["b"]);
    harness.answer(2, "plain", "v");
    assert_eq!(waiters.map(|waiter| waiter.outcome()), [value("old"), value("v"), value("v")], "every waiter gets its answer");
    assert_eq!(["tagged", "other", "plain"].map(|key| harness.lookup(key)), [Summary::Miss, value("v"), value("v")]);
}

#[test]
fn r11_a_load_that_begins_after_a_tag_was_removed_is_stored() {
    let mut harness = Harness::with(|settings| (settings.tasks.max_running, settings.tasks.batch_max_keys) = (1, 1));
    harness.fetch("busy");
    let queued = harness.fetch("k");
    harness.remove_tag("a");
    harness.answer_tagged(0, "busy", "old", &["a"]);
    harness.finish(0);
    harness.answer_tagged(1, "k", "new", &["a"]);
    harness.finish(1);
    assert_eq!((queued.outcome(), harness.lookup("k"), harness.lookup("busy")), (value("new"), value("new"), Summary::Miss));
    // While no request is with the provider, the table does not remember removed tags.
    harness.remove_tag("a");
    harness.fetch("later");
    harness.answer_tagged(2, "later", "v", &["a"]);
    assert_eq!(harness.lookup("later"), value("v"));
}

#[test]
fn r11_f10_late_unwanted_and_extra_answers_with_a_removed_tag_are_not_stored() {
    let mut harness = Harness::with(|settings| settings.fetch.attempt_timeout = Some(super::harness::ms(10)));
    harness.fetch("late");
    harness.advance(10);
    let unwanted = harness.fetch("unwanted");
    harness.cancel(&unwanted);
    harness.remove_tag("a");
    assert_eq!(harness.answer_tagged(0, "late", "old", &["a"]), Status::LATE);
    assert_eq!(harness.answer_tagged(1, "unwanted", "old", &["a"]), Status::LATE);
    harness.fetch("k");
    harness.remove_tag("a");
    let id = harness.requests[2].id;
    let extra = |harness: &mut Harness, key: &str, tags: &[&str]| {
        let terms = tagged(tags);
        harness.step(|table, cx| table.extra(id, key.as_bytes(), bytes("v"), terms, cx))
    };
    assert_eq!([extra(&mut harness, "x", &["a"]), extra(&mut harness, "y", &["b"])], [Status::LATE, Status::OK]);
    let stored = ["late", "unwanted", "x", "y"].map(|key| harness.store.has(key));
    assert_eq!(stored, [false, false, false, true]);
}

#[test]
fn r06_f08_an_unmodified_answer_is_not_stored_over_a_write() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("k");
    harness.put("k", "newer");
    let unchanged = StoreTerms { renews: true, ..StoreTerms::default() };
    harness.give(0, "k", ProviderAnswer::Answer(bytes("older"), unchanged.clone()));
    assert_eq!((waiter.outcome(), harness.lookup("k")), (value("older"), value("newer")));
    harness.refresh("k");
    harness.give(1, "k", ProviderAnswer::Answer(Answer::Null, unchanged));
    assert_eq!(harness.lookup("k"), Summary::Null, "the store decides whether the value is the same");
}
