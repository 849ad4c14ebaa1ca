//! The host's functions: adapts each callback type of a configuration to the trait that the engine calls.

use super::config::ConfigParts;
use super::l2::L2RequestHandle;
use super::notify::Notify;
use super::request::RequestHandle;
use super::types::{
    kvl_cost_fn, kvl_l2_fn, kvl_l2_request_t, kvl_provide_fn, kvl_record_fn, kvl_removal_fn, kvl_request_t, kvl_validate_fn,
};
use super::value::start_of;
use super::view;
use crate::base::{Answer, Clock, Status, Value};
use crate::cache::Departure;
use crate::engine::Plan;
use crate::engine::host::{CostFunction, Hooks, Provider, RecordListener, RemovalListener, SecondTierStore, Validator};
use crate::engine::request::Ticket;
use crate::engine::second_tier::TierTicket;
use crate::task::second_tier::TierAbilities;
use std::ffi::c_void;
use std::sync::Arc;

impl Provider for Notify<kvl_provide_fn> {
    fn provide(&self, ticket: Ticket) {
        let request = RequestHandle::new(ticket);
        let handle = Arc::as_ptr(&request).cast_mut().cast::<kvl_request_t>();
        // SAFETY: the host passed the function for this user data; the request stays valid until it returns.
        self.call(|function, user_data| function.into_iter().for_each(|provide| unsafe { provide(user_data, handle) }));
    }

    fn is_callable(&self) -> bool {
        self.function().is_some()
    }

    fn user_data(&self) -> *mut c_void {
        Notify::user_data(self)
    }
}

/// The function of a second tier, with what it can do.
struct SecondTierHook(Arc<(Notify<kvl_l2_fn>, TierAbilities)>);

impl SecondTierStore for SecondTierHook {
    fn serve(&self, ticket: TierTicket) {
        let request = L2RequestHandle::new(ticket);
        let handle = Arc::as_ptr(&request).cast_mut().cast::<kvl_l2_request_t>();
        // SAFETY: the host passed the function for this user data; the request stays valid until it returns.
        self.0.0.call(|function, user_data| function.into_iter().for_each(|serve| unsafe { serve(user_data, handle) }));
    }

    fn is_callable(&self) -> bool {
        self.0.0.function().is_some()
    }

    fn user_data(&self) -> *mut c_void {
        self.0.0.user_data()
    }
}

impl Validator for Notify<kvl_validate_fn> {
    fn is_valid(&self, key: &[u8]) -> bool {
        self.call_within(|function, user_data| {
            // SAFETY: the host passed the function for this user data; the key stays valid until it returns.
            function.is_none_or(|validate| unsafe { validate(user_data, start_of(key), key.len()) } != 0)
        })
    }
}

impl CostFunction for Notify<kvl_cost_fn> {
    fn cost(&self, key: &[u8], value: &Value) -> u64 {
        let handle = value.as_raw().as_ptr().cast();
        self.call_within(|function, user_data| match function {
            // SAFETY: the host passed the function for this user data; key and value stay valid until it returns.
            Some(cost) => unsafe { cost(user_data, start_of(key), key.len(), handle) },
            None => Answer::cost(&Answer::Value(value.clone())),
        })
    }
}

impl RemovalListener for Notify<kvl_removal_fn> {
    fn removed(&self, departure: &Departure) {
        let entry = view::of_departure(departure);
        let cause = departure.cause as u32;
        // SAFETY: the host passed the function for this user data; the entry stays valid until it returns.
        self.call(|function, user_data| function.into_iter().for_each(|removed| unsafe { removed(user_data, &entry, cause) }));
    }

    fn is_callable(&self) -> bool {
        self.function().is_some()
    }

    fn user_data(&self) -> *mut c_void {
        Notify::user_data(self)
    }
}

impl RecordListener for Notify<kvl_record_fn> {
    fn looked_up(&self, record: Status, key: &[u8]) {
        self.call_within(|function, user_data| {
            // SAFETY: the host passed the function for this user data; the key stays valid until it returns.
            function.into_iter().for_each(|listen| unsafe { listen(user_data, record.0, start_of(key), key.len()) });
        });
    }
}

impl ConfigParts {
    /// The arguments from which a cache or an engine is created.
    pub(crate) fn into_plan(self) -> Plan {
        let ConfigParts { draft, provider, validator, cost, removal, record, second_tier, clock, runtime, routes } = self;
        let hooks = Hooks {
            provider: provider.map(|hook| hook as Arc<dyn Provider>),
            validator: validator.map(|hook| hook as Arc<dyn Validator>),
            cost: cost.map(|hook| hook as Arc<dyn CostFunction>),
            removal: removal.map(|hook| hook as Arc<dyn RemovalListener>),
            record: record.map(|hook| hook as Arc<dyn RecordListener>),
            second_tier: second_tier.map(|hook| {
                let abilities = hook.1;
                (Arc::new(SecondTierHook(hook)) as Arc<dyn SecondTierStore>, abilities)
            }),
        };
        Plan { settings: draft.settings().clone(), hooks, clock: clock.map(Clock::Manual), runtime, routes }
    }
}
