// Accounts of this machine, by user id, from /etc/passwd: objects of the program's type, many keys in one request, exceptions of a
// provider, absent records, coroutines and futures.
//     c++ -std=c++20 accounts.cpp $(pkg-config --cflags --libs kvlight) -o accounts && ./accounts 0 1 33 12345 root
#include <kvlight.hpp>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

struct account {
    std::string name, home, shell;
};

// Reads the file once for all ids of a request.
void read_accounts(const kvl::request &request)
{
    std::cout << "reads /etc/passwd for " << request.size() << " ids\n";
    std::map<std::string, std::shared_ptr<account>> found;
    std::ifstream file("/etc/passwd");
    for (std::string line; std::getline(file, line);) {
        std::istringstream fields(line);
        std::string name, id, skipped, home, shell;
        std::getline(fields, name, ':');
        std::getline(fields, skipped, ':');
        std::getline(fields, id, ':');
        std::getline(fields, skipped, ':');
        std::getline(fields, skipped, ':');
        std::getline(fields, home, ':');
        std::getline(fields, shell, ':');
        found[id] = std::make_shared<account>(account{name, home, shell});
    }
    for (size_t i = 0; i < request.size(); i++) {
        std::string id(request[i]);
        if (id.find_first_not_of("0123456789") != std::string::npos)
            request.fail(i, kvl::error(EINVAL, "'" + id + "' is no user id", true)); // fails this key alone
        else
            request.resolve(i, found[id]); // a null pointer: known to be absent
    }
}

void print(const kvl::expected<kvl::value> &is, std::string_view id)
{
    std::cout << "  " << id << ": ";
    if (!is)
        std::cout << "failed: " << is.error().message() << "\n";
    else if (auto found = is->get<account>())
        std::cout << found->name << " in " << found->home << "\n";
    else
        std::cout << "there is none\n";
}

#if KVL_COROUTINES
// A minimal coroutine: it starts at once, and its future reports its end.
struct routine {
    struct promise_type {
        std::promise<void> done;
        routine get_return_object() { return {done.get_future()}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() { done.set_value(); }
        void unhandled_exception() { done.set_exception(std::current_exception()); }
    };
    std::future<void> done;
};

routine look_up(const kvl::tasks &accounts, std::vector<std::string> ids)
{
    for (const std::string &id : ids)
        print(co_await accounts.co_fetch(id), id); // cached by now: no switch to another thread
}
#endif

int main(int argc, char **argv)
{
    std::vector<std::string> ids(argv + std::min(argc, 1), argv + argc);
    if (ids.empty())
        ids = {"0", "1", "0", "12345", "root"};
    kvl::tasks accounts(kvl::config().set("cache.ttl_ms", std::chrono::minutes(5)).set("cache.error_ttl_ms", 1000).provider(read_accounts));

    std::cout << "by a batch\n";
    auto all = accounts.fetch_all_wait(ids).value();
    for (kvl::result one : all)
        print(one, one.key());
    std::cout << all.count(KVL_COUNT_VALUES) << " found, " << all.count(KVL_COUNT_NULLS) << " absent, " << all.count(KVL_COUNT_FAILED) << " failed\n";

    std::cout << "by a future\n";
    print(accounts.fetch_future(ids[0]).get(), ids[0]);
#if KVL_COROUTINES
    std::cout << "by a coroutine\n";
    look_up(accounts, ids).done.get();
#endif
    accounts.join();
}
