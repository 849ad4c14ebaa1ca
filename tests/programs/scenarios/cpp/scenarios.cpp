// The scenarios in C++: `scenarios thread` or `scenarios poll`. Prints TAP. Builds as C++17 and C++20, with and without exceptions.
#include <kvlight.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <iostream>
#include <mutex>

namespace {

using namespace std::chrono_literals;

std::atomic<int> failures{0}; // failed checks of the current scenario

void check_at(bool holds, const char *what, int line)
{
    if (!holds) {
        failures++;
        std::cout << "# line " << line << ": check failed: " << what << std::endl;
    }
}
#define CHECK(...) check_at(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __LINE__)

struct no_such_record {
    int number;
};

struct counted_object {
    explicit counted_object(std::atomic<int> &destroyed) : destroyed_(destroyed) {}
    ~counted_object() { destroyed_++; }
    std::atomic<int> &destroyed_;
};

bool begins(std::string_view key, std::string_view prefix) { return key.substr(0, prefix.size()) == prefix; }

// An engine with a provider whose answer depends on the beginning of a key. Events are delivered by the dispatcher thread, or by polling.
class fixture {
public:
    explicit fixture(bool polled, kvl::config config = {}) : clock(), polled_(polled)
    {
        config.clock(clock).provider([this](kvl::request request) { provide(std::move(request)); });
        if (polled)
            config.deliver_to(queue);
        tasks.emplace(config);
    }

    ~fixture()
    {
        bool closed = false;
        if (tasks) {
            tasks->close([&] { with([&] { closed = true; }); });
            until([&] { return closed; });
            tasks->join();
        }
    }

    // Runs `change` under the lock, and wakes the waiting threads.
    template <class F> void with(F change)
    {
        std::lock_guard<std::mutex> lock(mutex_);
        change();
        changed_.notify_all();
    }

    // Waits until `holds`, which is called under the lock, returns true.
    template <class F> void until(F holds)
    {
        std::unique_lock<std::mutex> lock(mutex_);
        while (!holds()) {
            if (!polled_) {
                changed_.wait(lock);
                continue;
            }
            lock.unlock();
            queue.poll(256, std::nullopt);
            lock.lock();
        }
    }

    kvl::request take_held()
    {
        until([&] { return held_.has_value(); });
        kvl::request request = *std::move(held_);
        held_.reset();
        return request;
    }

    // Fetches with a callback, and waits for the result.
    kvl::expected<kvl::value> fetch(std::string_view key, const kvl::how &by = {})
    {
        std::optional<kvl::expected<kvl::value>> value;
        CHECK(tasks->fetch(key, [&](const kvl::result &delivered) { with([&] { value = delivered; attempts = delivered.attempts(); }); }, by) == KVL_PENDING);
        until([&] { return value.has_value(); });
        return *value;
    }

    kvl::results fetch_all(const kvl::keys &all)
    {
        std::optional<kvl::results> results;
        CHECK(tasks->fetch_all(all, [&](kvl::results delivered) { with([&] { results = std::move(delivered); }); }) == KVL_PENDING);
        until([&] { return results.has_value(); });
        return *results;
    }

    kvl::clock clock;
    kvl::queue queue;
    std::optional<kvl::tasks> tasks;
    std::atomic<int> requests{0}, keys{0}, objects_destroyed{0};
    uint32_t attempts = 0;

private:
    void provide(kvl::request request)
    {
        requests++;
        keys += static_cast<int>(request.size());
        for (size_t i = 0; i < request.size(); i++) {
            std::string_view key = request[i];
            if (begins(key, "slow")) {
                with([&] { held_ = request; });
                return;
            }
            if (begins(key, "null"))
                request.resolve(i, nullptr);
            else if (begins(key, "bad") || (begins(key, "flaky") && request.attempt(i) < 3))
                request.fail(i, std::make_exception_ptr(no_such_record{42}));
            else if (begins(key, "object"))
                request.resolve(i, std::make_shared<counted_object>(objects_destroyed));
            else
                request.resolve(i, "value of " + std::string(key));
        }
    } // the last copy is destroyed, which finishes the request

