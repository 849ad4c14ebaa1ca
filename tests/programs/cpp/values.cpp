// Values of any type: bytes, objects by shared_ptr, null; and how arguments of providers and puts become values.
#include "check.hpp"
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <limits>
#include <memory_resource>
#if defined(__cpp_lib_ranges)
#include <algorithm>
#include <ranges>
#endif
#include <unistd.h>

namespace {

struct row {
    int id;
    std::string name;
};

struct counted {
    explicit counted(int &alive) : alive_(&alive) { ++*alive_; }
    counted(const counted &other) : alive_(other.alive_) { ++*alive_; }
    ~counted() { --*alive_; }
    int *alive_;
};

void bytes_are_copied_and_shared()
{
    std::string text = "seven";
    kvl::value value(text);
    kvl::value copy = value;
    text = "eight";
    CHECK(copy.bytes() == "seven" && copy.bytes().data() == value.bytes().data());
    CHECK(value && !value.is_null() && value.get<row>() == nullptr && value.cost() == 5);
    kvl::value empty("");
    CHECK(empty && empty.bytes().empty());
}

void absence_has_several_forms()
{
    CHECK(kvl::value().is_null() && !kvl::value(nullptr) && !kvl::value(std::nullopt));
    CHECK(!kvl::value(std::shared_ptr<row>()) && !kvl::value(std::optional<std::string>()));
    CHECK(kvl::value(std::optional<std::string>("x")).bytes() == "x");
}

void l09_a_null_text_is_an_absence_and_no_key()
{
    const char *none = nullptr;
    char *row = nullptr;
    CHECK(!kvl::value(none) && !kvl::value::of(none) && !kvl::value::of(row) && !kvl::value(std::optional<const char *>(none)));
    kvl::cache cache{kvl::config()};
    CHECK(cache.put("k", row) == KVL_OK && cache.get("k")->is_null());
    CHECK(cache.put("k", "v", kvl::terms().with_version(none)) == KVL_OK && cache.get("k")->bytes() == "v");
    kvl::tasks tasks(kvl::config().load([](std::string_view) -> const char * { return nullptr; }));
    CHECK(tasks.fetch_wait("k")->is_null());
    CHECK(tasks.fetch_wait(none).error().status() == KVL_ERR_NULL_POINTER && tasks.fetch_future(row).get().error().status() == KVL_ERR_NULL_POINTER);
    CHECK(tasks.fetch(none, [](const kvl::result &) {}) == KVL_ERR_NULL_POINTER);
    CHECK(tasks.fetch_all_wait({"k", none}).error().status() == KVL_ERR_NULL_POINTER);
    CHECK(tasks.fetch_all_wait(std::vector<const char *>{none}).error().status() == KVL_ERR_NULL_POINTER);
    CHECK(tasks.fetch_wait(std::string_view())->is_null() && tasks.fetch_all_wait({std::string()})->size() == 1); // an empty key is a key
    tasks.join();
    kvl::tasks failing(kvl::config().provider([=](const kvl::request &asked) {
        CHECK(asked.supply(none, "v") == KVL_ERR_NULL_POINTER);
        asked.fail(0, 7, none);
    }));
    CHECK(failing.fetch_wait("k").error().code() == 7);
    failing.join();
    CHECK(kvl::error(0, none).code() == 0 && kvl::error::gone(5, none).is_permanent() && kvl::error::of_any(none).status() == KVL_ERR_PROVIDER);
#if KVL_EXCEPTIONS
    auto is_refused = [](auto call) {
        try {
            call();
        } catch (const kvl::failure &failure) {
            return failure.status() == KVL_ERR_NULL_POINTER;
        }
        return false;
    };
    CHECK(is_refused([&] { return cache.get(none); }) && is_refused([&] { return cache.put(row, "v"); }));
    CHECK(is_refused([&] { return cache.remove_tag(none); }) && is_refused([&] { return cache.put("k", "v", kvl::terms().with_tag(none)); }));
#endif
}

void objects_keep_their_type()
{
    auto object = std::make_shared<row>(row{7, "seven"});
    kvl::value value(object);
    CHECK(value.get<row>() == object && value.get<row>()->name == "seven" && value.cost() == sizeof(row));
    CHECK(value.get<const row>() == object && value.get<int>() == nullptr && value.get<std::string>() == nullptr);
    kvl::value constant(std::shared_ptr<const row>(object), 1000);
    CHECK(constant.get<row>() == object && constant.cost() == 1000);
    CHECK(kvl::value::of(row{8, "eight"}).get<row>()->id == 8);
    CHECK(kvl::value::of(std::vector<int>{1, 2}).get<std::vector<int>>()->size() == 2);
    CHECK(kvl::value::of(std::string("text")).bytes() == "text" && kvl::value::of("text").bytes() == "text");
    CHECK(kvl::value::of(std::optional<row>(row{9, "nine"})).get<row>()->id == 9);
}

struct label {
    operator std::string_view() const { return "label"; }
};

void l09_text_of_any_type_is_bytes_and_a_null_pointer_is_an_absence()
{
    CHECK(kvl::value::of(std::pmr::string("pmr")).bytes() == "pmr" && kvl::value::of(label()).bytes() == "label");
    CHECK(kvl::value::of(std::optional<std::pmr::string>("pmr")).bytes() == "pmr");
    CHECK(!kvl::value::of(std::unique_ptr<row>()) && !kvl::value::of(std::optional<std::unique_ptr<row>>(nullptr)));
    CHECK(!kvl::value::of(static_cast<row *>(nullptr)));
    CHECK((*kvl::value::of(std::make_unique<row>(row{7, "seven"})).get<std::unique_ptr<row>>())->id == 7);
    kvl::cache cache{kvl::config()};
    CHECK(cache.put("k", std::pmr::string("pmr")) == KVL_OK && cache.get("k")->bytes() == "pmr");
}

void l09_a_value_that_was_moved_from_is_null()
{
    kvl::value value("v");
    const kvl::value moved = std::move(value);
    kvl::cache cache{kvl::config()};
    CHECK(cache.put("k", value) == KVL_OK && cache.get("k")->is_null() && cache.compare_put("k", value, moved) == KVL_OK);
    kvl::tasks tasks(kvl::config().provider([&](const kvl::request &asked) {
        CHECK(asked.supply("extra", value) == KVL_OK && asked.resolve(0, value) == KVL_OK);
    }));
    CHECK(tasks.fetch_wait("k")->is_null() && tasks.get("extra")->is_null());
    tasks.join();
}

void values_can_be_compared()
{
    const kvl::value bytes("seven"), object(std::make_shared<row>(row{7, "seven"}));
    CHECK(bytes == kvl::value(std::string("seven")) && bytes != kvl::value("eight") && bytes != nullptr && bytes == "seven" && bytes != object);
    CHECK(object == kvl::value(object) && object != kvl::value::of(row{7, "seven"}) && kvl::value() == nullptr && kvl::value("") != kvl::value());
    kvl::value moved = bytes;
    kvl::value taken = std::move(moved);
    CHECK(taken == bytes && moved == nullptr);
}

void l04_an_object_is_destroyed_once()
{
    int alive = 0;
    std::shared_ptr<const counted> kept;
    {
        kvl::cache cache{kvl::config().set("cache.capacity", 2)};
        for (int i = 0; i < 5; i++)
            CHECK(cache.put(std::to_string(i), std::make_shared<counted>(alive)) == KVL_OK);
        CHECK(alive == 2);
        kept = cache.get("4")->get<counted>();
        CHECK(cache.remove("4") && alive == 2);
        CHECK(cache.put("5", counted(alive), kvl::terms().ttl(kvl::milliseconds(0))) == KVL_REFUSED);
        CHECK(alive == 2); // the call has destroyed the rejected value and its arguments
    }
    CHECK(alive == 1); // S16: a returned value outlives the store
    kept.reset();
    CHECK(alive == 0);
}

void a_cache_works_without_an_engine()
{
    kvl::clock clock;
    int gone = 0;
    kvl::cache cache(kvl::config().clock(clock).validator([](std::string_view key) { return key != "bad"; }).removal_listener(
        [&](const kvl::result &entry, kvl_cause_t why) { gone += entry.key() == "a" && why == KVL_CAUSE_EXPIRED; }));
    CHECK(!cache.get("a") && cache.put("a", "1", kvl::terms().ttl(kvl::milliseconds(1000))) == KVL_OK);
    CHECK(cache.put("null", nullptr) == KVL_OK && cache.get("null") && !*cache.get("null"));
    CHECK(cache.put("bad", "1") == KVL_INVALID_KEY && !cache.contains("bad"));
    kvl::cache same = cache;
    CHECK(same.peek("a")->bytes() == "1" && same.size() == 2);
    clock.advance(kvl::milliseconds(2000));
    CHECK(!cache.contains("a") && same.size() == 1 && gone == 1);
    CHECK(cache.put("b", "2") == KVL_OK && cache.take("b")->bytes() == "2" && !cache.take("b"));
    cache = kvl::cache(kvl::config());
    CHECK(cache.size() == 0 && same.size() == 1);
}

void s17_a_put_can_depend_on_the_current_entry()
{
    kvl::clock clock;
    kvl::cache cache(kvl::config().clock(clock));
    CHECK(cache.put("k", "1", kvl::terms().if_present()) == KVL_MISS);
    CHECK(cache.put("k", "1", kvl::terms().if_absent().ttl(kvl::milliseconds(50))) == KVL_OK);
    CHECK(cache.put("k", "2", kvl::terms().if_absent()) == KVL_CONFLICT);
    kvl::value one = *cache.get("k");
    clock.advance(kvl::milliseconds(10));
    CHECK(cache.compare_put("k", kvl::value::of("1"), "2") == KVL_CONFLICT);
    CHECK(cache.compare_put("k", one, "2", kvl::terms().keep_ttl()) == KVL_OK && cache.get("k")->bytes() == "2");
    clock.advance(kvl::milliseconds(40));
    CHECK(!cache.contains("k") && !cache.touch("k"));
    cache.put("k", "3", kvl::terms().ttl(kvl::milliseconds(50)));
    CHECK(cache.touch("k", kvl::milliseconds(70)));
    clock.advance(kvl::milliseconds(60));
    CHECK(cache.contains("k") && cache.touch("k"));
    clock.advance(kvl::milliseconds(60));
    CHECK(cache.contains("k"));
}

// Sets a setting, and returns its text, or why the value was refused. The text of kvl::options is empty, since they cannot be read.
template <class Configurable, class Time> std::string set_to(Configurable where, const char *setting, Time time)
{
    where.set(setting, time);
    if (where.problem() != nullptr)
        return where.problem();
    kvl_value_t *text = nullptr;
    if constexpr (std::is_same_v<Configurable, kvl::config>)
        CHECK(kvl_config_get(where.get(), setting, &text) == KVL_OK);
    return std::string(kvl::value::own(text).bytes());
}

void l09a_a_duration_is_rounded_up_to_the_unit_of_its_setting()
{
    using namespace std::chrono_literals;
    CHECK(set_to(kvl::config(), "batch.linger_us", 5ms) == "5000" && set_to(kvl::config(), "batch.linger_us", 500us) == "500");
    CHECK(set_to(kvl::config(), "batch.linger_us", 1ns) == "1" && set_to(kvl::config(), "batch.linger_us", 1s) == "1000000");
    CHECK(set_to(kvl::config(), "cache.ttl_ms", 2s) == "2000" && set_to(kvl::config(), "cache.ttl_ms", 500us) == "1");
    CHECK(set_to(kvl::config(), "timeout_ms", 1ns) == "1" && set_to(kvl::config(), "timeout_ms", -1) == "-1");
    CHECK(set_to(kvl::config(), "cache.ttl_ms", std::chrono::hours::max()) == std::to_string(INT64_MAX));
    CHECK(set_to(kvl::config(), "cache.ttl_ms", std::chrono::hours::min()).find("takes a whole number") != std::string::npos);
    CHECK(set_to(kvl::config(), "cache.ttl_ms", -500us).find(", not \"a time of -1 ms\"") != std::string::npos);
    CHECK(set_to(kvl::config(), "batch.linger_us", -1ns).find(", not \"a time of -1 us\"") != std::string::npos);
    CHECK(set_to(kvl::config(), "cache.ttl_ms", std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())).find("takes a whole number") != std::string::npos);
    CHECK(set_to(kvl::config(), "timeout_ms", 0ms) == "\"timeout_ms\" takes -1 or a whole number from 1, not 0");
    CHECK(set_to(kvl::options(), "timeout_ms", 100us).empty() && !set_to(kvl::options(), "timeout_ms", 0s).empty());
}

