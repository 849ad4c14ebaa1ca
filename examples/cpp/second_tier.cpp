// A second tier that two engines share, as two processes would share a cache server: what one has loaded the other finds, and a write of one
// is seen by the other.
//     c++ -std=c++17 second_tier.cpp $(pkg-config --cflags --libs kvlight) -o second_tier && ./second_tier
//
// The store is a map in memory. It does what a cache server would do: it keeps bytes under keys, grants a lease to the first reader of a
// missing key, and stores what was loaded only while that lease stands. So a load that began before a write cannot come back after it.
#include <kvlight.hpp>

#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <string>

class shared_store {
public:
    // Called with the keys that were written; with none after a clear.
    using listener = std::function<void(const std::vector<std::string_view> &)>;

    void add(listener told) { listeners_.push_back(std::move(told)); }

    // Called on threads of the library, several at a time.
    void serve(const kvl::l2_request &request)
    {
        {
            std::lock_guard<std::mutex> guard(lock_);
            for (size_t i = 0; i < request.size(); i++) {
                switch (request.kind()) {
                case KVL_L2_READ: read(request, i); break;
                case KVL_L2_FILL:
                case KVL_L2_WRITE: keep(request, i); break;
                case KVL_L2_REMOVE: rows_.erase(std::string(request[i])); break;
                }
            }
            if (request.kind() == KVL_L2_CLEAR)
                rows_.clear();
        }
        // The notice is sent after the change, never before.
        if (request.kind() != KVL_L2_READ && request.kind() != KVL_L2_FILL)
            for (const listener &told : listeners_)
                told(request.keys());
        request.finish();
    }

private:
    struct row {
        std::string token; // changes with each write
        std::optional<std::string> entry; // empty: only a lease
        std::optional<std::chrono::steady_clock::time_point> end; // when the entry expires; empty: it does not
    };

    std::string new_token() { return std::to_string(++tokens_); }

    void read(const kvl::l2_request &request, size_t i)
    {
        auto [at, is_new] = rows_.try_emplace(std::string(request[i]));
        std::optional<std::chrono::milliseconds> left;
        if (at->second.end) {
            left = std::chrono::duration_cast<std::chrono::milliseconds>(*at->second.end - std::chrono::steady_clock::now());
            if (left->count() <= 0) { // without this the entry would never expire: each hit would begin its TTL anew
                at->second = {};
                is_new = true;
            }
        }
        if (at->second.entry) {
            request.hit(i, *at->second.entry, left, at->second.token);
        } else if (is_new || request.steals(i)) {
            at->second.token = new_token(); // the lease
            request.miss(i, at->second.token);
        } else {
            request.leased(i); // the other engine loads it, and this one looks again soon
        }
    }

    void keep(const kvl::l2_request &request, size_t i)
    {
        auto entry = request.entry(i);
        if (!entry)
            return;
        auto at = rows_.find(std::string(request[i]));
        if (request.kind() == KVL_L2_FILL && (at == rows_.end() || at->second.token != entry->token)) {
            request.refused(i); // written, or evicted, since it was read
            return;
        }
        row stored{new_token(), std::string(entry->data), std::nullopt};
        if (entry->ttl)
            stored.end = std::chrono::steady_clock::now() + *entry->ttl;
        rows_[std::string(request[i])] = std::move(stored);
    }

    std::mutex lock_;
    std::map<std::string, row> rows_;
    uint64_t tokens_ = 0;
    std::vector<listener> listeners_;
};

kvl::config engine(shared_store &store, const char *name)
{
    return kvl::config()
        .load([name](std::string_view key) {
            std::cout << "  engine " << name << " loads " << key << " from the source\n";
            return "row of " + std::string(key);
        })
        .second_tier([&store](const kvl::l2_request &request) { store.serve(request); }, KVL_L2_F_CONDITIONAL | KVL_L2_F_LEASES)
        .set("l2.timeout_ms", -1); // the map answers at once, however slow the machine is
}

void show(const char *name, const kvl::tasks &rows, const char *key)
{
    const uint64_t hits = rows.stats().l2_hits;
    const kvl::value found = rows.fetch_wait(key).value();
    std::cout << "engine " << name << ": " << key << " = " << found.bytes() << (rows.stats().l2_hits > hits ? " (second tier)" : "") << "\n";
}

int main()
{
    shared_store store;
    kvl::tasks first(engine(store, "A")), second(engine(store, "B"));
    for (const kvl::tasks *rows : {&first, &second})
        store.add([rows](const std::vector<std::string_view> &keys) { keys.empty() ? rows->invalidate_all() : rows->invalidate(keys); });

    show("A", first, "user:7");
    while (first.stats().l2_fills + first.stats().l2_fills_refused == 0)
        ; // the second tier is filled after the caller has its answer
    show("B", second, "user:7");
    show("B", second, "user:7");

    std::cout << "engine A writes user:7\n";
    first.cache().put("user:7", "written by A");
    first.sync_second_tier();
    show("B", second, "user:7");

    first.join();
    second.join();
}
