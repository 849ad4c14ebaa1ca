// A second tier (rules T01 to T15): a store in memory that engines share, one that throws, one that serves its requests later, and a server
// to which each engine has a connection.
#include "check.hpp"

#include <map>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
constexpr uint32_t leases = KVL_L2_F_CONDITIONAL | KVL_L2_F_LEASES;

// A second tier in memory, with tokens and leases.
struct memory {
    struct row {
        std::string token;
        std::optional<std::string> entry;
        std::optional<kvl::milliseconds> ttl;
    };

    std::mutex lock;
    std::map<std::string, row> rows;
    int tokens = 0, reads = 0, fills = 0, refused = 0, writes = 0, removes = 0, clears = 0;

    bool has(const std::string &key)
    {
        std::lock_guard<std::mutex> guard(lock);
        return rows.count(key) != 0 && rows[key].entry;
    }
    std::string next_token() { return "token " + std::to_string(++tokens); }

    void operator()(const kvl::l2_request &request)
    {
        std::lock_guard<std::mutex> guard(lock);
        for (size_t i = 0; i < request.size(); i++) {
            std::string key(request[i]);
            auto at = rows.find(key);
            switch (request.kind()) {
            case KVL_L2_READ:
                reads++;
                CHECK(!request.entry(i));
                if (at == rows.end()) {
                    rows[key].token = next_token();
                    request.miss(i, rows[key].token);
                } else if (!at->second.entry) {
                    CHECK(!request.steals(i));
                    request.leased(i);
                } else {
                    request.hit(i, *at->second.entry, at->second.ttl, at->second.token);
                }
                break;
            case KVL_L2_FILL:
            case KVL_L2_WRITE: {
                auto entry = request.entry(i);
                CHECK(entry && entry->data.size() >= 40);
                if (request.kind() == KVL_L2_FILL && (at == rows.end() || at->second.token != entry->token)) {
                    refused++;
                    request.refused(i);
                    break;
                }
                rows[key] = {next_token(), std::string(entry->data), entry->ttl};
                (request.kind() == KVL_L2_FILL ? fills : writes)++;
                break;
            }
            case KVL_L2_REMOVE:
                rows.erase(key);
                removes++;
                break;
            default: CHECK(false);
            }
        }
        if (request.kind() == KVL_L2_CLEAR) {
            rows.clear();
            clears++;
        }
        request.finish();
    }
};

kvl::config config_over(memory &tier)
{
    return kvl::config()
        .load([](std::string_view key) { return "loaded " + std::string(key); })
        .set("l2.timeout_ms", -1)
        .second_tier([&tier](const kvl::l2_request &request) { tier(request); }, leases);
}

void t02_two_engines_share_what_one_loaded()
{
    memory tier;
    kvl::tasks first(config_over(tier).set("cache.ttl_ms", 60000)), second(config_over(tier));
    CHECK(first.fetch_wait("a")->bytes() == "loaded a");
    while (!tier.has("a"))
        std::this_thread::yield();
    auto found = second.fetch_all_wait({"a"}).value();
    CHECK(found[0].bytes() == "loaded a" && found[0].source() == KVL_SOURCE_L2 && found[0].get()->ttl_left_ms > 0);
    CHECK(second.stats().l2_hits == 1 && second.stats().loads_started == 1);
    first.cache().put("b", "put");
    first.cache().remove("a");
    CHECK(first.sync_second_tier() && first.sync_second_tier(0ms));
    CHECK(second.fetch_wait("b")->bytes() == "put" && tier.writes == 1 && tier.removes == 1);
    first.cache().clear();
    CHECK(first.sync_second_tier() && tier.clears == 1);
    first.join();
    second.join();
}

void t03_a_write_beats_an_older_load()
{
    memory tier;
    inbox<kvl::request> asked;
    kvl::tasks loads(config_over(tier).provider([&](kvl::request request) { asked.put(std::move(request)); })), writes(config_over(tier));
    auto waits = loads.fetch_future("k");
    {
        kvl::request old = asked.take();
        writes.cache().put("k", "new");
        CHECK(writes.sync_second_tier());
        loads.invalidate({"k"});
        old.resolve(0, "old");
    }
    CHECK(waits.get()->bytes() == "old"); // its load began before the write
    CHECK(loads.fetch_wait("k")->bytes() == "new" && tier.fills == 0);
    loads.join();
    writes.join();
}

