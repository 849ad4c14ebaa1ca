//! Waiting for deliveries: no wake-up is lost, and the flag for event loops is raised exactly while deliveries are pending.

use super::explore;
use kvlight::runtime::delivery::{Deliverable, DeliveryResult, PullResult};
use kvlight::runtime::delivery_queue::DeliveryQueue;
use kvlight::runtime::host_queue::{HostQueue, ReadError};
use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// A delivery that calls one function, and is one event for a host that reads.
struct CountedDelivery;

/// A delivery that calls no function.
struct SilentDelivery;

impl Deliverable for SilentDelivery {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        DeliveryResult::all(0)
    }
    fn pull(self: Arc<Self>) -> PullResult {
        PullResult::nothing()
    }
}

impl Deliverable for CountedDelivery {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        DeliveryResult::all(1)
    }
    fn pull(self: Arc<Self>) -> PullResult {
        PullResult { event: Some(Box::new(1_u8)), more: false }
    }
}

/// If a delivery were lost, the reader would wait for ever, and loom would report a deadlock.
#[test]
fn l02_a_waiting_reader_receives_every_delivery() {
    explore("a reader that waits", 3, || {
        let queue = Arc::new(DeliveryQueue::new());
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                loom::thread::spawn(move || queue.send(Arc::new(CountedDelivery)))
            })
            .collect();
        for _ in 0..2 {
            assert!(queue.take(None).is_some());
        }
        senders.into_iter().for_each(|sender| sender.join().expect("the thread ends"));
        assert!(queue.is_empty());
    });
}

/// A wake-up is not lost if it comes just before the reader waits.
#[test]
fn l02_a_wake_up_ends_the_present_wait_or_the_next() {
    explore("a wake", 3, || {
        let queue = Arc::new(DeliveryQueue::new());
        let waker = {
            let queue = queue.clone();
            loom::thread::spawn(move || queue.wake())
        };
        assert!(queue.take(None).is_none());
        waker.join().expect("the thread ends");
    });
}

/// Once all threads are done, the flag is right, however senders and reader were interleaved.
#[test]
fn l02_the_flag_is_raised_exactly_while_deliveries_are_pending() {
    explore("the flag", 3, || {
        let queue = Arc::new(HostQueue::new(false));
        assert!(!queue.is_raised());
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                loom::thread::spawn(move || queue.send(Arc::new(CountedDelivery)))
            })
            .collect();
        let mut read = 0;
        for _ in 0..2 {
            match queue.next(Some(std::time::Duration::ZERO)) {
                Ok(_) => read += 1,
                Err(unread) => assert_eq!(unread, ReadError::Empty),
            }
        }
        senders.into_iter().for_each(|sender| sender.join().expect("the thread ends"));
        assert_eq!(queue.is_raised(), read < 2, "{read} of 2 were read");
        while queue.next(Some(std::time::Duration::ZERO)).is_ok() {
            read += 1;
        }
        assert_eq!(read, 2);
        assert!(!queue.is_raised());
    });
}

/// The queue's descriptor, to be read as an event loop does.
fn descriptor_of(queue: &HostQueue) -> File {
    let fd = queue.descriptor().expect("a descriptor");
    // SAFETY: the queue, which owns the descriptor, is borrowed here.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned().expect("a descriptor");
    File::from(fd)
}

/// An event loop that reads the descriptor and then drains the queue misses nothing: a delivery that arrives while it drains raises the
/// flag again, although reading has made the descriptor unreadable.
#[test]
fn l02_a_host_that_reads_the_descriptor_receives_every_delivery() {
    explore("a descriptor that is read", 3, || {
        let queue = Arc::new(HostQueue::new(false));
        let mut descriptor = descriptor_of(&queue);
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                loom::thread::spawn(move || queue.send(Arc::new(CountedDelivery)))
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
        senders.into_iter().for_each(|sender| sender.join().expect("the thread ends"));
        while turn() {}
        assert_eq!(read, 2);
    });
}

/// A host that polls instead of reading misses nothing either, even if the first delivery calls no function and another one arrives
/// meanwhile.
#[test]
fn l02_a_host_that_polls_when_the_descriptor_is_readable_misses_nothing() {
    explore("a descriptor that is read, and a queue that is polled", 3, || {
        let queue = Arc::new(HostQueue::new(false));
        let mut descriptor = descriptor_of(&queue);
        queue.send(Arc::new(SilentDelivery));
        let sender = {
            let queue = queue.clone();
            loom::thread::spawn(move || queue.send(Arc::new(CountedDelivery)))
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
        sender.join().expect("the thread ends");
        while turn() {}
        assert_eq!(called, 1);
    });
}
