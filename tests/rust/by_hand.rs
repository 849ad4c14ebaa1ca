//! Checks code and pages that repeat parts of the interface by hand, such as the causes of removal: a new cause must be added to each such
//! place, or to the list of what that place leaves out. No other test would notice, since each place has a default for what it does not know.

use super::generated::api::Api;
use super::generated::camel_case;
use super::generated::compare::here;
use super::languages::{LANGUAGES, Language};
use super::projects::{self, PROJECTS};
use kvlight::cache::Cause;
use kvlight::task::breaker::BreakerState;
use kvlight::task::{Cancel, Source};
use std::fs;

/// The closed sets of constants, by the prefix of their names. A constant belongs to the set with the longest matching prefix.
const SETS: &[&str] =
    &["BREAKER", "BREAKER_FORCE", "CANCEL", "CAUSE", "COUNT", "ERROR_F", "EVENT", "KIND", "L2", "L2_F", "L2_TTL", "PUT_F", "SOURCE"];

/// The other constants: single ones, and sets that no place repeats. A name stands for itself and for all that begin with it and `_`.
const NO_SETS: &[&str] = &[
    "CLOSE",
    "COST_DEFAULT",
    "ENTRY_COST",
    "F",
    "FOREVER",
    "INVALIDATE_F",
    "KEY_MAX",
    "LABEL_MAX",
    "PRIORITY_DEFAULT",
    "QUEUE_F",
    "QUEUE_NEW",
    "STALE_NEVER",
    "TAGS_MAX",
    "TTL",
    "URGENCY_BACKGROUND",
];

/// How a place writes a member.
#[derive(Clone, Copy)]
enum Spelling {
    /// By the name of the constant.
    Constant,
    /// As a text, such as "half_open" or "half open" for BREAKER_HALF_OPEN.
    Word,
}

use Spelling::{Constant, Word};

