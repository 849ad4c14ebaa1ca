//! Which thread calls the provider next. A call may block, so each has a thread; but one whose call has come back takes what waits
//! before it goes, or loads that follow upon each other at once would start threads faster than those before them end.

use super::NoThread;
use super::timer::Timer;
use crate::base::sync::Mutex;
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

/// One call of the provider, and what comes after it. It says to its worker when the call itself is over.
pub type Job = Box<dyn FnOnce(&Worker<'_>) + Send>;

/// The jobs that wait for a thread, for a moment each.
#[derive(Default)]
pub(super) struct Providers(Mutex<Held>);

#[derive(Default)]
struct Held {
    jobs: VecDeque<(u64, Job)>,
    /// How many threads will look for a job without waiting for the host before.
    coming: usize,
    sent: u64,
}

/// A thread at a job.
pub struct Worker<'a> {
    providers: &'a Providers,
    is_coming: Cell<bool>,
}

impl Worker<'_> {
    /// The host's function has returned: this thread waits for nobody any more.
    pub fn call_is_over(&self) {
        if !self.is_coming.replace(true) {
            self.providers.0.lock().coming += 1;
        }
    }
}

impl Providers {
    pub fn run(self: &Arc<Self>, job: Job, timer: &Timer) -> Result<(), NoThread> {
        let number = {
            let mut held = self.0.lock();
            held.sent += 1;
            let number = held.sent;
            held.jobs.push_back((number, job));
            if held.jobs.len() <= held.coming {
                return Ok(());
            }
            held.coming += 1;
            number
        };
        let me = self.clone();
        timer.run(Box::new(move || me.work())).or_else(|NoThread| self.take_back(number).map_or(Ok(()), |_| Err(NoThread)))
    }

    /// No thread could be had for this job. `None` if another one has taken it meanwhile.
    fn take_back(&self, number: u64) -> Option<Job> {
        let mut held = self.0.lock();
        held.coming -= 1;
        let at = held.jobs.iter().position(|(waiting, _)| *waiting == number)?;
        held.jobs.remove(at).map(|(_, job)| job)
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            let worker = Worker { providers: self, is_coming: Cell::new(false) };
            job(&worker);
            worker.call_is_over();
        }
    }

    fn next(&self) -> Option<Job> {
        let mut held = self.0.lock();
        held.coming -= 1;
        held.jobs.pop_front().map(|(_, job)| job)
    }

    /// Lets go of what no thread will take any more.
    pub fn clear(&self) {
        let jobs = std::mem::take(&mut self.0.lock().jobs);
        drop(jobs);
    }
}