void l09b_a_null_pointer_is_refused_as_a_setting()
{
    const char *none = nullptr;
    CHECK(set_to(kvl::config(), "cache.policy", none).find("\"cache.policy\" takes") == 0);
    CHECK(set_to(kvl::config(), "cache.capacity", nullptr).find("\"cache.capacity\" takes") == 0 && !set_to(kvl::config(), none, -1).empty());
    CHECK(!set_to(kvl::config(), none, std::chrono::seconds(1)).empty() && !set_to(kvl::config(), none, none).empty());
    CHECK(!set_to(kvl::options(), "read", none).empty() && !set_to(kvl::options(), none, 5).empty());
    CHECK(kvl::cache::make(kvl::config().set("cache.policy", none)).error().status() == KVL_ERR_BAD_VALUE);
}

void l09b_a_setting_can_be_a_string()
{
    const std::string name = "cache.policy", value = "s3fifo";
    CHECK(set_to(kvl::config(), "cache.policy", value) == "s3fifo" && set_to(kvl::config(), "cache.policy", std::string_view("lru, s3fifo").substr(5)) == "s3fifo");
    kvl::config config;
    config.set(name, value).set(std::string_view("cache.capacity"), 5).set(std::string("cache.ttl_ms"), std::chrono::seconds(1));
    CHECK(config.problem() == nullptr && kvl::config().set(name, value).set(std::string("cache.seed"), 7u).problem() == nullptr);
    CHECK(kvl::options().set(std::string("read"), std::string("no_store")).set(std::string("timeout_ms"), 5).problem() == nullptr);
    // C would read only what is before the NUL.
    const std::string cut("lru\0x", 5);
    CHECK(kvl::config().set("cache.policy", cut).problem() != nullptr && kvl::config().set("cache.policy", std::string_view(cut)).problem() != nullptr);
    CHECK(kvl::config().set(std::string("cache.capacity\0x", 16), 5).problem() != nullptr);
#if KVL_EXCEPTIONS
    const kvl::cache cache{kvl::config()};
    for (const bool is_save : {true, false}) {
        kvl::status refused = KVL_OK;
        try {
            is_save ? cache.save(std::string("a\0b", 3)) : cache.load(std::string("a\0b", 3));
        } catch (const kvl::failure &failure) {
            refused = failure.error().status();
        }
        CHECK(refused == KVL_ERR_INVALID_ARG);
    }
#endif
}

