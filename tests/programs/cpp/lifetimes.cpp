// Handles that move, destructors that do not wait, engines that keep their queue.
#include "check.hpp"

#include <thread>

namespace {

using namespace std::chrono_literals;

kvl::config echo()
{
    return kvl::config().load([](std::string_view key) { return std::string(key); });
}

static_assert(std::is_nothrow_move_constructible_v<kvl::tasks> && std::is_nothrow_move_assignable_v<kvl::tasks>);
static_assert(!std::is_copy_constructible_v<kvl::tasks> && !std::is_copy_constructible_v<kvl::config>);
static_assert(std::is_nothrow_copy_constructible_v<kvl::value> && std::is_nothrow_copy_constructible_v<kvl::request>);

void handles_move()
{
    kvl::tasks one(echo());
    kvl::tasks two(std::move(one));
    CHECK(one.get() == nullptr && two.fetch_wait("a")->bytes() == "a");
    one = std::move(two);
    CHECK(two.get() == nullptr && one.get("a"));
    one = kvl::tasks(echo()); // the old engine is destroyed
    CHECK(!one.get("a"));
    kvl::value value = one.fetch_wait("b").value();
    one.join();
    CHECK(one.get() == nullptr && value.bytes() == "b"); // S16: a value outlives its engine
    kvl::value moved = std::move(value);
    value = moved;
    CHECK(value.bytes() == "b");
}

void f02_a_moved_from_engine_is_rejected()
{
    kvl::tasks one(echo());
    kvl::tasks two(std::move(one));
    CHECK(one.fetch("a", [](const kvl::result &) {}) == KVL_ERR_NULL_POINTER);
    CHECK(one.fetch_future("a").get().error().status() == KVL_ERR_NULL_POINTER);
}

void l05_a_destructor_does_not_wait()
{
    std::optional<kvl::request> held;
    inbox<bool> asked;
    std::future<kvl::expected<kvl::value>> future;
    {
        kvl::tasks tasks(kvl::config().provider([&](kvl::request request) {
            held = std::move(request);
            asked.put(true);
        }));
        future = tasks.fetch_future("a");
        asked.take();
    }
    CHECK(future.get().error().status() == KVL_ERR_CLOSED);
    CHECK(held->resolve(0, "late") != KVL_OK);
}

void the_last_reference_can_be_released_in_a_callback()
{
    auto tasks = std::make_shared<kvl::tasks>(echo());
    inbox<bool> gone;
    const kvl::tasks &engine = *tasks;
    CHECK(engine.fetch("a", [tasks, &gone](const kvl::result &) mutable {
        tasks.reset();
        gone.put(true);
    }) == KVL_PENDING);
    tasks.reset();
    gone.take();
}

void joining_inside_a_callback_is_rejected()
{
    kvl::tasks tasks(echo());
    inbox<kvl::status> delivered;
    CHECK(tasks.fetch("a", [&](const kvl::result &) { delivered.put(kvl_tasks_free(tasks.get())); }) == KVL_PENDING);
    CHECK(delivered.take() == KVL_ERR_REENTRANT);
    inbox<kvl::status> waited;
    CHECK(tasks.fetch("b", [&](const kvl::result &) { waited.put(tasks.fetch_wait("c").error().status()); }) == KVL_PENDING);
    CHECK(waited.take() == KVL_ERR_REENTRANT);
    tasks.join();
}

void an_engine_keeps_its_queue()
{
    int delivered = 0;
    inbox<bool> woken;
    std::optional<kvl::tasks> tasks;
    {
        kvl::queue queue;
        queue.on_wake([&] { woken.put(true); });
        tasks.emplace(echo().deliver_to(queue));
        CHECK(queue.fd() >= 0);
        CHECK(tasks->fetch_all({"a", "b"}, [&](kvl::results results) { delivered += static_cast<int>(results.size()); }) == KVL_PENDING);
        while (delivered == 0)
            queue.poll(16, std::nullopt);
        CHECK(delivered == 2 && queue.poll(16) == 0 && queue.size() == 0 && woken.take());
        CHECK(tasks->fetch("c", [&](const kvl::result &) { delivered++; }) == KVL_PENDING);
    } // the engine holds the queue
    tasks->cache().put("d", "e");
    tasks.reset(); // the queue is freed with the engine; unread events may be dropped
    kvl::queue queue;
    kvl::tasks first(echo().deliver_to(queue)), second(echo().deliver_to(queue));
    first = std::move(second);
    CHECK(first.fetch("a", [&](const kvl::result &) { delivered = 100; }) == KVL_PENDING);
    while (delivered != 100)
        queue.poll(16, std::nullopt);
    CHECK(delivered == 100);
}

void a_draining_close_delivers_every_result()
{
    std::atomic<int> delivered{0};
    inbox<bool> closed;
    kvl::tasks tasks(echo().set("queue.max_keys", 1000));
    for (int i = 0; i < 200; i++)
        CHECK(tasks.fetch(std::to_string(i), [&](const kvl::result &result) { delivered += !result.failed(); }) == KVL_PENDING);
    tasks.close([&] { closed.put(true); }, 1h);
    closed.take();
    CHECK(delivered == 200);
    tasks.join();
}

void l09b_a_wait_for_a_negative_time_is_over()
{
    inbox<bool> closed;
    inbox<kvl::request> asked;
    inbox<kvl::status> ended;
    kvl::tasks tasks(kvl::config().provider([&](kvl::request request) { asked.put(std::move(request)); }));
    kvl::fetch fetch;
    CHECK(tasks.fetch("a", [&](const kvl::result &result) { ended.put(result.status()); }, fetch) == KVL_PENDING);
    kvl::request held = asked.take();
    CHECK(!fetch.wait(-1ms) && !fetch.wait(-2ms));
    for (auto over : {0ms, -1ms, -2ms})
        CHECK(tasks.fetch_wait("a", kvl::options().timeout(over)).error().status() == KVL_ERR_TIMEOUT);
    tasks.close([&] { closed.put(true); }, -1ms);
    CHECK(ended.take() == KVL_ERR_CLOSED);
    held.finish();
    closed.take();
    tasks.join();
    kvl::queue queue;
    CHECK(queue.poll(1, -1ms) == 0 && queue.poll(1, -2ms) == 0);
}

} // namespace

int main()
{
    handles_move();
    f02_a_moved_from_engine_is_rejected();
    l05_a_destructor_does_not_wait();
    the_last_reference_can_be_released_in_a_callback();
    joining_inside_a_callback_is_rejected();
    an_engine_keeps_its_queue();
    a_draining_close_delivers_every_result();
    l09b_a_wait_for_a_negative_time_is_over();
    return done();
}
