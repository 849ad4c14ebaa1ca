//! Threads that several caches and engines share, across the ABI.

use super::constants::kvl_status_t;
use super::guard::{Caller, guard, outside};
use super::handle::{Handle, HasGeneration};
use super::types::kvl_runtime_t;
use crate::base::Status;
use crate::base::process::Generation;
use crate::runtime::threads::STACK_BYTES;
use crate::runtime::{NoThread, Runtime};
use std::sync::Arc;

/// The target of a runtime handle. Configurations and engines hold the runtime itself. It may end while a configuration, or an engine that
/// has ended, still holds it.
pub(crate) struct RuntimeHandle {
    generation: Generation,
    runtime: Arc<Runtime>,
}

impl RuntimeHandle {
    /// A reference to the runtime.
    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        Arc::clone(&self.runtime)
    }
}

impl HasGeneration for RuntimeHandle {
    fn generation(&self) -> Generation {
        self.generation
    }
}

impl Handle for kvl_runtime_t {
    type Owner = Box<RuntimeHandle>;
}

/// Starts threads that several caches and engines can share: one for timers and one for callbacks; threads for providers are started on
/// demand.
///
/// Without a runtime, each engine has its own threads, and so has each cache from its first finite TTL on.
///
/// @param out_runtime [out, owned] the runtime: free it after everything that uses it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_THREAD, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_runtime_new(out_runtime: *mut *mut kvl_runtime_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_runtime)?;
        let runtime = Runtime::start(STACK_BYTES).map_err(|NoThread| Status::ERR_NO_THREAD)?;
        Ok(out.give(Box::new(RuntimeHandle { generation: Generation::now(), runtime }), Status::OK))
    })
}

/// Ends a runtime and its threads, after everything that was sent to them has been delivered.
///
/// After that, creating a cache or an engine from a configuration that still names the runtime fails with KVL_ERR_INVALID_HANDLE.
///
/// @param runtime [owned] from kvl_runtime_new(); NULL is ignored.
/// @return KVL_OK; KVL_ERR_BUSY (a cache or an engine still uses it: release or free it first; the runtime continues), KVL_ERR_REENTRANT,
///         KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads outside
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_runtime_free(runtime: *mut kvl_runtime_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        if runtime.is_null() {
            return Ok(Status::OK);
        }
        let shared = caller.borrow(runtime)?.runtime();
        outside()?;
        if !shared.end_if_unused() {
            return Err(Status::ERR_BUSY);
        }
        shared.stop();
        caller.end(runtime);
        Ok(Status::OK)
    })
}