// The library states "no limit" as a negative number, which a computed time that is over must never become.
void l09b_a_negative_time_is_over_and_never_without_limit()
{
    using namespace std::chrono_literals;
    kvl::cache cache{kvl::config()};
    for (auto over : {0ms, -1ms, -2ms, -3ms}) {
        CHECK(cache.put("k", "v") == KVL_OK && cache.put("k", "v", kvl::terms().ttl(over)) == KVL_REFUSED && !cache.contains("k"));
        CHECK(kvl::error(5, "five").retry_after(over).retry_after() == 0ms);
        for (auto setting : {"timeout_ms", "cache.ttl_ms", "l2.timeout_ms"})
            CHECK(over == 0ms || set_to(kvl::config(), setting, over).find(", not \"a time of " + std::to_string(over.count()) + " ms\"") != std::string::npos);
        CHECK(kvl::options().timeout(over).problem() == nullptr);
        CHECK(kvl::options().set("retry.budget_ms", over - 1ms).problem() != nullptr);
        CHECK(kvl::options().set("retry.budget_ms", over - 500us).problem() != nullptr);
#if KVL_EXCEPTIONS
        CHECK(cache.put("k", "v") == KVL_OK);
        try {
            cache.touch("k", over);
            CHECK(!"it throws");
        } catch (const kvl::failure &failure) {
            CHECK(failure.status() == KVL_ERR_BAD_VALUE && cache.contains("k"));
        }
#endif
    }
    CHECK(cache.put("k", "v", kvl::terms().ttl(std::nullopt)) == KVL_OK && cache.touch("k", std::nullopt));
}

