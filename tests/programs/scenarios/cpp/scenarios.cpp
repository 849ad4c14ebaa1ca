// The twelve scenarios in C++: `scenarios thread`, `scenarios poll`. One line of TAP each. Builds as C++17 and C++20, with and
// without exceptions.
#include <kvlight.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <iostream>
#include <mutex>

namespace {

using namespace std::chrono_literals;

std::atomic<int> wrong{0}; // failed checks of the current scenario

void check_at(bool holds, const char *what, int line)
{
    if (!holds) {
        wrong++;
        std::cout << "# line " << line << ": does not hold: " << what << std::endl;
    }
}
#define CHECK(...) check_at(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __LINE__)

struct no_such_shelf {
    int number;
};

struct counted_object {
    explicit counted_object(std::atomic<int> &ended) : ended_(ended) {}
    ~counted_object() { ended_++; }
    std::atomic<int> &ended_;
};

bool begins(std::string_view key, std::string_view with) { return key.substr(0, with.size()) == with; }

// An engine with a provider whose behaviour depends on how a key begins; events are delivered by the dispatcher thread, or by polling.
class world {
public:
    explicit world(bool polled, kvl::config config = {}) : clock(), polled_(polled)
    {
        config.clock(clock).provider([this](kvl::request asked) { provide(std::move(asked)); });
        if (polled)
            config.deliver_to(queue);
        tasks.emplace(config);
    }

    ~world()
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
        kvl::request is = *std::move(held_);
        held_.reset();
        return is;
    }

    // One fetch by callback, awaited.
    kvl::expected<kvl::value> fetch(std::string_view key, const kvl::how &by = {})
    {
        std::optional<kvl::expected<kvl::value>> is;
        CHECK(tasks->fetch(key, [&](const kvl::result &told) { with([&] { is = told; attempts = told.attempts(); }); }, by) == KVL_PENDING);
        until([&] { return is.has_value(); });
        return *is;
    }

    kvl::results fetch_all(const kvl::keys &all)
    {
        std::optional<kvl::results> are;
        CHECK(tasks->fetch_all(all, [&](kvl::results told) { with([&] { are = std::move(told); }); }) == KVL_PENDING);
        until([&] { return are.has_value(); });
        return *are;
    }

    kvl::clock clock;
    kvl::queue queue;
    std::optional<kvl::tasks> tasks;
    std::atomic<int> requests{0}, keys{0}, objects_ended{0};
    uint32_t attempts = 0;

private:
    void provide(kvl::request asked)
    {
        requests++;
        keys += static_cast<int>(asked.size());
        for (size_t i = 0; i < asked.size(); i++) {
            std::string_view key = asked[i];
            if (begins(key, "slow")) {
                with([&] { held_ = asked; });
                return;
            }
            if (begins(key, "null"))
                asked.resolve(i, nullptr);
            else if (begins(key, "bad") || (begins(key, "flaky") && asked.attempt(i) < 3))
                asked.fail(i, std::make_exception_ptr(no_such_shelf{42}));
            else if (begins(key, "object"))
                asked.resolve(i, std::make_shared<counted_object>(objects_ended));
            else
                asked.resolve(i, "value of " + std::string(key));
        }
    } // the last copy is destroyed, which finishes the request

    bool polled_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<kvl::request> held_;
};

void hit(bool polled)
{
    world world(polled);
    CHECK(world.fetch("a")->bytes() == "value of a");
    CHECK(world.tasks->get("a")->bytes() == "value of a");
    auto future = world.tasks->fetch_future("a");
    CHECK(future.wait_for(0s) == std::future_status::ready && future.get()->bytes() == "value of a"); // no event was needed
    CHECK(world.requests == 1 && world.tasks->stats().hits == 2);
}

void null_hit(bool polled)
{
    world world(polled);
    auto absent = world.fetch("null");
    CHECK(absent && !*absent);
    CHECK(world.tasks->get("null") && world.tasks->get("null")->is_null());
    CHECK(world.requests == 1 && world.tasks->stats().null_hits == 2);
}

void miss(bool polled)
{
    world world(polled);
    CHECK(!world.tasks->get("a") && !world.tasks->cache().contains("a"));
    CHECK(world.fetch("a", kvl::options().set("read", "cache_only")).error().status() == KVL_MISS);
    CHECK(world.requests == 0);
    CHECK(world.fetch("a")->bytes() == "value of a" && world.requests == 1);
}

void batch_with_duplicates(bool polled)
{
    world world(polled);
    std::vector<std::string> asked{"a", "b", "a", "c", "b"};
    kvl::results are = world.fetch_all(asked);
    CHECK(are.size() == 5 && are.status() == KVL_OK && are.count(KVL_COUNT_VALUES) == 5);
    for (kvl::result is : are)
        CHECK(is.key() == asked[is.index()] && is.bytes() == "value of " + asked[is.index()]);
    CHECK(world.requests == 1 && world.keys == 3);
    size_t done = 0, told = 0;
    CHECK(world.tasks->fetch_all(asked, [&](kvl::results) { world.with([&] { told = done; }); },
                                 [&](size_t now, size_t, size_t) { world.with([&] { done = now; }); }, 2) == KVL_PENDING);
    world.until([&] { return told != 0; });
    CHECK(told == 5);
}

