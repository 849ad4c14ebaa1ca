// The file of the program that is compiled without exceptions: see modes.hpp.
#include "modes.hpp"

#include <kvlight.hpp>

static kvl::config settings()
{
    return kvl::config().provider([](const kvl::request &asked) {
        for (std::size_t i = 0; i < asked.size(); i++) {
            if (asked[i] == "bad")
                asked.fail(i, 4, "bad key");
            else
                asked.resolve(i, std::string(asked[i]) + "!");
        }
        asked.finish();
    });
}

std::string fetched_without_exceptions()
{
    kvl::tasks engine(settings());
    std::string found(engine.fetch_wait("a").value().bytes());
    kvl::cache store = engine.cache();
    store.put("b", "b?");
    found += (*store.get("b")).bytes();
    engine.join();
    return found;
}

void fails_without_exceptions()
{
    kvl::tasks engine(settings());
    static_cast<void>(engine.fetch_wait("bad").value());
    std::abort();
}

int number_without_exceptions(kvl_value_t *value)
{
    auto found = kvl::value::share(value).get<number>();
    return found ? found->n : -1;
}