void l09a_a_number_above_the_range_of_int64_is_rejected()
{
    const uint64_t above = static_cast<uint64_t>(INT64_MAX) + 1;
    CHECK(set_to(kvl::config(), "cache.cost_limit", UINT64_MAX) == "\"cache.cost_limit\" takes a whole number from -1, not \"18446744073709551615\"");
    CHECK(set_to(kvl::config(), "cache.cost_limit", above).find("9223372036854775808") != std::string::npos);
    CHECK(set_to(kvl::config(), "cache.cost_limit", above - 1) == std::to_string(INT64_MAX) && set_to(kvl::config(), "cache.cost_limit", -1) == "-1");
    CHECK(!set_to(kvl::options(), "timeout_ms", UINT64_MAX).empty() && set_to(kvl::options(), "timeout_ms", 5u).empty());
}

/* A range that creates its elements when they are read, like std::views::transform. */
template <class Element> struct created {
    struct iterator {
        Element operator*() const { return Element("a key that is too long for the space inside a string"); }
        iterator &operator++() { return left--, *this; }
        bool operator!=(const iterator &other) const { return left != other.left; }
        int left;
    };
    iterator begin() const { return {2}; }
    iterator end() const { return {0}; }
};

void f04_keys_are_views_of_strings_that_exist()
{
    static_assert(!std::is_constructible_v<kvl::keys, created<std::string>>);
    static_assert(std::is_constructible_v<kvl::keys, created<std::string_view>> && std::is_constructible_v<kvl::keys, created<const char *>>);
    static_assert(std::is_constructible_v<kvl::keys, std::vector<std::string>> && !std::is_constructible_v<kvl::keys, std::vector<int>>);
    CHECK(kvl::keys(created<std::string_view>()).size() == 2 && kvl::keys({"a", "b", "c"}).size() == 3);
    kvl::keys several{"a", "b"};
    CHECK(kvl::keys(several).size() == 2 && kvl::keys(std::vector<std::string>(5)).size() == 5);
}

