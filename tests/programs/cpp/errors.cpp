// Errors: exceptions of a provider reach callers unchanged, and errors of the library have a message.
#include "check.hpp"

#include <thread>

namespace {

struct no_such_shelf : std::runtime_error {
    no_such_shelf() : std::runtime_error("no such shelf") {}
};

#if KVL_EXCEPTIONS
void f20_an_exception_is_rethrown_to_each_waiter()
{
    kvl::tasks tasks(kvl::config().provider([](const kvl::request &asked) {
        asked.resolve(0, "first");
        throw no_such_shelf();
    }));
    auto results = tasks.fetch_all_wait({"a", "b", "c"}).value();
    const no_such_shelf *thrown = nullptr;
    CHECK(results[0].bytes() == "first"); // keys that were already answered keep their answers
    for (size_t i = 1; i < 3; i++) {
        try {
            results[i].value();
            CHECK(!"it throws");
        } catch (const no_such_shelf &error) {
            CHECK(thrown == nullptr || thrown == &error); // the same object
            thrown = &error;
        }
    }
    CHECK(results.errors().size() == 1 && results.errors()[0].message() == std::string("no such shelf"));
}

void a_loader_fails_its_own_key_alone()
{
    kvl::tasks tasks(kvl::config().load([](std::string_view key) -> std::string {
        if (key == "bad")
            throw 42;
        return std::string(key);
    }));
    auto results = tasks.fetch_all_wait({"a", "bad", "c"}).value();
    CHECK(results[0].bytes() == "a" && results[1].status() == KVL_ERR_PROVIDER && results[2].bytes() == "c");
    try {
        results.values();
        CHECK(!"it throws");
    } catch (int thrown) {
        CHECK(thrown == 42);
    }
    try {
        tasks.fetch_future("bad").get().value();
        CHECK(!"it throws");
    } catch (int thrown) {
        CHECK(thrown == 42);
    }
}

struct silent : std::exception {
    const char *what() const noexcept override { return nullptr; }
};

void f20_an_exception_without_a_text_is_rethrown()
{
    kvl::tasks tasks(kvl::config().load([](std::string_view) -> std::string { throw silent(); }));
    auto failed = tasks.fetch_wait("a");
    CHECK(!failed && std::string(failed.error().message()).empty());
    try {
        failed.value();
        CHECK(!"it throws");
    } catch (const silent &) {
        CHECK("it is the provider's exception");
    }
    tasks.join();
}

void rejected_calls_throw_a_message()
{
    auto says = [](const char *sentence, auto call) {
        try {
            call();
            CHECK(!"it throws");
        } catch (const kvl::failure &failure) {
            CHECK(std::string(failure.what()).find(sentence) != std::string::npos);
            CHECK(failure.status() < 0);
        }
    };
    says("moved from", [] {
        kvl::tasks engine(kvl::config().load([](std::string_view) { return "x"; }));
        kvl::tasks moved(std::move(engine));
        moved.join();
        (void)engine.get("a");
    });
    says("problem() describes", [] { kvl::cache{kvl::config()}.touch("a", kvl::milliseconds(0)); });
    says("kvl::config::provider()", [] { kvl::tasks tasks{kvl::config()}; });
    says("cache.capacity", [] { kvl::cache cache(kvl::config().set("cache.capacitty", 5)); });
    kvl::tasks tasks(kvl::config().load([](std::string_view) { return "x"; }));
    says("\"timeout_ms\"", [&] { tasks.fetch_wait("a", kvl::options().set("timeout_mss", 5)).value(); });
    says("cancelled", [&] {
        kvl::fetch fetch;
        fetch.cancel();
        tasks.fetch_wait("a", fetch).value();
    });
    says("longer", [&] { tasks.fetch_wait(std::string(70'000, 'k')).value(); });
    kvl::cache cache = tasks.cache();
    tasks.join();
    says("closed", [&] { cache.put("a", "b"); });
}
#endif

void make_returns_errors()
{
    auto refused = kvl::cache::make(kvl::config().set("cache.capacity", "many"));
    CHECK(!refused && refused.error().status() == KVL_ERR_BAD_VALUE);
    CHECK(std::string(refused.error().message()).find("cache.capacity") != std::string::npos);
    CHECK(kvl::tasks::make(kvl::config()).error().status() == KVL_ERR_NO_PROVIDER);
    auto made = kvl::tasks::make(kvl::config().load([](std::string_view key) -> kvl::expected<std::string> {
        if (key == "bad")
            return kvl::error(404, "no such shelf", true);
        return std::string(key);
    }));
    CHECK(made.has_value());
    auto failed = made->fetch_wait("bad");
    CHECK(!failed && failed.error().code() == 404 && failed.error().message() == std::string("no such shelf"));
    CHECK(failed.error().is_permanent() && failed.error().exception() == nullptr);
    CHECK(failed.value_or("otherwise").bytes() == "otherwise" && made->fetch_wait("good").value_or("x").bytes() == "good");
    kvl::error kept = failed.error();
    failed = kvl::value("now");
    CHECK(kept.code() == 404 && failed->bytes() == "now");
}

void f20_a_null_exception_fails_its_key()
{
    kvl::tasks tasks(kvl::config().provider([](const kvl::request &asked) { asked.fail(0, std::exception_ptr()); }));
    auto failed = tasks.fetch_wait("a");
    CHECK(!failed && failed.error().exception() == nullptr && failed.error().message() == std::string("the provider failed with a null std::exception_ptr"));
    tasks.join();
}

// An error can have many forms in an answer. Each of them fails its key, whichever function passes it.
void f17_an_error_in_any_form_fails_its_key_and_is_never_stored()
{
    using maybe = kvl::expected<std::string>;
    const kvl::error five(5, "five");
    kvl::tasks tasks(kvl::config().set("batch.max_keys", 20).provider([&](const kvl::request &asked) {
        // First, since the callers continue when the last key is answered.
        CHECK(asked.supply("extra", five) == KVL_ERR_INVALID_ARG && asked.supply("extra", maybe(five)) == KVL_ERR_INVALID_ARG);
        CHECK(asked.supply("more", maybe("more")) == KVL_OK);
        CHECK(asked.supply("a", five) == KVL_OK && asked.supply("b", maybe(five)) == KVL_OK);
        CHECK(asked.supply("c", std::optional<maybe>(five)) == KVL_OK && asked.resolve(3, std::optional<maybe>(five)) == KVL_OK);
        CHECK(asked.resolve(4, kvl::expected<std::optional<maybe>>(std::optional<maybe>(five))) == KVL_OK);
        CHECK(asked.resolve(5, std::make_error_code(std::errc::timed_out)) == KVL_OK && asked.resolve(6, std::runtime_error("thrown")) == KVL_OK);
        CHECK(asked.supply("h", maybe("good")) == KVL_OK && asked.supply("i", std::optional<maybe>()) == KVL_OK);
        // A reference to a base class: the text of the exception stays.
        const std::runtime_error caught("caught");
        CHECK(asked.resolve(9, static_cast<const std::exception &>(caught)) == KVL_OK);
    }));
    kvl::results found = tasks.fetch_all_wait({"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}).value();
    CHECK(found[9].error_or(KVL_OK).message() == std::string("caught"));
    for (size_t i = 0; i < 5; i++)
        CHECK(found[i].failed() && found[i].error_or(KVL_OK).code() == 5 && found[i].error_or(KVL_OK).message() == std::string("five"));
    CHECK(found[5].error_or(KVL_OK).code() == static_cast<int>(std::errc::timed_out) && found[6].error_or(KVL_OK).message() == std::string("thrown"));
    CHECK(found[7].bytes() == "good" && found[8].is_null() && !tasks.get("extra") && tasks.get("more")->bytes() == "more");
    // A result is what it says, and not a view of it.
    kvl::tasks forwards(kvl::config().set("batch.max_keys", 20).provider([&](const kvl::request &asked) {
        asked.resolve(0, found[0]);
        asked.supply("b", found[7]);
    }));
    auto forwarded = forwards.fetch_all_wait({"a", "b"});
    CHECK(forwarded->status() == KVL_OK && (*forwarded)[0].error_or(KVL_OK).code() == 5 && (*forwarded)[1].bytes() == "good");
    kvl::cache cache{kvl::config()};
    CHECK(cache.put("k", found[7]) == KVL_OK && cache.get("k")->bytes() == "good" && cache.put("k", maybe("put")) == KVL_OK);
#if KVL_EXCEPTIONS
    auto throws_five = [](auto call) {
        try {
            call();
        } catch (const kvl::failure &failure) {
            return failure.error().code() == 5;
        }
        return false;
    };
    CHECK(throws_five([&] { return cache.put("k", maybe(five)); }) && throws_five([&] { return cache.put("k", found[0]); }));
    CHECK(throws_five([&] { return cache.compare_put("k", *cache.get("k"), std::optional<maybe>(five)); }));
#endif
    CHECK(cache.get("k")->bytes() == "put");
    tasks.join();
    forwards.join();
}

void f17_an_error_that_is_only_a_status_keeps_its_message()
{
    kvl::tasks inner(kvl::config().load([](std::string_view) { return "x"; }));
    kvl::tasks tasks(kvl::config().set("batch.max_keys", 20).provider([&](const kvl::request &asked) {
        asked.fail(0, kvl::error::of(KVL_ERR_TIMEOUT, "my sentence"));
        asked.resolve(1, kvl::expected<std::string>(kvl::error(KVL_ERR_TIMEOUT)));
        asked.fail(2, kvl::error::of(KVL_ERR_IO, "slow down").retry_after(std::chrono::seconds(7)));
        asked.resolve(3, inner.fetch_future("k", kvl::options().set("timeout_mss", 5)).get());
        asked.finish(kvl::error::of(KVL_ERR_IO, "the rest"));
    }));
    auto found = tasks.fetch_all_wait({"a", "b", "c", "d", "e"});
    auto has = [&](size_t i, kvl::status code, const std::string &message) {
        const kvl::error why = (*found)[i].error_or(KVL_OK);
        return why.status() == KVL_ERR_PROVIDER && why.code() == code && why.message() == message;
    };
    CHECK(has(0, KVL_ERR_TIMEOUT, "my sentence") && has(1, KVL_ERR_TIMEOUT, kvl_status_message(KVL_ERR_TIMEOUT)) && has(2, KVL_ERR_IO, "slow down"));
    CHECK((*found)[2].error_or(KVL_OK).retry_after() == std::chrono::seconds(7) && has(4, KVL_ERR_IO, "the rest"));
    CHECK(std::string((*found)[3].error_or(KVL_OK).message()).find("timeout_mss") != std::string::npos);
    tasks.join();
    inner.join();
}

void f16_an_omitted_key_is_unanswered()
{
    kvl::tasks tasks(kvl::config().provider([](const kvl::request &) {}));
    CHECK(tasks.fetch_wait("a").error().status() == KVL_ERR_UNANSWERED);
}

#if KVL_STD_EXPECTED
struct row {
    int id;
};

void f17_the_error_of_a_std_expected_fails_its_key()
{
    auto tasks = kvl::tasks(kvl::config().load([](std::string_view key) -> std::expected<std::string, std::string> {
        if (key == "bad")
            return std::unexpected("no such row");
        return std::string(key);
    }));
    kvl::results found = tasks.fetch_all_wait({"good", "bad"}).value();
    CHECK(found[0].bytes() == "good" && found[1].error_or(KVL_OK).message() == std::string("no such row"));
    tasks.join();
    auto answering = kvl::tasks(kvl::config().provider([](const kvl::request &asked) {
        asked.resolve(0, std::expected<row, kvl::error>(std::unexpected(kvl::error(5, "five"))));
        asked.resolve(1, std::expected<row, std::exception_ptr>(std::unexpected(std::make_exception_ptr(std::runtime_error("thrown")))));
        asked.resolve(2, std::expected<row, std::error_code>(std::unexpected(std::make_error_code(std::errc::timed_out))));
        asked.resolve(3, std::expected<row, kvl::error>(row{7}));
        asked.supply("e", std::expected<row, std::string>(std::unexpected("e")));
        asked.resolve(5, std::unexpected("f"));
        asked.resolve(6, std::expected<std::optional<row>, std::string>());
    }));
    found = answering.fetch_all_wait({"a", "b", "c", "d", "e", "f", "g"}).value();
    CHECK(found[4].error_or(KVL_OK).message() == std::string("e") && found[5].error_or(KVL_OK).message() == std::string("f") && found[6].is_null());
    CHECK(found[0].error_or(KVL_OK).code() == 5 && found[1].error_or(KVL_OK).message() == std::string("thrown"));
    CHECK(found[2].error_or(KVL_OK).code() == static_cast<int>(std::errc::timed_out) && found[3].get<row>()->id == 7);
    answering.join();
}
#endif

void f10b_f11a_an_error_has_a_cause_and_a_pause()
{
    kvl::error error = kvl::error(429, "slow down").retry_after(std::chrono::seconds(60));
    CHECK(error.retry_after() == std::chrono::seconds(60) && !error.cause());
    kvl::clock clock;
    kvl::tasks tasks(kvl::config().clock(clock).set("timeout_ms", 1000).set("retry.count", 5).provider([&](const kvl::request &request) {
        request.fail(0, error);
        // Finished here, since the fetch's timeout must come after the failure and before the retry.
        request.finish();
        clock.advance(std::chrono::seconds(1));
    }));
    auto timed_out = tasks.fetch_wait("a");
    CHECK(!timed_out && timed_out.error().status() == KVL_ERR_TIMEOUT);
    auto cause = timed_out.error().cause();
    CHECK(cause && cause->code() == 429 && cause->message() == std::string("slow down") && cause->get() == error.get());
}

void r07_the_breaker_opens_and_can_be_forced()
{
    kvl::tasks tasks(kvl::config().set("breaker.consecutive", 1).provider([](const kvl::request &request) { request.fail(0, 503, "down"); }));
    CHECK(tasks.breaker_state() == KVL_BREAKER_CLOSED);
    CHECK(tasks.fetch_wait("a").error().code() == 503);
    // A request counts once it is finished, which may be after its last answer has arrived.
    while (tasks.breaker_state() == KVL_BREAKER_CLOSED)
        std::this_thread::yield();
    CHECK(tasks.breaker_state() == KVL_BREAKER_OPEN);
    CHECK(tasks.fetch_wait("a").error().status() == KVL_ERR_UNAVAILABLE);
    tasks.breaker_force(KVL_BREAKER_FORCE_CLOSED);
    CHECK(tasks.breaker_state() == KVL_BREAKER_CLOSED && tasks.fetch_wait("a").error().code() == 503);
    tasks.breaker_force(KVL_BREAKER_FORCE_OPEN);
    CHECK(tasks.fetch_wait("a").error().status() == KVL_ERR_UNAVAILABLE);
}

// 20,000 errors: errors() must not search all keys again for each.
void l09a_listing_the_errors_of_many_keys_takes_linear_time()
{
    kvl::tasks tasks(kvl::config().set("batch.max_keys", "20000").provider([](const kvl::request &request) {
        for (size_t i = 0; i < request.size(); i++)
            request.fail(i, int64_t(i), "no such shelf");
    }));
    std::vector<std::string> keys;
    for (int i = 0; i < 20000; i++)
        keys.push_back(std::to_string(i));
    auto results = tasks.fetch_all_wait(keys);
    CHECK(results && results->errors().size() == keys.size() && results->errors().back().code() == int64_t(keys.size()) - 1);
}

} // namespace

int main()
{
#if KVL_STD_EXPECTED
    f17_the_error_of_a_std_expected_fails_its_key();
#endif
#if KVL_EXCEPTIONS
    f20_an_exception_is_rethrown_to_each_waiter();
    a_loader_fails_its_own_key_alone();
    f20_an_exception_without_a_text_is_rethrown();
    rejected_calls_throw_a_message();
#endif
    make_returns_errors();
    f20_a_null_exception_fails_its_key();
    f17_an_error_in_any_form_fails_its_key_and_is_never_stored();
    f17_an_error_that_is_only_a_status_keeps_its_message();
    f16_an_omitted_key_is_unanswered();
    f10b_f11a_an_error_has_a_cause_and_a_pause();
    r07_the_breaker_opens_and_can_be_forced();
    l09a_listing_the_errors_of_many_keys_takes_linear_time();
    return done();
}
