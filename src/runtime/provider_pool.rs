//! Threads for the provider. They are started when a job finds none idle, kept for a while without work, and joined when the runtime ends.
//!
//! ```text
//!   run ── a thread is idle ──▶ it takes the job
//!    └──── none is idle ──▶ a new thread ── refused by the system, others are running ──▶ the job waits for one of those
//!                                  └── refused, and no other is running ──▶ Job::refused
//! ```

use super::{NoThread, threads};
use crate::base::panics::catch_panic;
use crate::base::process::must_not_wait;
use crate::base::sync::{Condvar, Mutex, MutexGuard, wait, wait_timeout};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A job for a provider thread.
pub trait Job: Send {
    /// Runs the job.
    fn run(self: Box<Self>);
    /// Called instead of [`Job::run`] if the system refused a thread for the job, or the pool has ended.
    fn refused(self: Box<Self>);
}

/// Whether there is a thread for each job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Staffing {
    /// There is a thread for each job, or the job was refused.
    Fully,
    /// The system refused a thread: a job waits for one that is busy.
    Short,
}

/// The pool, with a group of threads for each size of stack.
pub(super) struct Pool {
    keep_alive: Duration,
    /// One group for each requested stack size; there are few.
    groups: Mutex<Vec<Arc<StackGroup>>>,
}

/// The threads with stacks of one size.
struct StackGroup {
    stack_bytes: usize,
    keep_alive: Duration,
    state: Mutex<GroupState>,
    /// Signalled when there is a job, or the pool ends.
    work: Condvar,
    /// Signalled each time that a thread has been started or refused.
    start_ended: Condvar,
}

#[derive(Default)]
struct GroupState {
    jobs: VecDeque<Box<dyn Job>>,
    /// The number of threads that wait for a job, including those that were woken for one and have not taken it yet.
    idle: usize,
    /// The number of threads that take jobs, including those that are being started.
    alive: usize,
    /// The number of threads that are being started and are not in `handles` yet.
    starting: usize,
    /// By the number of the thread.
    handles: HashMap<u64, JoinHandle<()>>,
    /// The number of the thread that was started last.
    started: u64,
    /// The last thread that ended. The next one to end joins it.
    left: Option<JoinHandle<()>>,
    ended: bool,
}

impl Pool {
    pub(super) fn new(keep_alive: Duration) -> Pool {
        Pool { keep_alive, groups: Mutex::default() }
    }

    /// Runs `job` on a thread with a stack of `stack_bytes`. Never waits for a thread.
    pub(super) fn run(&self, stack_bytes: usize, job: Box<dyn Job>) -> Staffing {
        self.group(stack_bytes).run(job)
    }

    /// Tries again to start threads for waiting jobs.
    pub(super) fn reinforce(&self) -> Staffing {
        let groups = self.groups.lock().clone();
        let short = groups.iter().filter(|group| group.assign() == Staffing::Short).count();
        if short > 0 { Staffing::Short } else { Staffing::Fully }
    }

    fn group(&self, stack_bytes: usize) -> Arc<StackGroup> {
        let mut groups = self.groups.lock();
        if let Some(group) = groups.iter().find(|group| group.stack_bytes == stack_bytes) {
            return group.clone();
        }
        let group = Arc::new(StackGroup::new(stack_bytes, self.keep_alive));
        groups.push(group.clone());
        group
    }

    /// Ends the threads once all jobs are done. Waits for that, unless this thread must not wait.
    pub(super) fn stop(&self) {
        let groups = self.groups.lock().clone();
        groups.iter().for_each(|group| group.stop());
    }
}

impl StackGroup {
    fn new(stack_bytes: usize, keep_alive: Duration) -> StackGroup {
        let (work, start_ended) = (Condvar::new(), Condvar::new());
        StackGroup { stack_bytes, keep_alive, state: Mutex::default(), work, start_ended }
    }

    fn run(self: &Arc<StackGroup>, job: Box<dyn Job>) -> Staffing {
        {
            let mut state = self.state.lock();
            if state.ended {
                drop(state);
                job.refused();
                return Staffing::Fully;
            }
            state.jobs.push_back(job);
        }
        self.assign()
    }

    /// Makes sure that there is a thread for each job.
    fn assign(self: &Arc<StackGroup>) -> Staffing {
        let id = {
            let mut state = self.state.lock();
            if state.jobs.len() <= state.idle {
                drop(state);
                self.work.notify_one();
                return Staffing::Fully;
            }
            state.alive += 1;
            state.starting += 1;
            state.started += 1;
            state.started
        };
        let group = self.clone();
        let started = threads::start("kvl-provider", self.stack_bytes, move || group.work(id));
        let mut state = self.state.lock();
        state.starting -= 1;
        self.start_ended.notify_all();
        let Err(NoThread) = started.map(|thread| drop(state.handles.insert(id, thread))) else { return Staffing::Fully };
        state.alive -= 1;
        if state.alive > 0 {
            return if state.jobs.is_empty() { Staffing::Fully } else { Staffing::Short };
        }
        // There is no thread that would ever take the waiting jobs.
        let refused = std::mem::take(&mut state.jobs);
        drop(state);
        refused.into_iter().for_each(|job| job.refused());
        Staffing::Fully
    }

    /// The body of a thread of the pool: runs jobs.
    fn work(&self, id: u64) {
        while let Some(job) = self.next() {
            // A panic was handled where it happened, and must not end the thread.
            let _ = catch_panic(|| job.run());
        }
        let mut state = self.state.lock();
        let own = state.handles.remove(&id);
        let before = std::mem::replace(&mut state.left, own);
        drop(state);
        // The thread that ended before this one has removed its own handle too, so it is gone or about to return.
        before.into_iter().for_each(|thread| drop(thread.join()));
    }

    /// Takes the next job. Returns `None` if none arrives within the keep-alive time, or if the pool ends; the thread then no longer counts
    /// as alive.
    fn next(&self) -> Option<Box<dyn Job>> {
        let until = Instant::now() + self.keep_alive;
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                state.alive -= 1;
                return None;
            }
            state = self.wait(state, left);
        }
    }

    fn wait<'a>(&'a self, mut state: MutexGuard<'a, GroupState>, at_most: Duration) -> MutexGuard<'a, GroupState> {
        state.idle += 1;
        let mut state = wait_timeout(&self.work, state, at_most);
        state.idle -= 1;
        state
    }

    fn stop(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        self.work.notify_all();
        if must_not_wait() {
            return;
        }
        while state.starting > 0 {
            state = wait(&self.start_ended, state);
        }
        let mut threads: Vec<_> = state.handles.drain().map(|(_, thread)| thread).collect();
        threads.extend(state.left.take());
        drop(state);
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }
}
