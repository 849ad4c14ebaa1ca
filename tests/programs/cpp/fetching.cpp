// The forms of a fetch: callback, wait, future, co_await; requests; coroutines on a polling thread.
#include "check.hpp"

#include <atomic>
#include <mutex>
#include <thread>

namespace {

using namespace std::chrono_literals;

kvl::config echo()
{
    return kvl::config().load([](std::string_view key) -> std::optional<std::string> {
        if (key == "null")
            return std::nullopt;
        return "value of " + std::string(key);
    });
}

void every_form_returns_the_same()
{
    kvl::tasks tasks(echo());
    for (int again = 0; again < 2; again++) { // loaded, then in the store
        CHECK(tasks.fetch_wait("a")->bytes() == "value of a" && tasks.fetch_wait("null")->is_null());
        CHECK(tasks.fetch_future("b").get()->bytes() == "value of b" && tasks.fetch_future("null").get()->is_null());
        inbox<kvl::expected<kvl::value>> delivered;
        CHECK(tasks.fetch("c", [&](kvl::expected<kvl::value> value) { delivered.put(std::move(value)); }) == KVL_PENDING);
        CHECK(delivered.take()->bytes() == "value of c");
        std::vector<std::string_view> views{"a", "null"};
        auto results = tasks.fetch_all_future(views).get().value();
        CHECK(results.size() == 2 && results.values()[0].bytes() == "value of a" && results[1].is_null());
        CHECK(results.count(KVL_COUNT_NULLS) == 1);
    }
    CHECK(tasks.stats().loads_started == 4 && tasks.stats_json().find("\"lookups\"") != std::string::npos);
    CHECK(tasks.fetch_all_wait({}).value().size() == 0 && tasks.fetch_each({}, [](const kvl::result &) {}) == KVL_OK);
}

void f19_an_engine_with_read_refresh_reloads_stored_keys()
{
    int loads = 0;
    kvl::tasks tasks(kvl::config().set("read", "refresh").load([&](std::string_view) -> std::optional<std::string> { return std::to_string(++loads); }));
    CHECK(tasks.fetch_future("a").get()->bytes() == "1" && tasks.fetch_future("a").get()->bytes() == "2");
    kvl::tasks moved(echo());
    moved = std::move(tasks);
    CHECK(moved.fetch_future("a").get()->bytes() == "3" && moved.fetch_wait("a")->bytes() == "4");
    moved.join();
}

void s10_a_validator_is_asked_once_for_each_fetch()
{
    std::atomic<int> asked = 0;
    kvl::tasks tasks(echo().validator([&](std::string_view key) { return ++asked, !key.empty(); }));
    for (int again = 0; again < 2; again++) // loaded, then in the store
        CHECK(tasks.fetch_future("a").get()->bytes() == "value of a" && tasks.fetch_wait("b")->bytes() == "value of b");
    CHECK(asked == 4);
}

void closures_are_moved_and_destroyed_once()
{
    auto counted = std::make_shared<int>(0);
    kvl::tasks tasks(echo());
    kvl::fetch fetch;
    // A move-only closure, destroyed after its last call.
    auto only = std::make_unique<std::shared_ptr<int>>(counted);
    CHECK(tasks.fetch("a", [only = std::move(only)](const kvl::result &) { ++**only; }, fetch) == KVL_PENDING);
    CHECK(fetch.wait() && *counted == 1 && counted.use_count() == 1);
    kvl::fetch used = fetch;
    CHECK(tasks.fetch("a", [counted](const kvl::result &) {}, used) == KVL_ERR_ALREADY_USED && counted.use_count() == 1);
}

void f03_a_progress_step_of_0_is_rejected()
{
    auto counted = std::make_shared<int>(0);
    kvl::tasks tasks(echo());
    CHECK(tasks.fetch_all({"a"}, [counted](kvl::results) {}, [counted](size_t, size_t, size_t) {}, 0) == KVL_ERR_INVALID_ARG);
    CHECK(counted.use_count() == 1);
    tasks.join();
}

void f15_a_request_can_be_answered_later_by_other_threads()
{
    std::vector<std::thread> threads;
    std::mutex lock;
    kvl::tasks tasks(kvl::config().set("batch.max_keys", 2).provider([&](kvl::request asked) {
        std::lock_guard<std::mutex> guard(lock);
        threads.emplace_back([asked = std::move(asked)] {
            asked.supply("extra", "supplied");
            for (size_t i = asked.size(); i-- > 0;) // in reverse: any order is allowed
                asked.resolve(i, std::string(asked[i]), kvl::terms().ttl(1h).with_priority(2).with_cost(7));
            asked.heartbeat();
            asked.finish_nulls();
        });
    }));
    auto results = tasks.fetch_all_wait({"a", "b", "c", "d", "e"}).value();
    for (kvl::result result : results) {
        CHECK(result.bytes() == result.key() && result.source() == KVL_SOURCE_PROVIDER && result.attempts() == 1);
        CHECK(result.cost() >= 7 && result.ttl_left() > 59min && result.ttl_left() <= 1h);
    }
    CHECK(tasks.get("extra")->bytes() == "supplied");
    tasks.join(); // the provider refers to this stack frame, and its thread may still be returning
    for (std::thread &thread : threads)
        thread.join();
}

void r02_a_stale_value_is_delivered_with_the_error_of_the_load()
{
    kvl::clock clock;
    std::atomic<bool> is_down{false}, is_gone{false};
    kvl::tasks tasks(kvl::config().clock(clock).set("cache.ttl_ms", 1000).set("stale.ttl_ms", 60000).set("stale.retry_ms", 0).provider(
        [&](kvl::request asked) {
            for (size_t i = 0; i < asked.size(); i++)
                if (is_gone)
                    asked.fail(i, kvl::error::gone(410, "gone"));
                else if (is_down)
                    asked.fail(i, 503, "down");
                else
                    asked.resolve(i, std::string(asked[i]), kvl::terms().stale_for(asked[i] == "short" ? 0ms : 60s));
            asked.finish();
        }));
    (void)tasks.fetch_all_wait({"k", "short"});
    CHECK(tasks.cache().expire("k") && !tasks.cache().expire("k"));
    clock.advance(1s);
    is_down = true;
    auto results = tasks.fetch_all_wait({"k", "short"}).value();
    CHECK(results[0].is_stale() && results[0].bytes() == "k" && results[0].covered()->code() == 503 && results[0].age() == 1s);
    CHECK(results[1].failed() && !results[1].is_stale() && !results[1].covered());
    is_gone = true;
    CHECK(tasks.fetch_all_wait({"k"}).value()[0].failed() && tasks.cache().size() == 0);
}

void r04_a_fetch_states_how_long_it_waits_before_it_is_served_a_fallback()
{
    inbox<kvl::request> requests;
    kvl::tasks tasks(kvl::config().set("cache.ttl_ms", 1min).set("stale.ttl_ms", 1min).provider([&](kvl::request asked) { requests.put(std::move(asked)); }));
    tasks.cache().put("a", "old");
    tasks.cache().expire("a");
    auto patient = tasks.fetch_future("a");
    auto at_once = kvl::options().set("stale.timeout_ms", 0), soon = kvl::options().set("stale.timeout_ms", 20ms);
    auto results = tasks.fetch_all_wait({"a"}, at_once).value();
    CHECK(results[0].is_stale() && results[0].bytes() == "old" && !results[0].covered());
    CHECK(tasks.fetch_wait("a", soon)->bytes() == "old");
    kvl::request request = requests.take();
    request.resolve(0, "new");
    request.finish();
    CHECK(patient.get()->bytes() == "new" && tasks.get("a")->bytes() == "new");
    auto refused = tasks.fetch_wait("b", kvl::options().set("stale.timeout_ms", 5).timeout(5ms));
    CHECK(refused.error().status() == KVL_ERR_BAD_VALUE);
    CHECK(std::string_view(refused.error().message()).find("stale.timeout_ms") != std::string_view::npos);
}

void f09_a_provider_is_notified_when_no_fetch_waits()
{
    inbox<uint32_t> delivered;
    inbox<bool> asked;
    kvl::tasks tasks(kvl::config().provider([&](kvl::request request) {
        request.on_cancel([&delivered, request](uint32_t why) { // the hook holds the request, and both end together
            CHECK(!request.is_wanted(0));
            delivered.put(why);
        });
        asked.put(true);
    }));
    kvl::fetch fetch;
    CHECK(tasks.fetch("a", [](const kvl::result &) {}, fetch) == KVL_PENDING);
    asked.take();
    fetch.cancel();
    CHECK(delivered.take() == KVL_CANCEL_UNWANTED);
    tasks.join();
}

#if KVL_COROUTINES
// A minimal coroutine, whose future is ready when it has ended.
struct routine {
    struct promise_type {
        std::promise<int> done;
        routine get_return_object() { return {done.get_future()}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_value(int value) { done.set_value(value); }
        void unhandled_exception() noexcept
        {
#if KVL_EXCEPTIONS
            done.set_exception(std::current_exception());
#endif
        }
    };
    std::future<int> done;
};

routine fetch_keys(const kvl::tasks &tasks)
{
    // Not a braced list inside co_await, which gcc 12 fails to compile.
    const kvl::keys several{"c", "d", "c"};
    int good = 0;
    for (int again = 0; again < 2; again++) {
        good += (co_await tasks.co_fetch("a"))->bytes() == "value of a";
        good += (co_await tasks.co_fetch("null")).value().is_null();
        good += (co_await tasks.co_fetch("b", kvl::options().timeout(1h)))->bytes() == "value of b";
        good += (co_await tasks.co_fetch_all(several)).value()[2].bytes() == "value of c";
    }
    kvl::fetch cancelled;
    cancelled.cancel();
    good += (co_await tasks.co_fetch("e", cancelled)).error().status() == KVL_ERR_CANCELLED;
    co_return good;
}

void coroutines_resume_on_the_dispatcher()
{
    kvl::tasks tasks(echo());
    std::vector<routine> many;
    for (int i = 0; i < 100; i++)
        many.push_back(fetch_keys(tasks));
    for (routine &one : many)
        CHECK(one.done.get() == 9);
}

void coroutines_resume_on_the_thread_that_polls_a_queue()
{
    kvl::queue queue;
    kvl::tasks tasks(echo().deliver_to(queue));
    bool here = true;
    std::thread::id me = std::this_thread::get_id();
    auto fetch_50 = [](const kvl::tasks &engine, bool &still_here, std::thread::id where) -> routine {
        int good = 0;
        for (int i = 0; i < 50; i++) {
            good += (co_await engine.co_fetch(std::to_string(i))).has_value();
            still_here = still_here && std::this_thread::get_id() == where;
        }
        co_return good;
    };
    routine one = fetch_50(tasks, here, me);
    while (one.done.wait_for(0s) != std::future_status::ready)
        queue.poll(16, std::nullopt);
    CHECK(one.done.get() == 50 && here);
}

#if KVL_EXCEPTIONS
routine fetch_failing_key(const kvl::tasks &tasks)
{
    CHECK(!(co_await tasks.co_fetch("a")));
    co_return static_cast<int>((co_await tasks.co_fetch("b")).value().bytes().size());
}

void co_await_throws_the_exceptions_of_a_provider()
{
    kvl::tasks tasks(kvl::config().load([](std::string_view) -> std::string { throw 42; }));
    try {
        fetch_failing_key(tasks).done.get();
        CHECK(!"it throws");
    } catch (int thrown) {
        CHECK(thrown == 42);
    }
}
#endif
#endif

} // namespace

int main()
{
    every_form_returns_the_same();
    f19_an_engine_with_read_refresh_reloads_stored_keys();
    s10_a_validator_is_asked_once_for_each_fetch();
    closures_are_moved_and_destroyed_once();
    f03_a_progress_step_of_0_is_rejected();
    f15_a_request_can_be_answered_later_by_other_threads();
    r02_a_stale_value_is_delivered_with_the_error_of_the_load();
    r04_a_fetch_states_how_long_it_waits_before_it_is_served_a_fallback();
    f09_a_provider_is_notified_when_no_fetch_waits();
#if KVL_COROUTINES
    coroutines_resume_on_the_dispatcher();
    coroutines_resume_on_the_thread_that_polls_a_queue();
#if KVL_EXCEPTIONS
    co_await_throws_the_exceptions_of_a_provider();
#endif
#endif
    return done();
}
