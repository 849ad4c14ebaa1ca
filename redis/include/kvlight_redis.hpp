/*
 * A second tier on Redis or Valkey for C++17 and C++20: header only, over kvlight.hpp and kvlight_redis.h.
 *
 *     kvl::tasks rows(kvl::config()
 *         .set("cache.ttl_ms", 60'000)
 *         .second_tier(kvl::redis("redis://cache.example.org:6379/?prefix=shop"))
 *         .load([](std::string_view id) -> std::optional<std::string> { return query(id); }));
 *
 * Link with -lkvlight_redis -lkvlight; pkg-config knows it as kvlight-redis. Programs that do not include this header need no libkvlight_redis.
 */
#ifndef KVLIGHT_REDIS_HPP
#define KVLIGHT_REDIS_HPP

#include "kvlight.hpp"
#include "kvlight_redis.h"

/* As in kvlight.hpp. */
#pragma push_macro("error")
#undef error
#pragma push_macro("move")
#undef move

namespace kvl {

inline namespace KVL_MODE {

/* A server that processes share, by its URL, whose options kvlight_redis.h lists. A wrong URL fails the creation of the engine, with a sentence that says
   how to fix it. Bytes are shared; objects stay in their process.
   Each engine has a connection of its own. It is made in the background, remade whenever it is lost, and ended by the engine's destructor and by join().
   What has not been written by then is lost: tasks::sync_second_tier() waits until it is, and so does tasks::close() with a drain. */
class redis final : public l2_server {
public:
    explicit redis(std::string url) : url_(std::move(url)) {}

    expected<std::unique_ptr<l2_connection>> connect(kvl_config_t *of) const override
    {
        kvl_redis_t *made = nullptr;
        kvl_error_t *why = nullptr;
        const kvl::status s = kvl_redis_use(of, url_.c_str(), &made, &why);
        if (s != KVL_OK) {
            kvl::error refused = kvl::error::of(s, why != nullptr ? kvl_error_message(why) : nullptr);
            kvl_error_release(why);
            return refused;
        }
        return std::unique_ptr<l2_connection>(std::make_unique<connection>(made));
    }

private:
    class connection final : public l2_connection {
    public:
        explicit connection(kvl_redis_t *owned) noexcept : handle_(owned) {}
        kvl::status attach(kvl_tasks_t *engine) noexcept override { return kvl_redis_attach(handle_.get(), engine); }
        std::string state() const override
        {
            kvl_value_t *text = nullptr;
            detail::raise_if_failed(kvl_redis_state(handle_.get(), &text));
            return std::string(value::own(text).bytes());
        }

    private:
        detail::owned<kvl_redis_t, kvl_redis_free> handle_;
    };

    std::string url_;
};

} // inline namespace

} // namespace kvl

#pragma pop_macro("error")
#pragma pop_macro("move")

#endif /* KVLIGHT_REDIS_HPP */
