// A process with an engine of kvlight.hpp and a kvl::redis, driven by commands on its input, like worker.c: `cpp [bytes] URL`. Its values are
// objects; with `bytes` they are texts, for which kvl::redis needs no functions. The URL `null` stands for a null pointer, and `nul`
// for a URL with a NUL. An object `alone` has no bytes, and the bytes `broken` are no object. Its other commands are about engines, all of one configuration:
//
//     leave      ends the engine and its connection, but not the process: by the destructor, or with `bytes` by join()
//     another    creates another engine, which the next commands are for
//     use N      the next commands are for the engine with this number, counted from 0
//     replace    moves a new engine into the place of the current one
#include <kvlight_redis.hpp>

#include <chrono>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct row {
    std::string from;
};

const char *encoded(const kvl::value &value)
{
    const auto object = value.get<row>();
    return object->from == "alone" ? nullptr : object->from.c_str();
}

kvl::expected<std::shared_ptr<row>> decoded(std::string_view bytes)
{
    if (bytes == "broken")
        return kvl::error(0, "broken");
    return std::make_shared<row>(row{std::string(bytes)});
}

std::mutex lock;
std::string answer = "nobody";

void set_answer(const std::string &text)
{
    std::lock_guard<std::mutex> guard(lock);
    answer = text;
}

std::string current_answer()
{
    std::lock_guard<std::mutex> guard(lock);
    return answer;
}

const char *name_of(kvl_source_t source)
{
    return source == KVL_SOURCE_STORE ? "store" : source == KVL_SOURCE_PROVIDER ? "provider" : source == KVL_SOURCE_L2 ? "l2" : "other";
}

void fetch(const kvl::tasks &tasks, const std::string &key)
{
    for (kvl::result result : tasks.fetch_all_wait({key}).value()) {
        const auto object = result.get<row>();
        std::cout << "done " << key << " " << result.status() << " " << name_of(result.source()) << " " << (object ? object->from : result.bytes()) << std::endl;
    }
}

} // namespace

int main(int count, char **arguments)
{
    const bool has_bytes = count > 2;
    const char *url = arguments[count - 1] == std::string("null") ? nullptr : arguments[count - 1];
    kvl::config config;
    config.set("cache.ttl_ms", std::chrono::hours(1)).set("timeout_ms", std::chrono::seconds(20)).set("l2.timeout_ms", std::chrono::seconds(10));
    const std::string with_nul = std::string("redis://localhost/?prefix=a") + '\0' + "b";
    if (arguments[count - 1] == std::string("nul"))
        config.second_tier(has_bytes ? kvl::redis(with_nul) : kvl::redis(with_nul, encoded, decoded)).load([](std::string_view) { return current_answer(); });
    else if (has_bytes)
        config.second_tier(kvl::redis(url)).load([](std::string_view) { return current_answer(); });
    else
        config.second_tier(kvl::redis(url, encoded, decoded)).load([](std::string_view) { return row{current_answer()}; });
    auto made = kvl::tasks::make(config);
    if (!made) {
        std::cout << "refused " << made.error().message() << std::endl;
        return 0;
    }
    std::vector<std::optional<kvl::tasks>> engines;
    engines.emplace_back(*std::move(made));
    size_t used = 0;
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string command, key, value;
        words >> command >> key >> value;
        auto &tasks = engines.at(used);
        if (command == "fetch")
            fetch(*tasks, key);
        else if (command == "state")
            std::cout << "state " << tasks->second_tier_state().value() << std::endl;
        else {
            if (command == "put")
                tasks->cache().put(key, has_bytes ? kvl::value(value) : kvl::value::of(row{value}));
            else if (command == "auto")
                set_answer(key);
            else if (command == "leave" && has_bytes)
                tasks->join();
            else if (command == "leave")
                tasks.reset();
            else if (command == "another") {
                used = engines.size();
                engines.emplace_back(config);
            } else if (command == "use")
                used = std::stoul(key);
            else if (command == "replace")
                *tasks = kvl::tasks(config);
            std::cout << "ok 0" << std::endl;
        }
    }
}