void t10_one_of_two_engines_loads_a_key_and_the_other_waits_for_it()
{
    memory tier;
    inbox<kvl::request> asked;
    auto asks = [&](kvl::request request) { asked.put(std::move(request)); };
    kvl::tasks one(config_over(tier).set("l2.wait_ms", 600000).provider(asks)), other(config_over(tier).set("l2.wait_ms", 600000).provider(asks));
    auto first = one.fetch_future("k"), second = other.fetch_future("k");
    while (one.stats().l2_waited + other.stats().l2_waited == 0)
        std::this_thread::yield();
    asked.take().resolve(0, "loaded once");
    CHECK(first.get()->bytes() == "loaded once" && second.get()->bytes() == "loaded once");
    CHECK(one.stats().loads_started + other.stats().loads_started == 2 && one.stats().l2_hits + other.stats().l2_hits == 1);
    one.join();
    other.join();
}

template <class Request, class = void> struct takes_a_number : std::false_type {};
template <class Request> struct takes_a_number<Request, std::void_t<decltype(std::declval<Request>().hit(0, "", 0))>> : std::true_type {};
static_assert(!takes_a_number<kvl::l2_request>::value, "0 is neither a time nor a token");

void t02_an_entry_with_no_time_left_is_a_miss()
{
    inbox<kvl::l2_request> asked;
    kvl::tasks tasks(kvl::config()
                         .set("l2.timeout_ms", -1)
                         .set("l2.write_timeout_ms", 600000)
                         .load([](std::string_view) { return std::string("loaded"); })
                         .second_tier([&](kvl::l2_request request) { asked.put(std::move(request)); }));
    tasks.cache().put("k", "put");
    std::string entry;
    {
        kvl::l2_request write = asked.take();
        entry = write.entry(0)->data;
        CHECK(write.finish() == KVL_OK);
    }
    for (auto left : {0ms, -1ms, -2ms, -3ms}) {
        tasks.invalidate({"k"});
        auto waits = tasks.fetch_future("k");
        {
            kvl::l2_request read = asked.take();
            CHECK(read.hit(0, entry, left) == KVL_OK && read.finish() == KVL_OK);
        }
        CHECK(waits.get()->bytes() == "loaded");
        kvl::l2_request fill = asked.take();
        CHECK(fill.kind() == KVL_L2_FILL && fill.finish() == KVL_OK);
    }
    tasks.join();
}

#if KVL_EXCEPTIONS
void t01_an_unknown_ability_is_refused()
{
    try {
        kvl::config().second_tier([](const kvl::l2_request &) {}, 1u << 31);
        CHECK(!"it throws");
    } catch (const kvl::failure &failure) {
        CHECK(failure.status() == KVL_ERR_INVALID_ARG);
    }
}

void t01_an_exception_fails_the_request_alone()
{
    std::atomic<bool> is_down{true};
    std::atomic<int> served{0};
    kvl::tasks tasks(kvl::config()
                         .set("l2.break_after", 0)
                         .set("l2.timeout_ms", -1)
                         .set("l2.break_ms", 1)
                         .load([](std::string_view key) { return std::string(key); })
                         .second_tier([&](const kvl::l2_request &request) {
                             served++;
                             if (is_down)
                                 throw std::runtime_error("down");
                             if (request.kind() == KVL_L2_READ)
                                 request.miss(0);
                             request.finish();
                         }));
    CHECK(tasks.fetch_wait("a")->bytes() == "a" && tasks.stats().l2_errors == 1);
    tasks.cache().put("b", "1");
    while (tasks.stats().l2_write_errors == 0)
        std::this_thread::yield();
    CHECK(!tasks.sync_second_tier(0ms) && !tasks.sync_second_tier(-1ms) && !tasks.sync_second_tier(-2ms));
    is_down = false;
    CHECK(tasks.sync_second_tier() && served >= 3); // the put was sent again
    tasks.cache().clear();
    CHECK(tasks.sync_second_tier());
    tasks.join();
}
#endif