#if defined(__cpp_lib_ranges)
void f04_any_range_of_strings_is_keys_and_results_are_a_range()
{
    static_assert(std::ranges::input_range<kvl::results> && std::ranges::input_range<const kvl::results> && std::ranges::input_range<kvl::entries>);
    const std::vector<std::string> names{"a", "bb", "c"};
    auto is_short = [](const std::string &name) { return name.size() == 1; };
    auto short_names = names | std::views::filter(is_short);
    kvl::tasks tasks(kvl::config().load([](std::string_view key) { return std::string(key); }));
    const kvl::results found = tasks.fetch_all_wait(short_names).value();
    std::string all;
    for (kvl::result result : found | std::views::filter([](const kvl::result &is) { return is.key() != "a"; }))
        all += result.bytes();
    CHECK(found.size() == 2 && all == "c" && tasks.fetch_all_wait(names | std::views::filter(is_short))->size() == 2);
    CHECK(std::ranges::count_if(found, [](const kvl::result &is) { return is.bytes() == is.key(); }) == 2);
    kvl::cache cache = tasks.cache();
    kvl::entries entries = cache.entries();
    CHECK(std::ranges::distance(entries) == 2);
    // Each element of such a range is the same string.
    static_assert(!std::is_constructible_v<kvl::keys, std::ranges::istream_view<std::string>>);
    static_assert(std::is_constructible_v<kvl::keys, decltype(short_names) &> && std::is_constructible_v<kvl::keys, decltype(names | std::views::reverse)>);
    tasks.join();
}
#endif

void s18_iteration_returns_all_entries_and_a_save_writes_them()
{
    kvl::cache cache{kvl::config()};
    for (int i = 0; i < 500; i++)
        cache.put(std::to_string(i), std::to_string(i));
    cache.put("none", nullptr);
    int values = 0, nulls = 0, wrong = 0;
    for (kvl::result entry : cache.entries()) {
        nulls += entry.is_null();
        values += !entry.is_null();
        wrong += !entry.is_null() && entry.bytes() != entry.key();
        cache.remove("none");
    }
    CHECK(values == 500 && nulls <= 1 && wrong == 0);
    kvl::cache empty{kvl::config()};
    kvl::entries none = empty.entries();
    CHECK(none.begin() == none.end());
    std::string path = "/tmp/kvlight-cpp-" + std::to_string(getpid());
    CHECK(cache.save(path.c_str()).entries == 500);
    CHECK(cache.save(path).entries == 500 && kvl::cache{kvl::config()}.load(path).entries == 500);
    CHECK(empty.load(path.c_str()).entries == 500 && empty.get("7")->bytes() == "7");
    CHECK(std::remove(path.c_str()) == 0);
}

} // namespace

int main()
{
    bytes_are_copied_and_shared();
    absence_has_several_forms();
    l09_a_null_text_is_an_absence_and_no_key();
    objects_keep_their_type();
    l09_text_of_any_type_is_bytes_and_a_null_pointer_is_an_absence();
    l09_a_value_that_was_moved_from_is_null();
    values_can_be_compared();
    l04_an_object_is_destroyed_once();
    a_cache_works_without_an_engine();
    s17_a_put_can_depend_on_the_current_entry();
    l09a_a_duration_is_rounded_up_to_the_unit_of_its_setting();
    l09b_a_null_pointer_is_refused_as_a_setting();
    l09b_a_setting_can_be_a_string();
    l09b_a_negative_time_is_over_and_never_without_limit();
    l09a_a_number_above_the_range_of_int64_is_rejected();
    f04_keys_are_views_of_strings_that_exist();
#if defined(__cpp_lib_ranges)
    f04_any_range_of_strings_is_keys_and_results_are_a_range();
#endif
    s18_iteration_returns_all_entries_and_a_save_writes_them();
    return done();
}
