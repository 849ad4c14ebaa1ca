/*
 * A second tier on Redis or Valkey for C++17 and C++20: header only, over kvlight.hpp and kvlight_redis.h.
 *
 *     kvl::tasks rows(kvl::config()
 *         .set("cache.ttl_ms", 60'000)
 *         .second_tier(kvl::redis("redis://cache.example.org:6379/?prefix=shop"))
 *         .load([](std::string_view id) -> std::optional<std::string> { return query(id); }));
 *
 * Link with -lkvlight_redis -lkvlight; the name for pkg-config is kvlight-redis. Programs that do not include this header need no
 * libkvlight_redis.
 */
#ifndef KVLIGHT_REDIS_HPP
#define KVLIGHT_REDIS_HPP

#include "kvlight.hpp"
#include "kvlight_redis.h"

#include <functional>

/* As in kvlight.hpp. */
#pragma push_macro("end")
#undef end
#pragma push_macro("error")
#undef error
#pragma push_macro("move")
#undef move

namespace kvl {

inline namespace KVL_MODE {

/* A server that several processes share, named by a URL. kvlight_redis.h lists the URL's options. A wrong URL fails the creation of the engine, with a
   sentence that says how to fix it.
   Each engine has a connection of its own. It is made in the background, remade whenever it is lost, and ended by the engine's destructor and by join().
   What has not been written by then is lost. tasks::sync_second_tier() waits until everything that was put, removed or cleared is written, but not for what
   was loaded; tasks::close() with a drain tries to write both, once. */
class redis final : public l2_server {
public:
    /* Bytes are shared; objects stay in their process. */
    explicit redis(std::string url) : url_(std::move(url)) {}
    /* A null pointer, which getenv() may return, is an empty URL: it fails the creation of the engine. */
    explicit redis(const char *url) : url_(url != nullptr ? url : "") {}
    /* Objects are shared too. `encode(const kvl::value &)` returns the bytes of an object, or an optional of them; `decode(std::string_view)` returns the
       object that the bytes stand for, in any form in which a provider may return a value. Both are called on threads of the library, several at a time.
       An object for which `encode` returns nothing or throws stays in its process; bytes for which `decode` returns nothing or throws are a miss. */
    template <class Encode, class Decode> redis(std::string url, Encode encode, Decode decode) : redis(std::move(url))
    {
        static_assert(std::is_invocable_v<Encode &, const value &>, "encode is called with a const kvl::value &");
        static_assert(std::is_invocable_v<Decode &, std::string_view>, "decode is called with a std::string_view");
        functions_ = std::make_shared<const functions>(
            functions{[encode = std::move(encode)](const value &object) mutable { return text_of(encode(object)); },
                      [decode = std::move(decode)](std::string_view bytes) mutable { return detail::answer_of(decode(bytes)).value_or(value()); }});
    }
    template <class Encode, class Decode> redis(const char *url, Encode encode, Decode decode)
        : redis(std::string(url != nullptr ? url : ""), std::move(encode), std::move(decode))
    {
    }

    expected<std::unique_ptr<l2_connection>> connect(kvl_config_t *configuration) const override
    {
        kvl_redis_t *made = nullptr;
        kvl_error_t *why = nullptr;
        static const kvl_redis_library_t library = KVL_REDIS_LIBRARY_INIT;
        if (url_.find('\0') != url_.npos)
            return kvl::error::of(KVL_ERR_BAD_VALUE, "The URL contains a NUL."); /* C would read only what is before it */
        const kvl::status s = functions_ ? kvl_redis_open(url_.c_str(), &library, &made, &why) : kvl_redis_use(configuration, url_.c_str(), &made, &why);
        if (s != KVL_OK) {
            kvl::error refused = kvl::error::of(s, why != nullptr ? kvl_error_message(why) : nullptr);
            kvl_error_release(why);
            return refused;
        }
        std::shared_ptr<kvl_redis_t> opened(made, kvl_redis_free);
        if (functions_)
            detail::raise_if_failed(kvl_config_set_l2(configuration, KVL_L2_F_CONDITIONAL | KVL_L2_F_LEASES | KVL_L2_F_OBJECTS, serve,
                                                      new converter{opened, functions_}, detail::end<converter>));
        return std::unique_ptr<l2_connection>(std::make_unique<connection>(std::move(opened)));
    }

private:
    struct functions {
        std::function<std::optional<std::string>(const value &)> encode;
        std::function<value(std::string_view)> decode;
    };

    /* What `encode` returned; nothing for a null pointer. */
    template <class Text> static std::optional<std::string> text_of(Text &&bytes)
    {
        if constexpr (std::is_convertible_v<Text &&, const char *>) {
            const char *text = bytes;
            return text != nullptr ? std::optional<std::string>(text) : std::nullopt;
        } else if constexpr (std::is_convertible_v<Text &&, std::string_view> && !std::is_convertible_v<Text &&, std::optional<std::string>>)
            return std::string(static_cast<std::string_view>(bytes));
        else
            return std::forward<Text>(bytes);
    }

    /* The destructor ends the connection for every reference to it: a converter, to which requests may still come, has one too. */
    class connection final : public l2_connection {
    public:
        explicit connection(std::shared_ptr<kvl_redis_t> opened) noexcept : handle_(std::move(opened)) {}
        ~connection() override { kvl_redis_stop(handle_.get()); }
        kvl::status attach(kvl_tasks_t *engine) noexcept override { return kvl_redis_attach(handle_.get(), engine); }
        std::string state() const override
        {
            kvl_value_t *text = nullptr;
            detail::raise_if_failed(kvl_redis_state(handle_.get(), &text));
            return std::string(value::own(text).bytes());
        }

    private:
        std::shared_ptr<kvl_redis_t> handle_;
    };

    /* The closure of the second tier: encodes and decodes objects by the program's functions. */
    struct converter {
        std::shared_ptr<kvl_redis_t> handle;
        std::shared_ptr<const functions> program;

        /* Sets the bytes of an object that is to be stored, or refuses it. */
        void encode(kvl_l2_request_t *request, size_t i) const
        {
            kvl_value_t *raw = nullptr;
            if (kvl_l2_request_value(request, i, &raw) != KVL_VALUE)
                return;
            const value object = value::own(raw);
            if (kvl_value_object(object.c_handle()) == nullptr)
                return;
            if (const std::optional<std::string> bytes = attempted<std::optional<std::string>>([&] { return program->encode(object); }))
                kvl_l2_request_set_payload(request, i, detail::bytes(*bytes), bytes->size());
            else
                kvl_l2_request_refused(request, i);
        }
        /* Answers a key with an object that was found. */
        void answer(kvl_l2_request_t *request, const kvl_redis_found_t &found) const
        {
            const uint8_t *bytes = nullptr;
            size_t len = 0;
            value object;
            if (kvl_l2_request_payload(request, found.index, found.data, found.len, &bytes, &len) == KVL_OK)
                object = attempted<value>([&] { return program->decode(detail::text(bytes, len)); });
            if (object)
                kvl_l2_request_hit_object(request, found.index, found.data, found.len, found.ttl_left_ms, found.token, found.token_len,
                                          object.c_handle());
            else
                kvl_l2_request_hit(request, found.index, found.data, 0, found.ttl_left_ms, found.token, found.token_len);
        }
    };

    /* What a function of the program returns; an empty result if it throws. */
    template <class Result, class Function> static Result attempted(const Function &convert)
    {
#if KVL_EXCEPTIONS
        try {
            return convert();
        } catch (...) {
            return Result();
        }
#else
        return convert();
#endif
    }

    static void serve(void *closure, kvl_l2_request_t *request) noexcept
    {
        const auto &conversion = *static_cast<converter *>(closure);
        const uint32_t kind = kvl_l2_request_kind(request);
        if (kind == KVL_L2_FILL || kind == KVL_L2_WRITE)
            for (size_t i = 0, n = kvl_l2_request_len(request); i < n; i++)
                conversion.encode(request, i);
        kvl_redis_found_t *found = nullptr;
        size_t len = 0;
        const kvl::status s = kvl_redis_serve(conversion.handle.get(), request, &found, &len);
        for (size_t i = 0; i < len; i++)
            conversion.answer(request, found[i]);
        kvl_redis_found_free(found, len);
        /* Finishing a lookup fails the keys that have no answer. Any other request fails if it is not finished. */
        if (s == KVL_OK || kind == KVL_L2_READ)
            kvl_l2_request_finish(request);
    }

    std::string url_;
    /* Null: objects stay in their process. Shared, since connect() runs under a lock, where the program's functions must not be copied. */
    std::shared_ptr<const functions> functions_;
};

} // inline namespace

} // namespace kvl

#pragma pop_macro("end")
#pragma pop_macro("error")
#pragma pop_macro("move")

#endif /* KVLIGHT_REDIS_HPP */
