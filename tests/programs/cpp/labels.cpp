// Tags, versions, and records that have not changed.
#include "check.hpp"

#include <map>

namespace {

using namespace std::chrono_literals;

void r11_a_tag_removes_its_entries()
{
    kvl::cache cache{kvl::config()};
    CHECK(cache.put("1", "one", kvl::terms().with_tag("odd").with_tag("small")) == KVL_OK);
    CHECK(cache.put("2", "two", kvl::terms().with_tag("small")) == KVL_OK);
    CHECK(cache.put("3", "three", kvl::terms().with_tag("odd")) == KVL_OK);
    CHECK(cache.remove_tag("odd") == 2 && cache.size() == 1 && cache.get("2")->bytes() == "two");
    CHECK(cache.remove_tag("odd") == 0 && cache.remove_tag("not there") == 0);
    cache.put("2", "zwei"); // a new value has the tags of its own put
    CHECK(cache.remove_tag("small") == 0 && cache.get("2")->bytes() == "zwei");
    std::string longest(KVL_LABEL_MAX, 'x');
#if KVL_EXCEPTIONS
    std::string too_long(KVL_LABEL_MAX + 1, 'x');
    for (const kvl::terms &wrong : {kvl::terms().with_tag(""), kvl::terms().with_tag(too_long), kvl::terms().with_version(too_long)}) {
        try {
            cache.put("4", "four", wrong);
            CHECK(!"the label is out of range");
        } catch (const kvl::failure &refused) {
            CHECK(refused.status() == KVL_ERR_BAD_VALUE);
        }
    }
#endif
    CHECK(cache.put("4", "four", kvl::terms().with_tag(longest).with_version(longest)) == KVL_OK && cache.remove_tag(longest) == 1);
}

void r12_tags_and_all_entries_expire_and_stay_as_fallbacks()
{
    std::atomic<bool> is_down{false};
    kvl::tasks tasks(kvl::config().set("cache.ttl_ms", 60s).set("stale.ttl_ms", 60s).provider([&](kvl::request asked) {
        for (std::size_t i = 0; i < asked.size(); i++) {
            if (is_down)
                asked.fail(i, 503, "down");
            else
                asked.resolve(i, std::string(asked[i]), kvl::terms().with_tag(asked[i] < "c" ? "early" : "late"));
        }
        asked.finish();
    }));
    CHECK(tasks.fetch_all_wait({"a", "b", "c"})->size() == 3);
    is_down = true;
    kvl::cache cache = tasks.cache();
    CHECK(cache.expire_tag("early") == 2 && !cache.contains("a") && cache.contains("c"));
    auto results = tasks.fetch_all_wait({"a", "b", "c"}).value();
    CHECK(results[0].is_stale() && results[1].is_stale() && !results[2].is_stale());
    cache.expire_all();
    CHECK(!cache.contains("c") && tasks.fetch_wait("c")->bytes() == "c");
    tasks.join(); // the provider uses variables of this function
}

void r06_a_record_that_has_not_changed_keeps_its_value()
{
    kvl::clock clock;
    std::mutex lock;
    std::map<std::string, std::string> versions{{"a", "v1"}, {"b", "w1"}};
    int held_entries = 0;
    kvl::tasks tasks(kvl::config().clock(clock).set("cache.ttl_ms", 100).set("stale.ttl_ms", 10s).provider([&](kvl::request asked) {
        std::lock_guard<std::mutex> guard(lock);
        for (std::size_t i = 0; i < asked.size(); i++) {
            const std::string version = versions[std::string(asked[i])];
            std::optional<kvl::stale_entry> stale = asked.stale(i);
            if (stale) {
                held_entries++;
                CHECK(stale->age == 150ms && stale->value.get<std::string>() != nullptr);
            } else {
                CHECK(asked.not_modified(i) == KVL_MISS);
            }
            if (stale && stale->version == version)
                CHECK(asked.not_modified(i, kvl::terms().ttl(500ms)) == KVL_OK);
            else
                asked.resolve(i, std::make_shared<std::string>(std::string(asked[i]) + version), kvl::terms().with_version(version).with_tag("t"));
        }
        CHECK(!asked.stale(asked.size()) && asked.not_modified(asked.size()) == KVL_ERR_OUT_OF_RANGE);
        asked.finish();
    }));
    std::shared_ptr<const std::string> first = tasks.fetch_wait("a")->get<std::string>();
    CHECK(tasks.fetch_wait("b").has_value());
    clock.advance(150ms);
    {
        std::lock_guard<std::mutex> guard(lock);
        versions["b"] = "w2";
    }
    auto results = tasks.fetch_all_wait({"a", "b"}).value();
    CHECK(results[0].get<std::string>() == first && !results[0].is_stale() && results[0].source() == KVL_SOURCE_PROVIDER);
    CHECK(*results[1].get<std::string>() == "bw2" && held_entries == 2);
    clock.advance(400ms);
    CHECK(tasks.cache().contains("a") && !tasks.cache().contains("b"));
    CHECK(tasks.cache().remove_tag("t") == 1); // an unmodified entry keeps its tags; the other entry has expired
    tasks.join(); // the provider uses variables of this function
}

} // namespace

int main()
{
    r11_a_tag_removes_its_entries();
    r12_tags_and_all_entries_expire_and_stay_as_fallbacks();
    r06_a_record_that_has_not_changed_keeps_its_value();
    return done();
}