/// A set, the files that together name its members, how they spell them, and the members that they leave out.
type Place = (&'static str, &'static [&'static str], Spelling, &'static [&'static str]);

const PLACES: &[Place] = &[
    // The events that a package reads from its queue. It leaves out events that it never asks for, or that its native part handles.
    ("EVENT", &["bindings/csharp/src/Engine.cs"], Constant, &[]),
    ("EVENT", &["bindings/go/pump.go", "bindings/go/shim.h"], Constant, &["PROGRESS", "REMOVAL", "CLOSED"]),
    ("EVENT", &["bindings/java/src/kvlight/Engine.java"], Constant, &[]),
    ("EVENT", &["bindings/lua/kvlight/tasks.lua"], Constant, &["PROGRESS", "CANCEL", "REMOVAL"]),
    ("EVENT", &["bindings/node/src/tasks.cjs"], Constant, &["PROGRESS", "DROP", "REMOVAL", "CLOSED"]),
    ("EVENT", &["bindings/node/native/events.c"], Constant, &["PROGRESS", "CANCEL", "REMOVAL", "CLOSED"]),
    ("EVENT", &["bindings/php/src/Tasks.php"], Constant, &["PROGRESS", "CANCEL", "REMOVAL"]),
    ("EVENT", &["bindings/python/native/engine.c"], Constant, &["DROP", "REMOVAL"]),
    ("EVENT", &["bindings/ruby/lib/kvlight/tasks.rb", "bindings/ruby/lib/kvlight/engine.rb"], Constant, &["PROGRESS", "CANCEL", "REMOVAL"]),
    ("EVENT", &["tests/programs/fuzz/machine.c"], Constant, &["DROP", "L2"]),
    ("EVENT", &["tests/programs/soak/reader.c"], Constant, &["CANCEL", "DROP", "L2"]),
    ("EVENT", &["tests/programs/scenarios/c/host.c"], Constant, &["PROGRESS", "CANCEL", "REMOVAL", "L2"]),
    ("SOURCE", &["bindings/go/native.go"], Constant, &[]),
    ("KIND", &["src/ffi/value.rs"], Constant, &[]),
    ("KIND", &["tests/programs/c/value.c"], Constant, &[]),
    ("COUNT", &["bindings/swift/Sources/KVLight/BatchOutcome.swift"], Constant, &["FROM_L2"]),
    ("CANCEL", &["tests/programs/fuzz/machine.c"], Constant, &[]),
    // The requests for a second tier, and what a second tier can do.
    ("L2", &["bindings/csharp/src/TierRequest.cs"], Constant, &[]),
    ("L2", &["bindings/go/tier.go"], Constant, &[]),
    ("L2", &["bindings/java/src/kvlight/TierRequest.java"], Constant, &[]),
    ("L2", &["bindings/lua/kvlight/second_tier.lua"], Constant, &[]),
    ("L2", &["bindings/node/src/tier.cjs"], Constant, &[]),
    ("L2", &["bindings/php/src/TierRequest.php"], Constant, &[]),
    ("L2", &["bindings/ruby/lib/kvlight/second_tier.rb"], Constant, &[]),
    ("L2", &["bindings/swift/Sources/KVLight/SecondTier.swift"], Constant, &[]),
    ("L2", &["include/kvlight.hpp"], Constant, &[]),
    ("L2_F", &["bindings/csharp/src/Engine.cs"], Constant, &[]),
    ("L2_F", &["bindings/go/tier.go"], Constant, &[]),
    ("L2_F", &["bindings/java/src/kvlight/TierRequest.java"], Constant, &[]),
    ("L2_F", &["bindings/lua/kvlight/second_tier.lua"], Constant, &[]),
    ("L2_F", &["bindings/node/src/tier.cjs"], Constant, &[]),
    ("L2_F", &["bindings/php/src/Tasks.php"], Constant, &[]),
    ("L2_F", &["bindings/ruby/lib/kvlight/second_tier.rb"], Constant, &[]),
    ("L2_F", &["bindings/swift/Sources/KVLight/SecondTier.swift"], Constant, &[]),
    ("L2_F", &["include/kvlight.hpp"], Constant, &[]),
    // What an error of a provider says, and the conditions of a put.
    ("ERROR_F", &["bindings/csharp/src/Engine.cs"], Constant, &[]),
    ("ERROR_F", &["bindings/go/request.go"], Constant, &[]),
    ("ERROR_F", &["bindings/java/src/kvlight/Engine.java"], Constant, &[]),
    ("ERROR_F", &["bindings/lua/kvlight/tasks.lua"], Constant, &[]),
    ("ERROR_F", &["bindings/node/src/errors.cjs"], Constant, &[]),
    ("ERROR_F", &["bindings/php/src/Tasks.php"], Constant, &[]),
    ("ERROR_F", &["bindings/python/native/module.c"], Constant, &[]),
    ("ERROR_F", &["bindings/ruby/lib/kvlight/tasks.rb"], Constant, &[]),
    ("ERROR_F", &["bindings/swift/Sources/KVLight/Core/Failure.swift"], Constant, &[]),
    ("ERROR_F", &["include/kvlight.hpp"], Constant, &[]),
    ("PUT_F", &["bindings/csharp/src/Terms.cs"], Constant, &[]),
    ("PUT_F", &["bindings/go/kvlight.go"], Constant, &[]),
    ("PUT_F", &["bindings/java/src/kvlight/Terms.java"], Constant, &[]),
    ("PUT_F", &["bindings/lua/kvlight/library.lua"], Constant, &[]),
    ("PUT_F", &["bindings/node/src/store.cjs"], Constant, &[]),
    ("PUT_F", &["bindings/php/src/Library.php"], Constant, &[]),
    ("PUT_F", &["bindings/python/native/store.c"], Constant, &[]),
    ("PUT_F", &["bindings/ruby/lib/kvlight/settings.rb"], Constant, &[]),
    (
        "PUT_F",
        &["bindings/swift/Sources/KVLight/Core/CacheHandle.swift", "bindings/swift/Sources/KVLight/MemoryCache.swift"],
        Constant,
        &["KEEP_TTL"],
    ),
    ("PUT_F", &["include/kvlight.hpp"], Constant, &[]),
    // The states of the circuit breaker, and what it can be forced to.
    ("BREAKER", &["bindings/csharp/src/Tasks.cs"], Constant, &[]),
    ("BREAKER", &["bindings/go/kvlight.go"], Constant, &[]),
    ("BREAKER", &["bindings/java/src/kvlight/BreakerState.java"], Constant, &["CLOSED"]),
    ("BREAKER", &["bindings/lua/kvlight/tasks.lua"], Constant, &[]),
    ("BREAKER", &["bindings/node/src/tasks.cjs"], Constant, &[]),
    ("BREAKER", &["bindings/node/types/index.d.ts"], Word, &[]),
    ("BREAKER", &["bindings/php/src/Tasks.php"], Constant, &[]),
    ("BREAKER", &["bindings/python/src/kvlight/_tasks.py"], Word, &[]),
    ("BREAKER", &["bindings/ruby/lib/kvlight/tasks.rb"], Constant, &[]),
    ("BREAKER", &["docs/OUTAGES.md"], Word, &[]),
    ("BREAKER", &["examples/dashboard/index.html"], Word, &[]),
    ("BREAKER_FORCE", &["bindings/csharp/src/Tasks.cs"], Constant, &[]),
    ("BREAKER_FORCE", &["bindings/go/kvlight.go"], Constant, &[]),
    ("BREAKER_FORCE", &["bindings/java/src/kvlight/Tasks.java"], Constant, &[]),
    ("BREAKER_FORCE", &["bindings/lua/kvlight/tasks.lua"], Constant, &[]),
    ("BREAKER_FORCE", &["bindings/node/src/tasks.cjs"], Constant, &[]),
    ("BREAKER_FORCE", &["bindings/node/types/index.d.ts"], Word, &[]),
    ("BREAKER_FORCE", &["bindings/php/src/Tasks.php"], Constant, &[]),
    ("BREAKER_FORCE", &["bindings/python/src/kvlight/_tasks.py"], Word, &[]),
    ("BREAKER_FORCE", &["bindings/ruby/lib/kvlight/tasks.rb"], Constant, &[]),
];

/// Constants and the cases for them.
type Renamed = &'static [(&'static str, &'static str)];

/// Swift's enums with the numbers of a set: the file, the enum, the set, and the cases whose names differ from the constants' ("nil" for a
/// constant without a case).
const SWIFT_ENUMS: &[(&str, &str, &str, Renamed)] = &[
    ("BatchOutcome.swift", "OutcomeSource", "SOURCE", &[("L2", "secondTier")]),
    ("CacheRecord.swift", "RemovalCause", "CAUSE", &[]),
    ("KVLightRequest.swift", "Cancellation", "CANCEL", &[("NO", "nil")]),
    ("Protection.swift", "State", "BREAKER", &[]),
    ("Protection.swift", "ForcedState", "BREAKER_FORCE", &[("NONE", "nil")]),
];

/// The fields of kvl_result_t that identify the key and give the answer. Each package reads those that it needs.
const KEY_AND_ANSWER: &[&str] = &["struct_size", "index", "key", "key_len", "value", "data", "data_len", "object", "error", "status"];

/// The files that show the other fields of a result to a program: what stands before a field's name there, and the fields that are left
/// out.
const RESULTS: &[(&str, &str, &[&str])] = &[
    ("bindings/csharp/src/Results.cs", "Result.", &["cost"]),
    ("bindings/go/pump.go", "r.", &["cost"]),
    ("bindings/java/src/kvlight/Outcome.java", "Result.", &["cost"]),
    ("bindings/lua/kvlight/tasks.lua", "result.", &["cost"]),
    ("bindings/node/native/events.c", "result->", &["cost"]),
    ("bindings/php/src/Tasks.php", "$result->", &["cost"]),
    ("bindings/python/native/waiter.c", "result->", &["cost"]),
    ("bindings/ruby/lib/kvlight/tasks.rb", "result.", &["cost"]),
    ("bindings/swift/Sources/KVLight/BatchOutcome.swift", "result.", &[]),
    ("include/kvlight.hpp", "is_->", &[]),
    ("src/typed/fetched.rs", "outcome.", &["cost", "flags"]),
];

/// The errors that no interface tells apart by hand: they are mistakes of a binding, a lack of the system's means, or faults.
const OTHER_ERRORS: &[&str] = &[
    "ERR_NULL_POINTER",
    "ERR_INVALID_HANDLE",
    "ERR_WRONG_KIND",
    "ERR_ALREADY_USED",
    "ERR_NO_PROVIDER",
    "ERR_NO_CALLBACK",
    "ERR_BUSY",
    "ERR_NO_MEMORY",
    "ERR_NO_THREAD",
    "ERR_NO_FD",
    "ERR_PANIC",
];

/// The files of each interface that tells errors apart by hand, and the errors that it leaves out besides. The other packages have every
/// status in a generated table.
const ERRORS: &[(&[&str], &[&str])] = &[
    (
        &["src/typed/error.rs"],
        &[
            "ERR_INVALID_ARG",
            "ERR_OUT_OF_RANGE",
            "ERR_ALREADY_ANSWERED",
            "ERR_UNSUPPORTED",
            "ERR_IO",
            "ERR_CORRUPT",
            "ERR_TRUNCATED",
            "ERR_FILE_VERSION",
        ],
    ),
    (&["bindings/go/native.go"], &["ERR_REENTRANT"]),
    (&["bindings/python/src/kvlight/_errors.py"], &["ERR_OUT_OF_RANGE", "ERR_ALREADY_ANSWERED", "ERR_UNSUPPORTED", "ERR_REENTRANT"]),
    (
        &[
            "bindings/swift/Sources/KVLight/KVLightError.swift",
            "bindings/swift/Sources/KVLight/Core/Failure.swift",
            "bindings/swift/Sources/KVLight/MemoryCache+Entries.swift",
        ],
        &["ERR_UNKNOWN_KEY", "ERR_BAD_VALUE", "ERR_OUT_OF_RANGE", "ERR_ALREADY_ANSWERED", "ERR_UNSUPPORTED", "ERR_FORKED", "ERR_REENTRANT"],
    ),
];

/// Programs that accept every number up to the last member of a set. They must name the last one.
const UP_TO_THE_LAST: &[(&str, &[&str])] = &[
    ("CAUSE", &["tests/programs/c/cache.c", "tests/programs/fuzz/machine.c", "tests/programs/soak/entry.c"]),
    ("PUT_F", &["tests/programs/fuzz/machine.c"]),
];

/// The settings that Swift's types leave out: a program in Swift cannot state them.
const NOT_IN_SWIFT: &[&str] = &[
    "removals.max_pending",
    "tasks.stack_bytes",
    "queue.ageing_ms",
    "provider.idempotent",
    "l2.batch_keys",
    "l2.max_requests",
    "l2.max_asking",
    "l2.max_value",
    "l2.pending_keys",
    "l2.pending_bytes",
    "l2.break_after",
    "l2.break_ms",
    "l2.break_cap_ms",
    "load.on_timeout",
    "load.on_cancel",
    "urgency",
];

/// The settings that the fuzzer does not choose.
const NOT_IN_FUZZER: &[&str] = &[
    "cache.timer",
    "cache.hash",
    "cache.error_capacity",
    "removals.max_pending",
    "tasks.limit",
    "tasks.min_running",
    "tasks.stack_bytes",
    "queue.ageing_ms",
    "rate.requests_per_s",
    "rate.burst",
    "breaker.failure_ratio",
    "breaker.window_ms",
    "breaker.min_requests",
    "breaker.consecutive",
    "breaker.open_ms",
    "breaker.probes",
    "hedge.after_ms",
    "hedge.percentile",
    "hedge.max_ratio",
    "provider.idempotent",
    "refresh.after",
    "refresh.after_ms",
    "refresh.retry_ms",
    "refresh.jitter",
    "stale.ttl_ms",
    "stale.retry_ms",
    "stale.timeout_ms",
    "l2.timeout_ms",
    "l2.write_timeout_ms",
    "l2.single_flight",
    "l2.wait_ms",
    "l2.ttl_ms",
    "l2.local_ttl_ms",
    "l2.batch_keys",
    "l2.max_requests",
    "l2.max_asking",
    "l2.max_value",
    "l2.pending_keys",
    "l2.pending_bytes",
    "l2.break_after",
    "l2.break_ms",
    "l2.break_cap_ms",
    "load.on_timeout",
    "load.on_cancel",
    "urgency",
];

/// The functions of handles that no test calls in the child of a fork: those of a second tier's requests, since no test forks while a program has
/// one, and one that only Windows has.
const NOT_FORKED: &[&str] = &[
    "kvl_l2_request_entry",
    "kvl_l2_request_fail",
    "kvl_l2_request_finish",
    "kvl_l2_request_hit",
    "kvl_l2_request_hit_object",
    "kvl_l2_request_leased",
    "kvl_l2_request_miss",
    "kvl_l2_request_payload",
    "kvl_l2_request_refused",
    "kvl_l2_request_set_payload",
    "kvl_l2_request_value",
    "kvl_queue_handle",
];

/// The functions that no program of tests/programs/fuzz calls.
const CALLED_BY_NO_FUZZER: &[&str] = &[
    // Requests of a second tier, which the fuzzer's engines do not have.
    "kvl_l2_request_fail",
    "kvl_l2_request_hit_object",
    "kvl_l2_request_keys",
    "kvl_l2_request_leased",
    "kvl_l2_request_len",
    "kvl_l2_request_miss",
    "kvl_l2_request_payload",
    "kvl_l2_request_refused",
    "kvl_l2_request_release",
    "kvl_l2_request_retain",
    "kvl_l2_request_set_payload",
    "kvl_l2_request_steals",
    "kvl_l2_request_value",
    "kvl_tasks_l2_sync",
    // Tags, iteration, files: cache_labels.rs, cache_walk.rs and engine_saved.rs of tests/rust try them.
    "kvl_cache_expire_tag",
    "kvl_cache_load",
    "kvl_cache_load_decoded",
    "kvl_cache_remove_tag",
    "kvl_cache_save",
    "kvl_cache_save_encoded",
    "kvl_iterator_free",
    "kvl_iterator_new",
    "kvl_iterator_next",
    // Waiting, descriptors and the wake function: the fuzzer reads its queue itself, without waiting.
    "kvl_fetch_wait",
    "kvl_queue_fd",
    "kvl_queue_handle",
    "kvl_queue_set_wake",
    "kvl_tasks_fetch_all_wait",
    // The breaker, conditional loads, functions of the program, and ends that the fuzzer's engines do not use.
    "kvl_config_set_cost",
    "kvl_config_set_record_listener",
    "kvl_queue_dispose",
    "kvl_request_not_modified",
    "kvl_request_stale",
    "kvl_runtime_free",
    "kvl_tasks_breaker_force",
    "kvl_tasks_breaker_state",
    "kvl_tasks_dispose",
    // Other forms of calls that it makes, and further references.
    "kvl_cache_contains",
    "kvl_cache_expire",
    "kvl_cache_expire_all",
    "kvl_cache_retain",
    "kvl_cache_stats",
    "kvl_cache_stats_json",
    "kvl_cache_stats_openmetrics",
    "kvl_cache_stats_reset",
    "kvl_error_new",
    "kvl_error_retain",
    "kvl_error_set_retry_after",
    "kvl_fetch_retain",
    "kvl_reader_done",
    "kvl_request_resolve_object",
    "kvl_request_supply_bytes",
    "kvl_results_retain",
    "kvl_value_new_extern",
    "kvl_value_new_space",
    "kvl_value_retain",
    // Functions that only return information.
    "kvl_cache_capacity",
    "kvl_cache_cost_limit",
    "kvl_clock_now_ms",
    "kvl_error_cause",
    "kvl_error_code",
    "kvl_error_is_permanent",
    "kvl_error_object",
    "kvl_error_retry_after_ms",
    "kvl_request_context",
    "kvl_request_key",
    "kvl_request_urgency",
    "kvl_request_user_data",
    "kvl_results_count_status",
    "kvl_results_error_at",
    "kvl_slices_unpack",
    "kvl_status_at",
    "kvl_status_count",
    "kvl_status_is_retriable",
    "kvl_status_message",
    "kvl_value_cost",
    "kvl_value_kind",
    "kvl_value_object",
    "kvl_version_number",
    "kvl_version_string",
];

fn text_of(path: &str) -> String {
    fs::read_to_string(here().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The members of a set, without its prefix, and their numbers.
fn members(api: &Api, set: &str) -> Vec<(String, i64)> {
    let of = |name: &str| {
        SETS.iter().filter(|set| name.strip_prefix(**set).is_some_and(|rest| rest.starts_with('_'))).max_by_key(|set| set.len())
    };
    let constants = api.constants().filter(|constant| of(constant.name()) == Some(&set));
    constants.map(|constant| (constant.name()[set.len() + 1..].to_owned(), constant.number("value"))).collect()
}

/// Whether a text has a name as a whole word; `KVL_` may precede it.
fn names(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].strip_suffix("KVL_").unwrap_or(&text[..at]);
        !before.ends_with(is_part) && !text[at + name.len()..].starts_with(is_part)
    })
}

#[test]
fn each_constant_is_in_a_set_or_in_none() {
    let is_of = |name: &str, set: &str| name.strip_prefix(set).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    let known = |name: &str| SETS.iter().chain(NO_SETS).any(|set| is_of(name, set));
    let api = Api::read();
    let new: Vec<&str> = api.constants().map(|constant| constant.name()).filter(|name| !known(name)).collect();
    assert!(new.is_empty(), "SETS or NO_SETS should have {new:?}");
    let is_used = |set: &&&str| api.constants().any(|constant| is_of(constant.name(), set));
    assert!(SETS.iter().chain(NO_SETS).all(|set| is_used(&set)), "each of them exists");
}

#[test]
fn each_place_written_by_hand_has_every_member_of_its_set_that_it_does_not_leave_out() {
    let (api, mut wrong) = (Api::read(), Vec::new());
    for (set, files, spelling, left_out) in PLACES {
        let texts: Vec<String> = files.iter().map(|path| text_of(path)).collect();
        let members = members(&api, set);
        assert!(!members.is_empty(), "{set} is a set");
        for (member, _) in members.iter().filter(|(member, number)| *number != 0 || !["NO", "NONE"].contains(&&**member)) {
            let has = |text: &String| match spelling {
                Constant => names(text, &format!("{set}_{member}")),
                Word => {
                    let (word, quotes) = (member.to_lowercase(), ["\"", "'"]);
                    let spelled = [word.replace('_', " "), word];
                    spelled.iter().any(|word| quotes.iter().any(|quote| text.contains(&format!("{quote}{word}{quote}"))))
                }
            };
            match (texts.iter().any(has), left_out.contains(&&**member)) {
                (false, false) => wrong.push(format!("{}: there is no KVL_{set}_{member}", files.join(", "))),
                (true, true) => wrong.push(format!("{}: KVL_{set}_{member} is not left out any more", files.join(", "))),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "places written by hand that differ from their set:\n  {}", wrong.join("\n  "));
}

#[test]
fn each_enum_of_swift_has_the_cases_and_numbers_of_its_set() {
    let api = Api::read();
    for (file, name, set, renamed) in SWIFT_ENUMS {
        let text = text_of(&format!("bindings/swift/Sources/KVLight/{file}"));
        let (_, rest) = text.split_once(&format!("enum {name}: UInt32")).unwrap_or_else(|| panic!("{file} has the enum {name}"));
        let body = rest.split_once("}\n").map_or(rest, |(body, _)| body);
        let (mut cases, mut next) = (Vec::new(), 0);
        for case in body.lines().filter_map(|line| line.trim().strip_prefix("case ")) {
            let (case, number) = case.split_once(" = ").map_or((case, None), |(case, number)| (case, number.parse().ok()));
            next = number.unwrap_or(next);
            cases.push((case.to_owned(), next));
            next += 1;
        }
        let case_of = |member: &str| match renamed.iter().find(|(constant, _)| *constant == member) {
            Some((_, case)) => (*case).to_owned(),
            None => camel_case(&member.to_lowercase()),
        };
        let members = members(&api, set).into_iter().map(|(member, number)| (case_of(&member), number));
        let wanted: Vec<(String, i64)> = members.filter(|(case, _)| case != "nil").collect();
        assert_eq!(cases, wanted, "{file}: {name} has the members of KVL_{set}_*");
    }
}

#[test]
fn each_interface_shows_every_field_of_a_result_that_it_does_not_leave_out() {
    let (api, mut wrong) = (Api::read(), Vec::new());
    let result = api.structs().find(|one| one.name() == "kvl_result_t").expect("the struct exists");
    let fields: Vec<&str> = result.list("fields").map(|field| field.name()).filter(|name| !KEY_AND_ANSWER.contains(name)).collect();
    assert!(fields.len() > 4, "the fields were read: {fields:?}");
    for (path, before, left_out) in RESULTS {
        let text = text_of(path);
        for field in &fields {
            // In Java and C# constants say where the fields are.
            let spelled = if *before == "Result." { field.to_uppercase() } else { (*field).to_owned() };
            match (names(&text, &format!("{before}{spelled}")), left_out.contains(field)) {
                (false, false) => wrong.push(format!("{path}: {before}{spelled} is not read")),
                (true, true) => wrong.push(format!("{path}: {field} is not left out any more")),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "places written by hand that differ from kvl_result_t:\n  {}", wrong.join("\n  "));
}

/// The packages over the C interface are the rows of `languages.rs` whose sources are in `bindings`. Swift's package has callbacks instead of events,
/// and a benchmark of its own.
#[test]
fn each_package_is_in_every_list_of_packages() {
    let (architecture, hosts) = (text_of("ARCHITECTURE.md"), text_of("tests/tiers/hosts/run"));
    let (_, chapter) = architecture.split_once("\n### Changes of a package\n").expect("ARCHITECTURE.md has a chapter on packages");
    let mut rows = Vec::new();
    for line in chapter.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|')) {
        rows.push(line.split(['`', '/']).nth(1).unwrap_or_default().to_owned());
    }
    let is_package = |language: &&Language| language.sources.0.iter().any(|path| path.starts_with("bindings/"));
    let mut packages: Vec<&str> = LANGUAGES.iter().filter(is_package).map(|language| language.folder).collect();
    rows.sort_unstable();
    packages.sort_unstable();
    assert_eq!(rows, packages, "ARCHITECTURE.md, the table of packages");
    for folder in packages {
        let below = format!("bindings/{folder}/");
        let has_events = PLACES.iter().any(|(set, files, ..)| *set == "EVENT" && files.iter().any(|path| path.starts_with(&below)));
        assert!(has_events || folder == "swift", "PLACES has the events that {folder} reads");
        assert!(RESULTS.iter().any(|(path, ..)| path.starts_with(&below)), "RESULTS has the file of {folder}");
        let all = hosts.lines().find(|line| line.starts_with("all=(")).expect("tests/tiers/hosts/run lists its languages");
        assert!(names(all, folder), "tests/tiers/hosts/run runs {folder}");
        if projects::are_there() {
            let is_compared = text_of("bench/hosts/run").contains(&format!("\n{folder}() {{\n"));
            assert!(is_compared || folder == "swift", "bench/hosts/run compares {folder}");
            let has_worker = text_of("tests/tiers/redis/languages.py").contains(&format!("\n    \"{folder}\": ("));
            assert!(has_worker, "LANGUAGES of tests/tiers/redis/languages.py has {folder}");
        }
    }
}

#[test]
fn each_program_that_compares_with_the_last_of_a_set_names_the_last() {
    let api = Api::read();
    for (set, files) in UP_TO_THE_LAST {
        let (last, _) = members(&api, set).into_iter().max_by_key(|(_, number)| *number).expect("a set has members");
        for path in *files {
            assert!(names(&text_of(path), &format!("{set}_{last}")), "{path}: KVL_{set}_{last} is the last of its set");
        }
    }
}

#[test]
fn the_constants_of_a_set_have_the_numbers_of_its_enum() {
    let api = Api::read();
    let numbers = |set: &str| members(&api, set).into_iter().filter(|(name, _)| name != "NO").map(|(_, number)| number).collect::<Vec<_>>();
    assert_eq!(numbers("SOURCE"), Source::ALL.map(|source| source as i64), "KVL_SOURCE_* of src/ffi/constants.rs");
    assert_eq!(numbers("CAUSE"), Cause::ALL.map(|cause| cause as i64), "KVL_CAUSE_* of src/ffi/constants.rs");
    assert_eq!(numbers("CANCEL"), Cancel::ALL.map(|reason| reason as i64), "KVL_CANCEL_* of src/ffi/constants.rs");
    assert_eq!(numbers("BREAKER"), BreakerState::ALL.map(|state| state as i64), "KVL_BREAKER_* of src/ffi/constants.rs");
}

#[test]
fn every_cause_of_removal_has_its_two_statistics_and_is_counted_by_the_soak() {
    let (api, soak) = (Api::read(), text_of("tests/programs/soak/entry.c"));
    for (cause, _) in members(&api, "CAUSE") {
        for name in ["removed_", "removed_cost_"].map(|start| start.to_owned() + &cause.to_lowercase()) {
            assert!(api.statistics().any(|row| row.name() == name), "src/base/statistics_table.rs has a row {name}");
        }
        let name = format!("removed_{}", cause.to_lowercase());
        assert!(names(&soak, &name), "tests/programs/soak/entry.c: the count of the removals lacks {name}");
    }
}

/// A load that ends without an answer has a status from -300 to -399. Each place below has a default for a status that it does not name, so no
/// other test would notice a missing one.
#[test]
fn every_status_of_a_load_is_told_apart() {
    let api = Api::read();
    let others: &[&[&str]] = &[&["src/ffi/tasks.rs"], &["tests/programs/soak/ticket.c"], &["docs/CONCEPTS.md"]];
    let places: Vec<&[&str]> = ERRORS.iter().map(|(files, _)| *files).chain(others.iter().copied()).collect();
    for status in api.statuses().filter(|status| (-399..=-300).contains(&status.number("value"))) {
        for files in &places {
            assert!(
                files.iter().any(|path| names(&text_of(path), status.name())),
                "{}: there is no KVL_{}",
                files.join(", "),
                status.name()
            );
        }
    }
}

#[test]
fn each_interface_tells_every_error_apart_that_it_does_not_leave_out() {
    let (api, mut wrong) = (Api::read(), Vec::new());
    let errors: Vec<&str> = api.statuses().filter(|status| status.number("value") < 0).map(|status| status.name()).collect();
    for (files, left_out) in ERRORS {
        let texts: Vec<String> = files.iter().map(|path| text_of(path)).collect();
        for error in &errors {
            let is_there = texts.iter().any(|text| names(text, error));
            let is_left_out = OTHER_ERRORS.iter().chain(*left_out).any(|name| name == error);
            if is_there == is_left_out {
                wrong.push(format!("{}: KVL_{error} is there {is_there}, left out {is_left_out}", files.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "errors that are told apart by hand:\n  {}", wrong.join("\n  "));
    let mut left_out = OTHER_ERRORS.iter().chain(ERRORS.iter().flat_map(|(_, left_out)| *left_out));
    assert!(left_out.all(|name| errors.contains(name)), "what is left out exists");
}

/// Both programs compare the sum with the number of misses.
#[test]
fn every_fate_of_a_miss_is_summed_where_misses_are_checked() {
    let api = Api::read();
    for name in api.statistics().map(|row| row.name()).filter(|name| name.starts_with("misses_")) {
        for path in ["tests/programs/soak/entry.c", "tests/programs/fuzz/stats.c"] {
            assert!(names(&text_of(path), name), "{path}: the sum of the misses lacks {name}");
        }
    }
}

#[test]
fn every_end_of_a_load_is_summed_where_loads_are_checked() {
    let (api, path) = (Api::read(), "tests/programs/soak/entry.c");
    let ends = api.statistics().filter(|row| row.text("openmetrics") == "kvlight_loads_ended_total");
    let ends: Vec<&str> = ends.map(|row| row.name()).collect();
    assert!(ends.len() > 3, "the ends were read: {ends:?}");
    for name in ends {
        assert!(names(&text_of(path), name), "{path}: the sum of the loads that ended lacks {name}");
    }
}

#[test]
fn every_eviction_policy_is_where_policies_are_chosen_or_explained() {
    let api = Api::read();
    let setting = api.settings().find(|setting| setting.name() == "cache.policy").expect("the setting exists");
    let (default, words) = (setting.text("default"), setting.words("words"));
    let places = [
        ("tests/programs/soak/entry.c", Some(default)),
        ("bench/driver/store.c", None), // not in the published crate
        ("README.md", None),
        ("docs/CONCEPTS.md", None),
        ("docs/TUNING.md", None),
    ];
    for (path, left_out) in places {
        if path.starts_with("bench/") && !projects::are_there() {
            continue;
        }
        // In prose the word `s3fifo` is S3-FIFO.
        let text = text_of(path).to_lowercase().replace("s3-fifo", "s3fifo");
        for word in words.iter().filter(|word| Some(**word) != left_out) {
            assert!(names(&text, word), "{path}: there is no policy {word}");
        }
    }
}

#[test]
fn swift_has_every_setting_and_word_that_it_does_not_leave_out() {
    let mut text = String::new();
    for file in fs::read_dir(here().join("bindings/swift/Sources/KVLight")).expect("the folder can be listed") {
        let path = file.expect("the folder can be listed").path();
        if path.extension().is_some_and(|extension| extension == "swift") {
            text.push_str(&fs::read_to_string(path).expect("sources are UTF-8"));
        }
    }
    let api = Api::read();
    for setting in api.settings() {
        let (is_there, is_left_out) = (text.contains(&format!("\"{}\"", setting.name())), NOT_IN_SWIFT.contains(&setting.name()));
        assert!(is_there != is_left_out, "{}: in a type of Swift {is_there}, left out {is_left_out}", setting.name());
        if setting.text("type") == "word" && !is_left_out {
            for word in setting.words("words") {
                let mut cases = text.lines().map(str::trim).filter(|line| line.starts_with("case "));
                let is_there = text.contains(&format!("\"{word}\"")) || cases.any(|line| names(line, &camel_case(word)));
                assert!(is_there, "the types of Swift for {} lack {word}", setting.name());
            }
        }
    }
    assert!(NOT_IN_SWIFT.iter().all(|name| api.settings().any(|setting| setting.name() == *name)), "what is left out exists");
}

/// The fuzzer need not name the default of a setting whose values are words.
#[test]
fn the_fuzzer_chooses_every_setting_that_it_does_not_leave_out_and_every_word() {
    let (api, machine) = (Api::read(), text_of("tests/programs/fuzz/machine.c"));
    let quoted = |text: &str| machine.contains(&format!("\"{text}\""));
    for setting in api.settings() {
        let is_left_out = NOT_IN_FUZZER.contains(&setting.name());
        assert!(quoted(setting.name()) != is_left_out, "tests/programs/fuzz/machine.c: {}, left out: {is_left_out}", setting.name());
    }
    assert!(NOT_IN_FUZZER.iter().all(|name| api.settings().any(|setting| setting.name() == *name)), "what is left out exists");
    for setting in api.settings().filter(|setting| setting.text("type") == "word" && quoted(setting.name())) {
        for word in setting.words("words").into_iter().filter(|word| *word != setting.text("default")) {
            assert!(quoted(word), "tests/programs/fuzz/machine.c chooses {} from words without {word}", setting.name());
        }
    }
}

#[test]
fn the_fuzzer_calls_each_function_that_it_does_not_leave_out() {
    let (api, mut text, mut wrong) = (Api::read(), String::new(), Vec::new());
    for file in fs::read_dir(here().join("tests/programs/fuzz")).expect("the folder can be listed") {
        let path = file.expect("the folder can be listed").path();
        if path.extension().is_some_and(|extension| extension == "c") {
            text.push_str(&fs::read_to_string(path).expect("sources are UTF-8"));
        }
    }
    for name in api.functions().map(|function| function.name()) {
        let (is_called, is_left_out) = (text.contains(&format!("{name}(")), CALLED_BY_NO_FUZZER.contains(&name));
        if is_called == is_left_out {
            wrong.push(format!("{name}: called {is_called}, left out {is_left_out}"));
        }
    }
    assert!(wrong.is_empty(), "calls in tests/programs/fuzz:\n  {}", wrong.join("\n  "));
    assert!(CALLED_BY_NO_FUZZER.iter().all(|name| api.functions().any(|function| function.name() == *name)), "what is left out exists");
}

/// Rule L06. Values and errors are plain memory, and functions that return no status have none to refuse with.
#[test]
fn each_function_of_a_handle_is_called_in_a_fork_or_left_out() {
    let mut calls = String::new();
    for path in ["tests/programs/c/tasks.c", "tests/programs/c/process.c"] {
        text_of(path).split("FORKED(").skip(1).for_each(|rest| calls.extend(rest.split('(').next().into_iter().chain([" "])));
    }
    for path in ["tests/rust/boundary.rs", "tests/rust/boundary_cache.rs"] {
        let text = text_of(path);
        let (_, rest) = text.split_once("let refused = [").unwrap_or_else(|| panic!("{path} has a list of refused calls"));
        calls.push_str(rest.split("];").next().unwrap_or_default());
    }
    let (api, mut wrong) = (Api::read(), Vec::new());
    let is_handle = |type_of: &str| {
        let name = type_of.trim_start_matches("const ").strip_suffix(" *").unwrap_or_default();
        name.starts_with("kvl_") && !["kvl_value_t", "kvl_error_t"].contains(&name)
    };
    for function in api.functions().filter(|function| function.text("result") == "kvl_status_t") {
        if function.list("parameters").next().is_some_and(|first| is_handle(first.text("type"))) {
            let (is_called, is_left_out) = (names(&calls, function.name()), NOT_FORKED.contains(&function.name()));
            if is_called == is_left_out {
                wrong.push(format!("{}: called {is_called}, left out {is_left_out}", function.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "calls with handles from before a fork:\n  {}", wrong.join("\n  "));
    assert!(NOT_FORKED.iter().all(|name| api.functions().any(|function| function.name() == *name)), "what is left out exists");
}

/// The projects beside the library know the interface only from the header, so the numbers in their `kvlight.rs` are copies.
#[test]
fn the_numbers_of_the_projects_are_those_of_the_header() {
    if !projects::are_there() {
        return;
    }
    for path in PROJECTS.iter().map(|name| format!("{name}/src/kvlight.rs")) {
        compare_numbers(&path);
    }
}

/// Compares the statuses of a file, the constants whose comments name KVL_ constants, and the kinds of requests.
fn compare_numbers(path: &str) {
    let (api, text) = (Api::read(), text_of(path));
    let number_of = |name: &str| {
        let mut all = api.statuses().chain(api.constants());
        let known = all.find(|constant| constant.name() == name).unwrap_or_else(|| panic!("{path}: there is no KVL_{name}"));
        known.number("value")
    };
    let mut compared = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let Some((name, number)) = line.trim_end_matches(';').split_once(": Status = ") else { continue };
        assert_eq!(number.parse(), Ok(number_of(name)), "{path}: KVL_{name}");
        compared += 1;
    }
    for (line, next) in text.lines().zip(text.lines().skip(1)) {
        let (Some(about), true) = (line.strip_prefix("/// KVL_"), next.starts_with("const ")) else { continue };
        let wanted: Vec<i64> = about.trim_end_matches('.').split(" and KVL_").map(number_of).collect();
        let stated = next.trim_end_matches(';').rsplit_once(" = ").map(|(_, value)| value.split(" | ").map(str::parse).collect());
        assert_eq!(stated, Some(Ok(wanted)), "{path}: {next}");
        compared += 1;
    }
    for (member, number) in members(&api, "L2") {
        let kind = format!("{number} => Kind::{}{},", &member[..1], member[1..].to_lowercase());
        assert!(text.contains(&kind), "{path}: {kind}");
    }
    assert!(compared > 10, "the numbers were read: {compared}");
}

/// The names in the first column of the table of redis/include/kvlight_redis.h with this heading.
fn names_in_header_of_redis(table: &str) -> Vec<String> {
    let header = text_of("redis/include/kvlight_redis.h");
    let (_, rows) = header.split_once(table).unwrap_or_else(|| panic!("kvlight_redis.h has the table {table}"));
    let rows = rows.lines().skip(2).map_while(|line| line.trim_start().strip_prefix("* | ")?.split(" | ").next());
    rows.flat_map(|names| names.split(", ")).map(str::to_owned).collect()
}

#[test]
fn the_options_of_the_url_are_those_of_the_header() {
    if !projects::are_there() {
        return;
    }
    let (settings, options) = (text_of("redis/src/settings.rs"), names_in_header_of_redis("| option | default | meaning |"));
    assert!(options.len() > 10, "the options were read: {options:?}");
    let (_, list) = settings.split_once("The options are ").expect("the error lists the options");
    let list = list.split(".\"").next().unwrap_or_default().replace('\\', " ");
    let listed: Vec<&str> = list.split([',', ' ', '\n']).filter(|word| !word.is_empty() && *word != "and").collect();
    let mut wanted = options.clone();
    wanted.sort();
    assert_eq!(wanted, std::collections::BTreeSet::from_iter(listed).into_iter().collect::<Vec<_>>(), "the options that the error lists");
    for option in &options {
        assert!(settings.contains(&format!("\"{option}\"")), "redis/src/settings.rs reads {option}");
    }
    let read = settings.lines().filter_map(|line| line.trim_start().strip_prefix('"')?.split_once("\" =>").map(|(name, _)| name));
    for option in read.filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')) {
        let is_value = ["clear", "trust"].contains(&option);
        assert!(is_value || options.iter().any(|known| known == option), "kvlight_redis.h has the option {option}");
    }
}

#[test]
fn the_members_of_the_state_of_redis_are_those_of_the_header() {
    if !projects::are_there() {
        return;
    }
    let (shared, members) = (text_of("redis/src/shared.rs"), names_in_header_of_redis("| member | meaning |"));
    let (_, describe) = shared.split_once("fn describe").expect("shared.rs has describe");
    let describe = describe.split("\n    }\n").next().unwrap_or_default().replace('\\', "");
    assert!(members.len() > 5, "the members were read: {members:?}");
    for member in &members {
        assert!(describe.contains(&format!("\"{member}\"")), "redis/src/shared.rs describes {member}");
    }
    let counters = describe.split("(\"").skip(1).filter_map(|rest| rest.split('"').next());
    for counter in counters.filter(|counter| *counter != "null" && counter.chars().all(|c| c.is_ascii_lowercase() || c == '_')) {
        assert!(members.iter().any(|member| member == counter), "kvlight_redis.h has the member {counter}");
    }
}

#[test]
fn the_functions_that_swift_passes_to_libkvlight_redis_are_those_of_the_header_in_its_order() {
    if !projects::are_there() {
        return;
    }
    let header = text_of("redis/include/kvlight_redis.h");
    let (_, initial) = header.split_once("#define KVL_REDIS_LIBRARY_INIT").expect("kvlight_redis.h has the initial value");
    let initial = initial.split('}').next().unwrap_or_default();
    let wanted: Vec<&str> = initial.split([',', ' ', '\n']).filter(|word| word.starts_with("kvl_")).collect();
    assert!(wanted.len() > 10, "the functions were read: {wanted:?}");
    let swift = text_of("bindings/swift/Sources/KVLight/Core/RedisTier.swift");
    let (_, table) = swift.split_once("struct ProgramFunctions").expect("RedisTier.swift has the table");
    let passed: Vec<&str> = table.lines().filter_map(|line| line.rsplit(" = ").next()).filter(|name| name.starts_with("kvl_")).collect();
    assert_eq!(passed, wanted);
}
