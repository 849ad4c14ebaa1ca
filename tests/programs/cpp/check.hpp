// Checks for the programs in this folder. CHECK continues after a failure, so that one run shows every failure; done() prints the number
// of checks, and returns the program's exit code.
#ifndef KVL_TESTS_CHECK_HPP
#define KVL_TESTS_CHECK_HPP

#include <kvlight.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <optional>
#include <thread>

inline std::atomic<int> checks_done{0}, checks_failed{0};

inline void check_at(bool holds, const char *what, const char *file, int line)
{
    checks_done++;
    if (!holds) {
        checks_failed++;
        std::cout << file << ":" << line << ": check failed: " << what << std::endl;
    }
}
#define CHECK(...) check_at(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)

// Hands the argument of a callback to a waiting thread. A std::promise must outlive the call of set_value() that wakes the waiter; an inbox
// may be destroyed as soon as take() returns.
template <class T> class inbox {
public:
    void put(T value)
    {
        std::lock_guard<std::mutex> guard(lock_);
        value_.emplace(std::move(value));
        changed_.notify_all();
    }
    T take()
    {
        std::unique_lock<std::mutex> guard(lock_);
        changed_.wait(guard, [this] { return value_.has_value(); });
        T value = *std::move(value_);
        value_.reset();
        return value;
    }

private:
    std::mutex lock_;
    std::condition_variable changed_;
    std::optional<T> value_;
};

// Waits, for ten seconds at most, until this is the only thread. The threads of engines that were not joined end a moment later, and a
// check for leaks at exit would report them.
inline void wait_for_threads()
{
    for (int left = 10000; left > 0; left--) {
        std::size_t threads = 0;
        for (const auto &entry : std::filesystem::directory_iterator("/proc/self/task")) {
            (void)entry;
            threads++;
        }
        if (threads == 1)
            return;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

inline int done()
{
    wait_for_threads();
    std::cout << checks_done << " checks, " << checks_failed << " failed" << std::endl;
    return checks_failed == 0 && checks_done > 0 ? 0 : 1;
}

#endif
