//! Fetches as futures. They work with any executor: the library's dispatcher thread wakes the task that waits.

use super::error::FetchError;
use super::fetched::Fetched;
use super::in_process::InProcess;
use super::options::{CallOptions, FetchProgress, ProgressReport};
use super::tasks::FetchResult;
use super::value::shared;
use crate::base::Status;
use crate::base::process::{Generation, HasGeneration};
use crate::base::sync::Mutex;
use crate::engine::Core;
use crate::engine::call_settings::CallSettings;
use crate::engine::fetch::{FetchAnswer, FetchCall};
use crate::engine::fetch_handle::FetchHandle;
use crate::engine::host::{Receiver, Results};
use crate::task::{Form, Outcome, Verdict};
use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

pub(super) fn of_outcome<V: Send + Sync + 'static>(outcome: Outcome) -> FetchResult<V> {
    match outcome.verdict {
        Verdict::Value(value) => Ok(Some(shared(&value))),
        Verdict::Stale(stale) => Ok(stale.answer.value().map(shared)),
        Verdict::Null | Verdict::Miss => Ok(None),
        Verdict::InvalidKey => Err(FetchError::of(Status::INVALID_KEY)),
        Verdict::Failed(error) => Err(FetchError::new(error)),
    }
}

/// A fetch of one key. It starts when it is first polled. Dropping it before it is ready cancels it, but no other fetch of the key.
#[must_use = "a future does nothing unless it is polled"]
pub struct FetchFuture<V> {
    call: InProcess<PendingCall>,
    value: PhantomData<fn() -> V>,
}

/// A fetch of several keys, which returns a result for each key, in the order of the call. It starts and is cancelled like [`FetchFuture`].
#[must_use = "a future does nothing unless it is polled"]
pub struct BatchFuture<V> {
    call: InProcess<PendingCall>,
    value: PhantomData<fn() -> V>,
}

/// A [`FetchFuture`] whose result has its details.
#[must_use = "a future does nothing unless it is polled"]
pub struct DetailedFetch<V>(FetchFuture<V>);

/// A [`BatchFuture`] whose results have their details.
#[must_use = "a future does nothing unless it is polled"]
pub struct DetailedBatch<V>(BatchFuture<V>);

impl<V> FetchFuture<V> {
    pub(super) fn new(core: Arc<Core>, key: Vec<u8>, options: CheckedOptions) -> FetchFuture<V> {
        FetchFuture { call: PendingCall::new(core, Form::Each, vec![key], options), value: PhantomData }
    }

    /// The same fetch, whose result also says where the value came from, how old it is, and whether it is stale.
    pub fn detailed(mut self) -> DetailedFetch<V> {
        // Only a fetch of many keys gets the age of values that the call itself finds.
        if let Ok(call) = self.call.get_mut()
            && let CallStage::New(_) = call.stage
        {
            call.form = Form::All;
        }
        DetailedFetch(self)
    }
}

impl<V> BatchFuture<V> {
    pub(super) fn new(core: Arc<Core>, keys: Vec<Vec<u8>>, options: CheckedOptions) -> BatchFuture<V> {
        BatchFuture { call: PendingCall::new(core, Form::All, keys, options), value: PhantomData }
    }

    /// The same fetch, whose results also say where the values came from, how old they are, and whether they are stale.
    pub fn detailed(self) -> DetailedBatch<V> {
        DetailedBatch(self)
    }
}

impl<V: Send + Sync + 'static> Future for FetchFuture<V> {
    type Output = FetchResult<V>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<FetchResult<V>> {
        self.get_mut().call.poll_one(context).map(|outcome| of_outcome(outcome?))
    }
}

impl<V: Send + Sync + 'static> Future for DetailedFetch<V> {
    type Output = Result<Fetched<V>, FetchError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.call.poll_one(context).map(|outcome| Fetched::new(outcome?))
    }
}

impl<V: Send + Sync + 'static> Future for BatchFuture<V> {
    type Output = Result<Vec<FetchResult<V>>, FetchError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().call.poll_all(context).map_ok(|outcomes| outcomes.into_iter().map(of_outcome).collect())
    }
}

impl<V: Send + Sync + 'static> Future for DetailedBatch<V> {
    type Output = Result<Vec<Result<Fetched<V>, FetchError>>, FetchError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.call.poll_all(context).map_ok(|outcomes| outcomes.into_iter().map(Fetched::new).collect())
    }
}

/// The outcome of a fetch of one key, whether it was made as [`Form::Each`] or [`Form::All`].
pub(super) fn only_outcome(answer: FetchAnswer) -> Outcome {
    match answer {
        FetchAnswer::Now(outcome) => outcome,
        FetchAnswer::Ready(mut results) => results.batch.outcomes.pop().expect("a fetch of one key has one outcome"),
        FetchAnswer::Pending => unreachable!("the fetch has ended"),
    }
}

/// The options of a call; an error if they were refused.
pub(super) type CheckedOptions = Result<CallOptions, FetchError>;

/// One call of the engine, from its creation until its answer is taken.
struct PendingCall {
    core: Arc<Core>,
    form: Form,
    keys: Vec<Vec<u8>>,
    stage: CallStage,
}

enum CallStage {
    /// The future was never polled.
    New(CheckedOptions),
    /// The answer will be put into the slot.
    Running { handle: Arc<FetchHandle>, slot: Arc<Mutex<AnswerSlot>> },
    /// The answer was taken.
    Over,
}

/// Holds the answer until the task polls.
#[derive(Default)]
struct AnswerSlot {
    answer: Option<FetchAnswer>,
    waker: Option<Waker>,
}

