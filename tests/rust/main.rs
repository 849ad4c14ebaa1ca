//! The tests of the library in one program, with one module for each subject. The other test programs in this folder need a process or a
//! build of their own, or are run by name (`header`, `docs`, `proof`, `tidy`, `manual`).

// A table of test cases may have a complex type, which an alias would not make clearer.
#![allow(clippy::type_complexity)]

mod boundary;
mod boundary_cache;
mod browser;
mod c;
mod cache_labels;
mod cache_model;
mod cache_policy;
mod cache_rules;
mod cache_stale;
mod cache_walk;
mod cpp;
mod demo;
mod engine_fetch;
mod engine_fixture;
mod engine_invalidate;
mod engine_lifecycle;
mod engine_listeners;
mod engine_removals;
mod engine_routes;
mod engine_saved;
mod engine_steps;
mod engine_writes;
mod flat;
mod hits;
mod library;
mod metrics;
mod outage;
mod scarce;
mod scenarios;
mod second_tier;
mod second_tier_entry;
mod second_tier_example;
mod second_tier_model;
mod task;
mod typed;
mod typed_faults;
mod typed_fixture;
mod typed_second_tier;
mod withdrawn;