    bool polled_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<kvl::request> held_;
};

void hit(bool polled)
{
    fixture engine(polled);
    CHECK(engine.fetch("a")->bytes() == "value of a");
    CHECK(engine.tasks->get("a")->bytes() == "value of a");
    auto future = engine.tasks->fetch_future("a");
    CHECK(future.wait_for(0s) == std::future_status::ready && future.get()->bytes() == "value of a"); // no event was needed
    CHECK(engine.requests == 1 && engine.tasks->stats().hits == 2);
}

void null_hit(bool polled)
{
    fixture engine(polled);
    auto absent = engine.fetch("null");
    CHECK(absent && !*absent);
    CHECK(engine.tasks->get("null") && engine.tasks->get("null")->is_null());
    CHECK(engine.requests == 1 && engine.tasks->stats().null_hits == 2);
}

void miss(bool polled)
{
    fixture engine(polled);
    CHECK(!engine.tasks->get("a") && !engine.tasks->cache().contains("a"));
    CHECK(engine.fetch("a", kvl::options().set("read", "cache_only")).error().status() == KVL_MISS);
    CHECK(engine.requests == 0);
    CHECK(engine.fetch("a")->bytes() == "value of a" && engine.requests == 1);
}

void batch_with_duplicates(bool polled)
{
    fixture engine(polled);
    std::vector<std::string> wanted{"a", "b", "a", "c", "b"};
    kvl::results results = engine.fetch_all(wanted);
    CHECK(results.size() == 5 && results.status() == KVL_OK && results.count(KVL_COUNT_VALUES) == 5);
    for (kvl::result result : results)
        CHECK(result.key() == wanted[result.index()] && result.bytes() == "value of " + wanted[result.index()]);
    CHECK(engine.requests == 1 && engine.keys == 3);
    size_t done = 0, delivered = 0;
    CHECK(engine.tasks->fetch_all(wanted, [&](kvl::results) { engine.with([&] { delivered = done; }); },
                                 [&](size_t now, size_t, size_t) { engine.with([&] { done = now; }); }, 2) == KVL_PENDING);
    engine.until([&] { return delivered != 0; });
    CHECK(delivered == 5);
}

void one_failing_key(bool polled)
{
    fixture engine(polled);
    kvl::results results = engine.fetch_all({"a", "bad", "c"});
    CHECK(results[0].bytes() == "value of a" && results[1].status() == KVL_ERR_PROVIDER && results[2].bytes() == "value of c");
    CHECK(results.errors().size() == 1 && results.errors()[0].exception() != nullptr);
#if KVL_EXCEPTIONS
    int caught = 0;
    for (int again = 0; again < 2; again++) {
        try {
            results.values();
        } catch (const no_such_record &error) {
            caught += error.number;
        }
    }
    CHECK(caught == 84);
#endif
    size_t values = 0, failed = 0;
    CHECK(engine.tasks->fetch_each({"a", "bad", "c"}, [&](const kvl::result &result) {
        engine.with([&] { ++(result.failed() ? failed : values); });
    }) == KVL_PENDING);
    engine.until([&] { return values + failed == 3; });
    CHECK(values == 2 && failed == 1);
}

void retry_then_success(bool polled)
{
    fixture engine(polled, kvl::config().set("retry.count", 3).set("retry.fixed_ms", 0ms));
    CHECK(engine.fetch("flaky")->bytes() == "value of flaky");
    CHECK(engine.attempts == 3 && engine.requests == 3);
}

void timeout(bool polled)
{
    fixture engine(polled);
    std::optional<kvl::expected<kvl::value>> value;
    CHECK(engine.tasks->fetch("slow", [&](const kvl::result &delivered) { engine.with([&] { value = delivered; }); }, kvl::options().timeout(1s)) == KVL_PENDING);
    kvl::request held = engine.take_held();
    engine.clock.advance(999ms);
    CHECK(!value);
    engine.clock.advance(1ms);
    engine.until([&] { return value.has_value(); });
    // The load continues for the next fetch of its key.
    CHECK(value->error().status() == KVL_ERR_TIMEOUT && held.cancelled() == KVL_CANCEL_NO);
    CHECK(held.resolve(0, "late") == KVL_OK && held.finish() == KVL_OK);
}

void cancel(bool polled)
{
    fixture engine(polled);
    std::optional<kvl::expected<kvl::value>> leaves, stays;
    kvl::fetch fetch;
    CHECK(engine.tasks->fetch("slow", [&](const kvl::result &delivered) { engine.with([&] { leaves = delivered; }); }, fetch) == KVL_PENDING);
    CHECK(engine.tasks->fetch("slow", [&](const kvl::result &delivered) { engine.with([&] { stays = delivered; }); }) == KVL_PENDING);
    kvl::request held = engine.take_held();
    fetch.cancel();
    engine.until([&] { return leaves.has_value(); });
    CHECK(leaves->error().status() == KVL_ERR_CANCELLED && !stays && held.cancelled() == KVL_CANCEL_NO);
    CHECK(held.resolve(0, "late") == KVL_OK && held.finish() == KVL_OK);
    engine.until([&] { return stays.has_value(); });
    CHECK((*stays)->bytes() == "late");
}

void close_while_loading(bool polled)
{
    fixture engine(polled);
    auto future = engine.tasks->fetch_future("slow");
    kvl::request held = engine.take_held();
    bool closed = false;
    engine.tasks->close([&] { engine.with([&] { closed = true; }); });
    engine.until([&] { return closed; });
    CHECK(future.get().error().status() == KVL_ERR_CLOSED);
    CHECK(engine.tasks->fetch("a", [](const kvl::result &) {}) == KVL_ERR_CLOSED);
    CHECK(engine.tasks->fetch_future("a").get().error().status() == KVL_ERR_CLOSED);
    engine.tasks.reset(); // disposes of the engine
    CHECK(held.resolve(0, "late") != KVL_OK); // the request rejects answers, but stays valid
}

void ten_thousand_keys(bool polled)
{
    fixture engine(polled, kvl::config().set("cache.capacity", 20'000).set("batch.max_keys", 100));
    std::vector<std::string> wanted;
    for (int i = 0; i < 10'000; i++)
        wanted.push_back("k" + std::to_string(i));
    kvl::results results = engine.fetch_all(wanted);
    size_t good = 0;
    for (kvl::result result : results)
        good += result.bytes() == "value of " + wanted[result.index()];
    CHECK(good == 10'000 && engine.keys == 10'000 && engine.tasks->cache().size() == 10'000);
}

void callback_that_fetches(bool polled)
{
    fixture engine(polled);
    std::optional<kvl::expected<kvl::value>> second;
    CHECK(engine.tasks->fetch("a", [&](const kvl::result &first) {
        CHECK(first.bytes() == "value of a" && engine.tasks->get("a")); // stored before it was delivered
        CHECK(engine.tasks->fetch("b", [&](const kvl::result &delivered) { engine.with([&] { second = delivered; }); }) == KVL_PENDING);
    }) == KVL_PENDING);
    engine.until([&] { return second.has_value(); });
    CHECK((*second)->bytes() == "value of b");
}

void object_value(bool polled)
{
    fixture engine(polled);
    {
        auto one = engine.fetch("object1");
        CHECK(one->get<counted_object>() != nullptr && one->get<std::string>() == nullptr && one->bytes().empty());
        CHECK(one->get<counted_object>() == engine.tasks->get("object1")->get<counted_object>());
        CHECK(engine.tasks->cache().remove("object1") && engine.objects_destroyed == 0); // the program holds the object
    }
    // With a queue the object is destroyed when the queue is polled: with the next event at the latest.
    CHECK(engine.fetch("a")->bytes() == "value of a");
    CHECK(engine.objects_destroyed == 1);
    CHECK(engine.fetch("object2")->get<counted_object>());
    CHECK(engine.objects_destroyed == 1); // the store holds the second object
    bool closed = false;
    engine.tasks->close([&] { engine.with([&] { closed = true; }); });
    engine.until([&] { return closed; });
    engine.tasks->join();
    engine.tasks.reset();
    CHECK(engine.objects_destroyed == 2);
}

const struct {
    const char *name;
    void (*run)(bool polled);
} scenarios[] = {
    {"hit", hit},
    {"null hit", null_hit},
    {"miss", miss},
    {"batch with duplicates", batch_with_duplicates},
    {"one failing key in a batch", one_failing_key},
    {"retry then success", retry_then_success},
    {"timeout", timeout},
    {"cancel", cancel},
    {"close while loading", close_while_loading},
    {"10,000 keys", ten_thousand_keys},
    {"callback that fetches", callback_that_fetches},
    {"object value whose destructor is counted", object_value},
};

} // namespace

int main(int argc, char **argv)
{
    std::string_view mode = argc == 2 ? argv[1] : "";
    if (mode != "thread" && mode != "poll") {
        std::cerr << "usage: " << argv[0] << " thread|poll\n";
        return 2;
    }
    int number = 0, failed = 0;
    std::cout << "1.." << std::size(scenarios) << std::endl;
    for (const auto &scenario : scenarios) {
        failures = 0;
        scenario.run(mode == "poll");
        failed += failures != 0;
        std::cout << (failures == 0 ? "ok " : "not ok ") << ++number << " - " << scenario.name << std::endl;
    }
    return failed != 0;
}
