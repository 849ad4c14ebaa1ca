//! What the tests of the typed interface share: a small executor, and engines whose requests the test answers.

use kvlight::{Builder, CacheKey, LoadRequest, Tasks};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Polls a future once, and returns whether it is still pending. [`block_on`] waits for it later.
pub fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// A builder with a provider that passes its requests on to the test.
pub fn by_hand<K: CacheKey, V: Send + Sync + 'static>() -> (Builder<K, V>, mpsc::Receiver<LoadRequest<K, V>>) {
    let (send, requests) = mpsc::channel();
    let send = Mutex::new(send);
    let provide = move |request| send.lock().expect("no panic").send(request).expect("the test listens");
    (Tasks::builder().provider(provide), requests)
}
