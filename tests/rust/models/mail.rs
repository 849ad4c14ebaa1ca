//! Waiting for mail: no wake is lost, and the flag that event loops look at is up while mail waits, and only then.

use super::explore;
use kvlight::runtime::delivery::{Deliverable, DeliveryResult, PullResult};
use kvlight::runtime::delivery_queue::DeliveryQueue;
use kvlight::runtime::host_queue::{HostQueue, ReadError};
use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

struct Letter;

/// Mail that calls nobody.
struct Silent;

impl Deliverable for Silent {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        DeliveryResult::all(0)
    }
    fn pull(self: Arc<Self>) -> PullResult {
        PullResult::nothing()
    }
}

impl Deliverable for Letter {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        DeliveryResult::all(1)
    }
    fn pull(self: Arc<Self>) -> PullResult {
        PullResult { event: Some(Box::new(1_u8)), more: false }
    }
}

/// Who waits for mail gets it, whenever it was sent; else the model would find everybody asleep.
#[test]
fn l02_a_reader_that_waits_hears_of_every_letter() {
    explore("a reader that waits", 3, || {
        let post = Arc::new(DeliveryQueue::new());
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let post = post.clone();
                loom::thread::spawn(move || post.send(Arc::new(Letter)))
            })
            .collect();
        for _ in 0..2 {
            assert!(post.take(None).is_some());
        }
        senders.into_iter().for_each(|sender| sender.join().expect("it ends"));
        assert!(post.is_empty());
    });
}

/// A wake is not lost when it comes just before the reader waits.
#[test]
fn l02_a_wake_ends_the_wait_that_it_meets_or_the_next() {
    explore("a wake", 3, || {
        let post = Arc::new(DeliveryQueue::new());
        let waker = {
            let post = post.clone();
            loom::thread::spawn(move || post.wake())
        };
        assert!(post.take(None).is_none());
        waker.join().expect("it ends");
    });
}

/// The flag says what is so when all is quiet, however senders and reader met.
#[test]
fn l02_the_flag_is_up_while_mail_waits_and_only_then() {
    explore("the flag", 3, || {
        let queue = Arc::new(HostQueue::new(false));
        assert!(!queue.is_raised());
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                loom::thread::spawn(move || queue.send(Arc::new(Letter)))
            })
            .collect();
        let mut read = 0;
        for _ in 0..2 {
            match queue.next(Some(std::time::Duration::ZERO)) {
                Ok(_) => read += 1,
                Err(unread) => assert_eq!(unread, ReadError::Empty),
            }
        }
        senders.into_iter().for_each(|sender| sender.join().expect("it ends"));
        assert_eq!(queue.is_raised(), read < 2, "{read} of 2 were read");
        while queue.next(Some(std::time::Duration::ZERO)).is_ok() {
            read += 1;
        }
        assert_eq!(read, 2);
        assert!(!queue.is_raised());
    });
}

/// Its descriptor, to be read as an event loop does.
fn descriptor_of(queue: &HostQueue) -> File {
    let fd = queue.descriptor().expect("a descriptor");
    // SAFETY: the queue, whose descriptor it is, lives here.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned().expect("a descriptor");
    File::from(fd)
}

/// An event loop that reads the descriptor and then drains the queue misses nothing: what came while it drained raises the flag
/// anew, though its reading had lowered what it sees.
#[test]
fn l02_a_host_that_reads_the_descriptor_hears_of_every_letter() {
    explore("a descriptor that is read", 3, || {
        let queue = Arc::new(HostQueue::new(false));
        let mut descriptor = descriptor_of(&queue);
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                loom::thread::spawn(move || queue.send(Arc::new(Letter)))
            })
            .collect();
        let mut read = 0;
        let mut turn = || {
            let was_readable = descriptor.read(&mut [0; 8]).is_ok();
            while was_readable && queue.next(Some(std::time::Duration::ZERO)).is_ok() {
                read += 1;
            }
            was_readable
        };
        turn();
        senders.into_iter().for_each(|sender| sender.join().expect("it ends"));
        while turn() {}
        assert_eq!(read, 2);
    });
}

/// The same for one that has its functions called: also if what it drains calls none, and something else comes just then.
#[test]
fn l02_a_host_that_polls_when_told_misses_nothing() {
    explore("a descriptor that is read, and a queue that is polled", 3, || {
        let queue = Arc::new(HostQueue::new(false));
        let mut descriptor = descriptor_of(&queue);
        queue.send(Arc::new(Silent));
        let sender = {
            let queue = queue.clone();
            loom::thread::spawn(move || queue.send(Arc::new(Letter)))
        };
        let mut called = 0;
        let mut turn = || {
            let was_readable = descriptor.read(&mut [0; 8]).is_ok();
            while was_readable && let Ok(count) = queue.poll(8, Some(std::time::Duration::ZERO)) {
                called += count;
            }
            was_readable
        };
        turn();
        sender.join().expect("it ends");
        while turn() {}
        assert_eq!(called, 1);
    });
}
