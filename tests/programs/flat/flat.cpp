// Repeating any operation in C++ does not increase memory (rule L08). KVL_CALLS is how often a cheap operation is repeated; `make test-long` sets
// a million. A costly operation is repeated once for every 100 or 500 of these.
#include "../cpp/check.hpp"

#include <cstdlib>
#include <malloc.h>
#include <stdexcept>

namespace {

constexpr long default_calls = 20000, warm_up = 100000, batch = 100;
// The growth, in bytes, that blocks kept by libc for each thread may cause.
constexpr size_t allowed = 128 << 10;

size_t in_use()
{
    const auto all = mallinfo2();
    return all.uordblks + all.hblkhd;
}

kvl::config config_of_texts()
{
    return kvl::config().set("cache.capacity", 1000).load([](std::string_view key) -> std::optional<std::string> { return "value of " + std::string(key); });
}

template <class Work> void l08_memory_is_flat_over(const char *what, long calls, Work work)
{
    size_t grown = allowed + 1;
    long last = 0;
    const auto run = [&](long n) {
        for (long i = 0; i < n; i++)
            work(last++);
    };

    run(std::min(calls, warm_up));
    // A leak grows in every round. A structure that has not reached its limit grows only in some.
    for (int round = 0; round < 3 && grown > allowed; round++) {
        const size_t before = in_use();
        run(calls);
        const size_t after = in_use();
        grown = after > before ? after - before : 0;
    }
    CHECK(grown <= allowed);
    if (grown > allowed)
        std::cout << "    " << what << ": the memory has grown by " << grown << " bytes after " << calls << " calls" << std::endl;
}

struct object {
    std::string text = std::string(40, 'x');
};

} // namespace

int main()
{
    const char *stated = std::getenv("KVL_CALLS");
    const long calls = stated == nullptr ? default_calls : std::atol(stated);
    kvl::tasks tasks(config_of_texts());
    kvl::tasks failing(kvl::config().set("cache.capacity", 1000).load([](std::string_view) -> std::optional<std::string> {
        throw std::runtime_error("no such host, at each attempt");
    }));
    kvl::cache cache = tasks.cache();
    const auto key = [](const char *prefix, long i) { return prefix + std::to_string(i); };

    l08_memory_is_flat_over("gets", calls, [&](long i) { (void)tasks.get(key("k", i % 2000)); });
    l08_memory_is_flat_over("puts", calls, [&](long i) { CHECK(cache.put(key("k", i % 2000), "value") == KVL_OK); });
    l08_memory_is_flat_over("puts of objects", calls, [&](long i) { CHECK(cache.put(key("o", i % 2000), kvl::value::of(object())) == KVL_OK); });
    l08_memory_is_flat_over("loads", calls, [&](long i) { CHECK(tasks.fetch_wait(key("l", i)).has_value()); });
    l08_memory_is_flat_over("futures", calls, [&](long i) { CHECK(tasks.fetch_future(key("u", i)).get().has_value()); });
    l08_memory_is_flat_over("callbacks", calls, [&](long i) {
        inbox<bool> delivered;
        CHECK(tasks.fetch(key("c", i), [&delivered, held = std::make_shared<long>(i)](kvl::expected<kvl::value> is) { delivered.put(is.has_value()); }) == KVL_PENDING);
        CHECK(delivered.take());
    });
    l08_memory_is_flat_over("failures", calls, [&](long i) { CHECK(!failing.fetch_wait(key("f", i)).has_value()); });
    l08_memory_is_flat_over("batches", calls / batch, [&](long i) {
        std::vector<std::string> names;
        for (long at = 0; at < batch; at++)
            names.push_back(key("b", i * batch + at));
        const std::vector<std::string_view> keys(names.begin(), names.end());
        CHECK(tasks.fetch_all_wait(keys).value().count(KVL_COUNT_VALUES) == batch);
        CHECK(failing.fetch_all_wait(keys).value().count(KVL_COUNT_FAILED) == batch);
    });
    l08_memory_is_flat_over("engines", calls / 500, [&](long) { CHECK(kvl::tasks(config_of_texts()).fetch_wait("a").has_value()); });
    return done();
}