void t01_a_request_is_served_later_or_dropped()
{
    kvl::clock clock;
    inbox<kvl::l2_request> asked;
    std::optional<kvl::tasks> tasks(std::in_place, kvl::config()
                                                       .clock(clock)
                                                       .load([](std::string_view key) { return std::string(key); })
                                                       .second_tier([&](kvl::l2_request request) { asked.put(std::move(request)); }));
    auto waits = tasks->fetch_future("a");
    {
        kvl::l2_request read = asked.take();
        CHECK(read.kind() == KVL_L2_READ && read.keys() == std::vector<std::string_view>{"a"});
        CHECK(read.hit(0, "this is no entry") == KVL_OK && read.miss(0) == KVL_ERR_ALREADY_ANSWERED && read.refused(0) == KVL_ERR_WRONG_KIND);
        CHECK(read.finish() == KVL_OK && waits.get()->bytes() == "a");
    }
    {
        kvl::l2_request fill = asked.take();
        CHECK(fill.kind() == KVL_L2_FILL && fill.entry(0) && !fill.entry(0)->ttl && fill.entry(0)->token.empty() && !fill.entry(1));
        CHECK(fill.finish() == KVL_OK && tasks->stats().l2_fills == 1);
    }
    waits = tasks->fetch_future("b");
    static_cast<void>(asked.take()); // a request that is dropped has failed
    CHECK(waits.get()->bytes() == "b" && tasks->stats().l2_errors == 1);
    tasks->cache().put("c", "1");
    {
        kvl::l2_request write = asked.take();
        clock.advance(5s);
        CHECK(write.finish() == KVL_LATE && tasks->stats().l2_write_errors == 1);
    }
    clock.advance(1s);
    CHECK(asked.take().finish() == KVL_OK && tasks->sync_second_tier(0ms));
    tasks->join();
    tasks.reset();
}

// A server whose connections have numbers. It answers nothing, and counts the requests of each connection.
struct numbered : kvl::l2_server {
    struct connection : kvl::l2_connection {
        explicit connection(int nth) : number(nth) {}
        ~connection() override { ended++; }
        kvl::status attach(kvl_tasks_t *) noexcept override { return KVL_OK; }
        std::string state() const override { return std::to_string(number); }
        int number;
    };
    static inline std::atomic<int> made{0}, ended{0};

    kvl::expected<std::unique_ptr<kvl::l2_connection>> connect(kvl_config_t *config) const override
    {
        const int number = ++made;
        auto serve = [](void *own, kvl_l2_request_t *request) noexcept {
            asked[static_cast<size_t>(*static_cast<int *>(own))]++;
            kvl_l2_request_finish(request);
        };
        CHECK(kvl_config_set_l2(config, 0, serve, new int(number), [](void *own) noexcept { delete static_cast<int *>(own); }) == KVL_OK);
        // Gives another thread the time to connect meanwhile.
        for (int left = 100; left > 0; left--)
            std::this_thread::yield();
        return std::unique_ptr<kvl::l2_connection>(std::make_unique<connection>(number));
    }
    static inline std::atomic<int> asked[64]{};
};

kvl::config with_a_server()
{
    return kvl::config().set("l2.timeout_ms", -1).load([](std::string_view key) { return std::string(key); }).second_tier(numbered());
}

void t02_each_engine_of_a_shared_configuration_gets_a_connection_of_its_own()
{
    const kvl::config config = with_a_server();
    std::vector<std::optional<kvl::tasks>> engines(8);
    std::vector<std::thread> threads;
    for (auto &engine : engines)
        threads.emplace_back([&] { engine.emplace(config); });
    for (auto &thread : threads)
        thread.join();
    for (auto &engine : engines) {
        auto &asked = numbered::asked[std::stoul(engine->second_tier_state().value())];
        CHECK(asked == 0);
        CHECK(engine->fetch_wait("a")->bytes() == "a" && asked > 0);
        engine->join();
    }
    CHECK(numbered::made == 8 && numbered::ended == 8);
}

#if KVL_EXCEPTIONS
void l01_a_join_in_a_callback_leaves_the_connection()
{
    kvl::tasks tasks(with_a_server());
    const int ended = numbered::ended;
    inbox<kvl::status> refused;
    CHECK(tasks.fetch("a", [&](const kvl::result &) {
        try {
            tasks.join();
            refused.put(KVL_OK);
        } catch (const kvl::failure &failure) {
            refused.put(failure.status());
        }
    }) == KVL_PENDING);
    CHECK(refused.take() == KVL_ERR_REENTRANT);
    CHECK(numbered::ended == ended && tasks.second_tier_state() && tasks.fetch_wait("b")->bytes() == "b");
    tasks.join();
    CHECK(numbered::ended == ended + 1 && !tasks.second_tier_state());
}
#endif

} // namespace

int main()
{
    t02_two_engines_share_what_one_loaded();
    t03_a_write_beats_an_older_load();
    t10_one_of_two_engines_loads_a_key_and_the_other_waits_for_it();
    t02_an_entry_with_no_time_left_is_a_miss();
#if KVL_EXCEPTIONS
    t01_an_unknown_ability_is_refused();
    t01_an_exception_fails_the_request_alone();
#endif
    t01_a_request_is_served_later_or_dropped();
    t02_each_engine_of_a_shared_configuration_gets_a_connection_of_its_own();
#if KVL_EXCEPTIONS
    l01_a_join_in_a_callback_leaves_the_connection();
#endif
    return done();
}