impl PendingCall {
    fn new(core: Arc<Core>, form: Form, keys: Vec<Vec<u8>>, options: CheckedOptions) -> InProcess<PendingCall> {
        InProcess::new(PendingCall { core, form, keys, stage: CallStage::New(options) })
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<FetchAnswer, FetchError>> {
        let polled = self.poll_stage(context);
        if polled.is_pending() && self.core.delivers_here() && !IS_WAKING.get() {
            // A caller that polls here usually blocks until the answer is there, but only this thread can deliver it (rule F21).
            self.cancel();
            self.stage = CallStage::Over;
            let sentence =
                "the future would wait for the thread that it blocks: await it in a task and not inside a callback of its engine";
            return Poll::Ready(Err(FetchError::with_text(Status::ERR_REENTRANT, sentence)));
        }
        polled
    }

    fn poll_stage(&mut self, context: &mut Context<'_>) -> Poll<Result<FetchAnswer, FetchError>> {
        match &mut self.stage {
            CallStage::New(options) => match std::mem::replace(options, Ok(CallOptions::default())) {
                Ok(options) => self.start(options, context),
                Err(refused) => {
                    self.stage = CallStage::Over;
                    Poll::Ready(Err(refused))
                }
            },
            CallStage::Running { slot, .. } => {
                let mut held = slot.lock();
                let Some(answer) = held.answer.take() else {
                    // Usually the same task polls again, and its waker is already here.
                    if !held.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                        let before = held.waker.replace(context.waker().clone());
                        drop(held);
                        // The executor's code must run with no lock held.
                        drop(before);
                    }
                    return Poll::Pending;
                };
                drop(held);
                self.stage = CallStage::Over;
                Poll::Ready(Ok(answer))
            }
            CallStage::Over => panic!("a future was polled after it was ready"),
        }
    }

    fn start(&mut self, options: CallOptions, context: &mut Context<'_>) -> Poll<Result<FetchAnswer, FetchError>> {
        let handle = Arc::new(FetchHandle::new());
        let slot = Arc::new(Mutex::new(AnswerSlot { answer: None, waker: Some(context.waker().clone()) }));
        let CallOptions { settings, progress } = options;
        let call = FetchCall {
            form: self.form,
            settings: settings.map_or_else(|| self.core.fetch_settings().into(), CallSettings::from),
            progress_step: progress.as_ref().map_or(0, |progress| progress.step),
            handle: Some(&handle),
            at_once: true,
        };
        let receiver = || Box::new(SlotReceiver { slot: slot.clone(), progress }) as Box<dyn Receiver>;
        let answer = self.core.fetch(self.keys.iter().map(Vec::as_slice), &call, receiver);
        match answer {
            Ok(FetchAnswer::Pending) => {
                self.stage = CallStage::Running { handle, slot };
                Poll::Pending
            }
            at_once => {
                self.stage = CallStage::Over;
                Poll::Ready(at_once.map_err(FetchError::of))
            }
        }
    }
}

impl PendingCall {
    fn cancel(&self) {
        if let CallStage::Running { handle, .. } = &self.stage {
            handle.cancel();
        }
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl HasGeneration for PendingCall {
    #[inline]
    fn generation(&self) -> Generation {
        self.core.generation()
    }
}

impl InProcess<PendingCall> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<FetchAnswer, FetchError>> {
        match self.get_mut() {
            Ok(call) => call.poll(context),
            Err(forked) => Poll::Ready(Err(FetchError::of(forked))),
        }
    }

    /// Polls a call for one key.
    fn poll_one(&mut self, context: &mut Context<'_>) -> Poll<Result<Outcome, FetchError>> {
        self.poll(context).map_ok(only_outcome)
    }

    /// Polls a call for many keys.
    fn poll_all(&mut self, context: &mut Context<'_>) -> Poll<Result<Vec<Outcome>, FetchError>> {
        self.poll(context).map_ok(|answer| match answer {
            FetchAnswer::Ready(results) => results.batch.outcomes,
            FetchAnswer::Now(_) | FetchAnswer::Pending => unreachable!("a fetch of many keys is answered with its results"),
        })
    }
}

thread_local! {
    /// Whether this thread wakes a task. An executor may poll the task inside that call; then it does not block, and may be left pending.
    static IS_WAKING: Cell<bool> = const { Cell::new(false) };
}

/// Wakes a task.
fn wake(waker: Waker) {
    /// Restores the mark from before the call.
    struct WakeGuard(bool);
    impl Drop for WakeGuard {
        fn drop(&mut self) {
            IS_WAKING.set(self.0);
        }
    }
    let _mark = WakeGuard(IS_WAKING.replace(true));
    waker.wake();
}

struct SlotReceiver {
    slot: Arc<Mutex<AnswerSlot>>,
    progress: Option<ProgressReport>,
}

impl SlotReceiver {
    fn put(&self, answer: FetchAnswer) {
        let waker = {
            let mut slot = self.slot.lock();
            slot.answer = Some(answer);
            slot.waker.take()
        };
        waker.into_iter().for_each(wake);
    }
}

impl Receiver for SlotReceiver {
    fn result(&mut self, _index: usize, _key: &[u8], outcome: &Outcome, _last: bool) {
        self.put(FetchAnswer::Now(outcome.clone()));
    }

    fn batch(&mut self, results: Results) {
        self.put(FetchAnswer::Ready(results));
    }

    fn progress(&mut self, done: usize, failed: usize, total: usize) {
        if let Some(progress) = &self.progress {
            (progress.function)(FetchProgress { done, failed, total });
        }
    }
}