void one_failing_key(bool polled)
{
    world world(polled);
    kvl::results are = world.fetch_all({"a", "bad", "c"});
    CHECK(are[0].bytes() == "value of a" && are[1].status() == KVL_ERR_PROVIDER && are[2].bytes() == "value of c");
    CHECK(are.errors().size() == 1 && are.errors()[0].exception() != nullptr);
#if KVL_EXCEPTIONS
    int caught = 0;
    for (int again = 0; again < 2; again++) {
        try {
            are.values();
        } catch (const no_such_shelf &is) {
            caught += is.number;
        }
    }
    CHECK(caught == 84);
#endif
    size_t values = 0, failed = 0;
    CHECK(world.tasks->fetch_each({"a", "bad", "c"}, [&](const kvl::result &is) {
        world.with([&] { ++(is.failed() ? failed : values); });
    }) == KVL_PENDING);
    world.until([&] { return values + failed == 3; });
    CHECK(values == 2 && failed == 1);
}

void retry_then_success(bool polled)
{
    world world(polled, kvl::config().set("retry.count", 3).set("retry.fixed_ms", 0ms));
    CHECK(world.fetch("flaky")->bytes() == "value of flaky");
    CHECK(world.attempts == 3 && world.requests == 3);
}

void timeout(bool polled)
{
    world world(polled);
    std::optional<kvl::expected<kvl::value>> is;
    CHECK(world.tasks->fetch("slow", [&](const kvl::result &told) { world.with([&] { is = told; }); }, kvl::options().timeout(1s)) == KVL_PENDING);
    kvl::request held = world.take_held();
    world.clock.advance(999ms);
    CHECK(!is);
    world.clock.advance(1ms);
    world.until([&] { return is.has_value(); });
    // The load continues for the next fetch of its key.
    CHECK(is->error().status() == KVL_ERR_TIMEOUT && held.cancelled() == KVL_CANCEL_NO);
    CHECK(held.resolve(0, "late") == KVL_OK && held.finish() == KVL_OK);
}

void cancel(bool polled)
{
    world world(polled);
    std::optional<kvl::expected<kvl::value>> leaves, stays;
    kvl::fetch fetch;
    CHECK(world.tasks->fetch("slow", [&](const kvl::result &told) { world.with([&] { leaves = told; }); }, fetch) == KVL_PENDING);
    CHECK(world.tasks->fetch("slow", [&](const kvl::result &told) { world.with([&] { stays = told; }); }) == KVL_PENDING);
    kvl::request held = world.take_held();
    fetch.cancel();
    world.until([&] { return leaves.has_value(); });
    CHECK(leaves->error().status() == KVL_ERR_CANCELLED && !stays && held.cancelled() == KVL_CANCEL_NO);
    CHECK(held.resolve(0, "late") == KVL_OK && held.finish() == KVL_OK);
    world.until([&] { return stays.has_value(); });
    CHECK((*stays)->bytes() == "late");
}

void close_while_loading(bool polled)
{
    world world(polled);
    auto future = world.tasks->fetch_future("slow");
    kvl::request held = world.take_held();
    bool closed = false;
    world.tasks->close([&] { world.with([&] { closed = true; }); });
    world.until([&] { return closed; });
    CHECK(future.get().error().status() == KVL_ERR_CLOSED);
    CHECK(world.tasks->fetch("a", [](const kvl::result &) {}) == KVL_ERR_CLOSED);
    CHECK(world.tasks->fetch_future("a").get().error().status() == KVL_ERR_CLOSED);
    world.tasks.reset(); // dispose
    CHECK(held.resolve(0, "late") != KVL_OK); // refuses answers, but stays valid
}

void ten_thousand_keys(bool polled)
{
    world world(polled, kvl::config().set("cache.capacity", 20'000).set("batch.max_keys", 100));
    std::vector<std::string> asked;
    for (int i = 0; i < 10'000; i++)
        asked.push_back("k" + std::to_string(i));
    kvl::results are = world.fetch_all(asked);
    size_t good = 0;
    for (kvl::result is : are)
        good += is.bytes() == "value of " + asked[is.index()];
    CHECK(good == 10'000 && world.keys == 10'000 && world.tasks->cache().size() == 10'000);
}

void callback_that_fetches(bool polled)
{
    world world(polled);
    std::optional<kvl::expected<kvl::value>> second;
    CHECK(world.tasks->fetch("a", [&](const kvl::result &first) {
        CHECK(first.bytes() == "value of a" && world.tasks->get("a")); // stored before it was delivered
        CHECK(world.tasks->fetch("b", [&](const kvl::result &told) { world.with([&] { second = told; }); }) == KVL_PENDING);
    }) == KVL_PENDING);
    world.until([&] { return second.has_value(); });
    CHECK((*second)->bytes() == "value of b");
}

void object_value(bool polled)
{
    world world(polled);
    {
        auto one = world.fetch("object1");
        CHECK(one->get<counted_object>() != nullptr && one->get<std::string>() == nullptr && one->bytes().empty());
        CHECK(one->get<counted_object>() == world.tasks->get("object1")->get<counted_object>());
        CHECK(world.tasks->cache().remove("object1") && world.objects_ended == 0); // the program holds it
    }
    // With a queue it is destroyed when the queue is polled: with the next event at the latest.
    CHECK(world.fetch("a")->bytes() == "value of a");
    CHECK(world.objects_ended == 1);
    CHECK(world.fetch("object2")->get<counted_object>());
    CHECK(world.objects_ended == 1); // the store holds it
    bool closed = false;
    world.tasks->close([&] { world.with([&] { closed = true; }); });
    world.until([&] { return closed; });
    world.tasks->join();
    world.tasks.reset();
    CHECK(world.objects_ended == 2);
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
        wrong = 0;
        scenario.run(mode == "poll");
        failed += wrong != 0;
        std::cout << (wrong == 0 ? "ok " : "not ok ") << ++number << " - " << scenario.name << std::endl;
    }
    return failed != 0;
}
