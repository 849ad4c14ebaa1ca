// A process with an engine of kvlight.hpp and a kvl::redis, driven by commands on its input, like worker.c: `cpp URL`. The command `leave` ends the
// engine with its connection, and not the process.
#include <kvlight_redis.hpp>

#include <chrono>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>

namespace {

struct row {
    std::string from;
};

std::string encoded(const kvl::value &is)
{
    return is.get<row>()->from;
}

std::shared_ptr<row> decoded(std::string_view bytes)
{
    return std::make_shared<row>(row{std::string(bytes)});
}

std::mutex lock;
std::string answer = "nobody";

void set_answer(const std::string &is)
{
    std::lock_guard<std::mutex> guard(lock);
    answer = is;
}

const char *name_of(kvl_source_t source)
{
    return source == KVL_SOURCE_STORE ? "store" : source == KVL_SOURCE_PROVIDER ? "provider" : source == KVL_SOURCE_L2 ? "l2" : "other";
}

void fetch(const kvl::tasks &tasks, const std::string &key)
{
    for (kvl::result is : tasks.fetch_all_wait({key}).value())
        std::cout << "done " << key << " " << is.status() << " " << name_of(is.source()) << " " << is.get<row>()->from << std::endl;
}

} // namespace

int main(int, char **arguments)
{
    auto made = kvl::tasks::make(kvl::config()
        .set("cache.ttl_ms", std::chrono::hours(1))
        .set("timeout_ms", std::chrono::seconds(20))
        .set("l2.timeout_ms", std::chrono::seconds(10))
        .second_tier(kvl::redis(arguments[1], encoded, decoded))
        .load([](std::string_view) {
            std::lock_guard<std::mutex> guard(lock);
            return row{answer};
        }));
    if (!made) {
        std::cout << "refused " << made.error().message() << std::endl;
        return 0;
    }
    std::optional<kvl::tasks> tasks(*std::move(made));
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string command, key, value;
        words >> command >> key >> value;
        if (command == "fetch")
            fetch(*tasks, key);
        else if (command == "state")
            std::cout << "state " << tasks->second_tier_state().value() << std::endl;
        else {
            if (command == "put")
                tasks->cache().put(key, row{value});
            else if (command == "auto")
                set_answer(key);
            else if (command == "leave")
                tasks.reset();
            std::cout << "ok 0" << std::endl;
        }
    }
}
