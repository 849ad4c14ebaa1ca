/*
 * kvlight for C++17 and C++20: header only, over kvlight.h.
 *
 *     auto rows = kvl::tasks(kvl::config()
 *         .set("cache.capacity", 10'000)
 *         .load([](std::string_view id) -> std::optional<std::string> { return query(id); }));
 *
 *     kvl::expected<kvl::value> row = rows.fetch_wait("7");          // or fetch(key, callback), fetch_future, co_await co_fetch
 *     if (!row) std::cerr << row.error().message();                  // failed
 *     else if (*row) use(row->bytes());                              // a value; otherwise the row does not exist
 *
 * HANDLES    can be moved; the reference-counted ones (value, error, request, results, fetch, cache) can also be copied. The
 *            destructor of `tasks` calls kvl_tasks_dispose(), which does not wait for providers and callbacks: they may still run after it.
 *            join() calls kvl_tasks_free(), which waits until none runs: call it before variables that lambdas refer to are destroyed.
 *            With a kvl::redis the destructor and join() first end the connection and wait for its thread, so such an engine must not
 *            be destroyed in a callback.
 * KEYS       are bytes: anything that converts to std::string_view. A null `char *` is no key, and refused with KVL_ERR_NULL_POINTER.
 * VALUES     Text is stored as bytes, and everything else as an object, which std::shared_ptr owns and value::get<Type>() returns. An
 *            empty optional, a null shared_ptr, a null `char *` and nullptr mean that the key is absent.
 *            get<Type>() compares the identity of the type, also across shared libraries; without RTTI, Type then needs default visibility.
 * FAILURE    Fetches return an expected. expected::value() throws the error: an exception of a provider reaches every waiting caller as
 *            the same object. A constructor throws kvl::failure with the library's message. Without exceptions, use tasks::make() and
 *            cache::make(), which return an expected; everything that would throw ends the program with the message. Files with and
 *            without exceptions may be linked together. Their kvl types differ, so they must exchange C handles.
 * SETUP      kvl::cache c(kvl::config()); declares a function, as everywhere in C++: write kvl::cache c{kvl::config()};
 * CALLBACKS  run on the library's dispatcher thread, or where a queue is polled. If one throws, std::terminate is called.
 * COROUTINES are resumed there too. Coroutines and callbacks must not call fetch_wait() or join(), which would wait for themselves.
 *            A coroutine must not be destroyed while it waits for a fetch: cancel the fetch (kvl::fetch), and it is resumed at once.
 *            g++ 12 compiles no braced list inside co_await ("array used as initializer"): name the kvl::keys before, and pass them.
 */
#ifndef KVLIGHT_HPP
#define KVLIGHT_HPP

#include "kvlight.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <future>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

#if defined(__cpp_exceptions)
#define KVL_EXCEPTIONS 1
#else
#define KVL_EXCEPTIONS 0
#endif
#if defined(__cpp_impl_coroutine) && defined(__has_include)
#if __has_include(<coroutine>)
#include <coroutine>
#define KVL_COROUTINES 1
#endif
#endif
#ifndef KVL_COROUTINES
#define KVL_COROUTINES 0
#endif
#if __cplusplus > 202002L && defined(__has_include)
#if __has_include(<expected>)
#include <expected>
#endif
#endif
#if defined(__cpp_lib_expected)
#define KVL_STD_EXPECTED 1
#else
#define KVL_STD_EXPECTED 0
#endif
#if defined(__cpp_rtti) || defined(_CPPRTTI)
#define KVL_RTTI 1
#else
#define KVL_RTTI 0
#endif
#if defined(__GNUC__) && !defined(_WIN32)
#define KVL_VISIBLE __attribute__((visibility("default")))
#else
#define KVL_VISIBLE
#endif
#if defined(__GNUC__)
#define KVL_SPELLING __PRETTY_FUNCTION__
#else
#define KVL_SPELLING __FUNCSIG__
#endif

/* Names that are used here, but that headers of other libraries define as macros. The end of this header restores the macros. */
#pragma push_macro("clear")
#undef clear
#pragma push_macro("close")
#undef close
#pragma push_macro("end")
#undef end
#pragma push_macro("error")
#undef error
#pragma push_macro("fail")
#undef fail
#pragma push_macro("move")
#undef move
#pragma push_macro("refresh")
#undef refresh
#pragma push_macro("swap")
#undef swap
#pragma push_macro("timeout")
#undef timeout

namespace kvl {

/* Definitions that all files of a program share, however they are compiled. */
namespace objects {

template <class Type> struct KVL_VISIBLE tag {
    static inline char here = 0;
};

/* The identity of a type. With RTTI it is the one that exceptions use: it is valid across shared libraries whatever their visibility,
   and between compilers of one ABI. Without RTTI it is the address of a variable, which shared libraries have in common if the type has
   default visibility. The variable is writable, so no linker merges it with that of another type. */
struct identity {
    const void *address;
    const std::type_info *info; /* null without RTTI */
    const char *spelling;

    bool operator==(const identity &other) const noexcept
    {
        if (address == other.address)
            return true;
        return info != nullptr && other.info != nullptr && *info == *other.info && is_of_the_whole_program();
    }

private:
    /* Two files may each have a type of the same name in an unnamed namespace or in a function. g++ marks the names of such types, so
       that they are never equal; clang++ does not. But the name that clang++ gives to a type in a function has one more `Z` than its spelling. */
    bool is_of_the_whole_program() const noexcept
    {
        const char *name = info->name();
        return std::strstr(name, "_GLOBAL__N_") == nullptr && std::strstr(name, "$_") == nullptr && count_z(name) <= count_z(spelling);
    }
    static size_t count_z(const char *text) noexcept
    {
        size_t count = 0;
        for (; *text != '\0'; text++)
            count += *text == 'Z';
        return count;
    }
};

/* What the library holds for an object of the program: its type and a reference to it. */
struct box {
    identity type;
    std::shared_ptr<const void> object;

    static void destroy(void *from_library) noexcept { delete static_cast<box *>(from_library); }
};

} // namespace objects

/* Files that are compiled with exceptions or RTTI and files that are not may be parts of one program. The definitions below differ
   between them, so they have different names, and the linker cannot mix them up. */
#if KVL_EXCEPTIONS && KVL_RTTI
#define KVL_MODE throwing
#elif KVL_EXCEPTIONS
#define KVL_MODE throwing_without_rtti
#elif KVL_RTTI
#define KVL_MODE terminating
#else
#define KVL_MODE terminating_without_rtti
#endif
inline namespace KVL_MODE {

using status = kvl_status_t;
using std::chrono::milliseconds;

inline const char *name_of(status s) noexcept { return kvl_status_name(s); }

namespace detail {

using objects::tag;

inline const uint8_t *bytes(std::string_view text) noexcept { return reinterpret_cast<const uint8_t *>(text.data()); }
inline std::string_view text(const uint8_t *data, size_t len) noexcept { return {reinterpret_cast<const char *>(data), len}; }

/* Text or bytes that a caller passes: anything that converts to std::string_view, or a `char *`, which may be null. A null pointer is not
   empty text: it has no data and a length of 1, so a key or a tag of this kind is refused with KVL_ERR_NULL_POINTER. */
class text_argument {
public:
    constexpr text_argument() noexcept = default;
    constexpr text_argument(std::string_view view) noexcept : data_(view.data()), size_(view.size()) {}
    constexpr text_argument(const char *text) noexcept : text_argument(text != nullptr ? std::string_view(text) : std::string_view())
    {
        if (text == nullptr)
            size_ = 1;
    }
    constexpr text_argument(const char *data, size_t size) noexcept : data_(data), size_(size) {}
    template <class Type,
              std::enable_if_t<std::is_convertible_v<Type &&, std::string_view> && !std::is_pointer_v<std::decay_t<Type>> &&
                                   !std::is_same_v<std::decay_t<Type>, std::string_view>,
                               int> = 0>
    constexpr text_argument(Type &&text) : text_argument(static_cast<std::string_view>(std::forward<Type>(text)))
    {
    }

    const uint8_t *data() const noexcept { return reinterpret_cast<const uint8_t *>(data_); }
    size_t size() const noexcept { return size_; }
    /* The text; empty for a null pointer. */
    constexpr std::string_view or_empty() const noexcept { return data_ != nullptr ? std::string_view(data_, size_) : std::string_view(); }

private:
    const char *data_ = nullptr;
    size_t size_ = 0;
};

template <class Type> objects::identity identity_of() noexcept
{
#if KVL_RTTI
    /* Not the type_info of Type itself, which may be incomplete. */
    const std::type_info *info = &typeid(tag<Type>);
#else
    const std::type_info *info = nullptr;
#endif
    return {&tag<Type>::here, info, KVL_SPELLING};
}

template <class Type> objects::box *boxed(std::shared_ptr<Type> object)
{
    return new objects::box{identity_of<std::remove_cv_t<Type>>(), std::move(object)};
}

/* The object if it is a Type, otherwise null. */
template <class Type> std::shared_ptr<const Type> unboxed(void *from_library) noexcept
{
    auto *is = static_cast<objects::box *>(from_library);
    if (is == nullptr || !(is->type == identity_of<std::remove_cv_t<Type>>()))
        return nullptr;
    return std::static_pointer_cast<const Type>(is->object);
}

/* Frees a closure. The library receives each closure as a pointer, a function that calls it, and this function. */
template <class Function> void end(void *closure) noexcept { delete static_cast<Function *>(closure); }

/* A reference-counted handle. */
template <class Type, Type *(*Retain)(Type *), void (*Release)(Type *)> class counted {
public:
    counted() noexcept = default;
    explicit counted(Type *owned) noexcept : handle_(owned) {}
    static counted share(Type *borrowed) noexcept { return counted(Retain(borrowed)); }
    counted(const counted &other) noexcept : handle_(Retain(other.handle_)) {}
    counted(counted &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    counted &operator=(counted other) noexcept
    {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~counted() { Release(handle_); }
    Type *get() const noexcept { return handle_; }

private:
    Type *handle_ = nullptr;
};

/* A handle with one owner: End releases it. */
template <class Type, auto End> struct ender {
    void operator()(Type *handle) const noexcept { static_cast<void>(End(handle)); }
};
template <class Type, auto End> using owned = std::unique_ptr<Type, ender<Type, End>>;

/* A name or a text of a setting, as the library reads it: it ends with a NUL. A null pointer becomes a text that no setting has or takes, so
   that it is refused and not ignored. */
class setting_text {
public:
    setting_text(const char *text) noexcept : text_(text != nullptr ? text : "nullptr") {}
    setting_text(const std::string &text) noexcept : text_(whole(text) ? text.c_str() : cut) {}
    setting_text(std::string_view text) : copy_(whole(text) ? text : cut), text_(copy_.c_str()) {}
    setting_text(const setting_text &) = delete;
    setting_text &operator=(const setting_text &) = delete;
    const char *get() const noexcept { return text_; }

private:
    /* C would read only what is before a NUL. Nothing has this name or value, so it is refused and appears in the message. */
    static constexpr const char *cut = "a text with a NUL";
    static bool whole(std::string_view text) noexcept { return text.find('\0') == text.npos; }

    std::string copy_;
    const char *text_;
};

/* A time in microseconds or milliseconds. Rounded away from 0, so that a short time, or one that is just over, does not become it. */
template <class Rep, class Period> int64_t count_of(bool in_us, std::chrono::duration<Rep, Period> time)
{
    constexpr double longest = 9e18; /* below the highest int64_t */
    const double units = std::chrono::duration<double, std::milli>(time).count() * (in_us ? 1000 : 1);
    if (!(units <= longest && units >= -longest))
        return units > 0 ? INT64_MAX : INT64_MIN;
    if (units < 0)
        return in_us ? std::chrono::floor<std::chrono::microseconds>(time).count() : std::chrono::floor<milliseconds>(time).count();
    return in_us ? std::chrono::ceil<std::chrono::microseconds>(time).count() : std::chrono::ceil<milliseconds>(time).count();
}

/* A time that is passed to the library: empty is `unlimited`. Its constants are negative numbers, which a time that is over must not become. */
inline int64_t count_of(std::optional<milliseconds> time, int64_t unlimited) noexcept
{
    return !time ? unlimited : time->count() > 0 ? time->count() : 0;
}

template <class Type> constexpr bool is_duration = false;
template <class Rep, class Period> constexpr bool is_duration<std::chrono::duration<Rep, Period>> = true;

template <class Type>
constexpr bool is_character = std::is_same_v<Type, char> || std::is_same_v<Type, wchar_t> || std::is_same_v<Type, char16_t> || std::is_same_v<Type, char32_t>
#if defined(__cpp_char8_t)
                              || std::is_same_v<Type, char8_t>
#endif
    ;

template <class> constexpr bool never = false;

/* Whether a cast to int64_t would make the number negative. Such a number is passed as text, which the library rejects with a message. */
template <class Integer> constexpr bool exceeds_int64(Integer value) noexcept
{
    return value > 0 && static_cast<uint64_t>(value) > static_cast<uint64_t>(INT64_MAX);
}

/* Sets a setting of a configuration or of options. A refused value is not lost: problem() describes it, and creating or fetching reports it. */
template <auto Text, auto Integer, auto Real, class Settings, class Given> void set(Settings *where, const setting_text &name, const Given &value)
{
    using given = std::decay_t<const Given &>;
    static_assert(!is_character<given>, "a character is no number: state the setting as text, or convert the character to an int");
    if constexpr (std::is_same_v<given, bool>) {
        Text(where, name.get(), value ? "true" : "false");
    } else if constexpr (std::is_integral_v<given>) {
        if (exceeds_int64(value))
            Text(where, name.get(), std::to_string(value).c_str());
        else
            Integer(where, name.get(), static_cast<int64_t>(value));
    } else if constexpr (std::is_floating_point_v<given>) {
        Real(where, name.get(), static_cast<double>(value));
    } else if constexpr (is_duration<given>) {
        /* In the unit that the setting's name states. The number -1 means "no limit", which a computed time below 0 must not mean. */
        const std::string_view setting(name.get());
        const bool in_us = setting.size() > 3 && setting.substr(setting.size() - 3) == "_us";
        const int64_t count = count_of(in_us, value);
        if (count < 0)
            Text(where, name.get(), ("a time of " + std::to_string(count) + (in_us ? " us" : " ms")).c_str());
        else
            Integer(where, name.get(), count);
    } else if constexpr (std::is_convertible_v<const Given &, const char *>) {
        const char *text = value;
        Text(where, name.get(), setting_text(text).get());
    } else if constexpr (std::is_convertible_v<const Given &, const std::string &>) {
        Text(where, name.get(), setting_text(static_cast<const std::string &>(value)).get());
    } else if constexpr (std::is_convertible_v<const Given &, std::string_view>) {
        Text(where, name.get(), setting_text(static_cast<std::string_view>(value)).get());
    } else {
        static_assert(never<Given>, "the value of a setting is text, a bool, a number or a std::chrono::duration");
    }
}

[[noreturn]] inline void die(const char *sentence) noexcept
{
    std::fprintf(stderr, "kvlight: %s\n", sentence);
    std::abort();
}

} // namespace detail

/* ---- Errors ---------------------------------------------------------------------------------------------------------- */

/* The reason of a failure: a status, and the details of the provider. */
class error {
public:
    explicit error(kvl::status is) : status_(is) {}
    error(int64_t code, detail::text_argument message, bool permanent = false)
        : error(own(KVL_ERR_PROVIDER, created(code, message, permanent ? KVL_ERROR_F_PERMANENT : 0)))
    {
    }
    /* Carries an exception, a std::exception_ptr, to every waiting caller. A template, since 0 in error(0, "text") converts to a pointer. */
    template <class Thrown, std::enable_if_t<std::is_same_v<Thrown, std::exception_ptr>, int> = 0>
    explicit error(Thrown thrown, bool permanent = false) : status_(KVL_ERR_PROVIDER)
    {
        const std::string what = what_of(thrown);
        kvl_error_t *made = nullptr;
        kvl_error_new_object(0, what.data(), what.size(), permanent ? KVL_ERROR_F_PERMANENT : 0, nullptr,
                             detail::boxed(std::make_shared<std::exception_ptr>(std::move(thrown))), objects::box::destroy, &made);
        handle_ = handle(made);
    }
    /* A status of the library, with `sentence` as its message if it is not null. */
    static error of(kvl::status is, detail::text_argument sentence)
    {
        error made(is);
        made.sentence_ = sentence.or_empty();
        return made;
    }
    /* The record no longer exists: the key is not retried, and no stale value is served. */
    static error gone(int64_t code, detail::text_argument message)
    {
        return own(KVL_ERR_PROVIDER, created(code, message, KVL_ERROR_F_PERMANENT | KVL_ERROR_F_NO_STALE));
    }
    /* Creates an error from an exception, a std::exception_ptr, a std::error_code, text, or a std::unexpected of one of these. */
    template <class Failure> static error of_any(const Failure &why)
    {
        if constexpr (std::is_base_of_v<std::exception, Failure>) {
#if KVL_EXCEPTIONS && KVL_RTTI
            /* A copy of a reference to a base class would lose the exception's own type and text. */
            if constexpr (std::is_copy_constructible_v<Failure>)
                if (typeid(why) == typeid(Failure))
                    return error(std::make_exception_ptr(why));
#endif
            return error(0, why.what());
        } else if constexpr (std::is_convertible_v<const Failure &, std::string_view>)
            return error(0, why);
        else if constexpr (std::is_same_v<Failure, std::error_code>)
            return error(why.value(), why.message());
        else
            return error(why);
    }
#if KVL_STD_EXPECTED
    template <class Failure> static error of_any(const std::unexpected<Failure> &why) { return of_any(why.error()); }
#endif
    static error share(kvl_error_t *borrowed) { return error(handle::share(borrowed)); }
    static error own(kvl::status is, kvl_error_t *owned) { return owned ? error(handle(owned)) : error(is); }

    kvl::status status() const noexcept { return status_; }
    const char *name() const noexcept { return kvl_status_name(status_); }
    int64_t code() const noexcept { return kvl_error_code(handle_.get()); }
    const char *message() const noexcept
    {
        if (handle_.get() == nullptr)
            return sentence_.empty() ? message_of(status_) : sentence_.c_str();
        return status_ == KVL_ERR_NO_PROVIDER ? message_of(status_) : kvl_error_message(handle_.get());
    }
    bool is_permanent() const noexcept { return kvl_error_is_permanent(handle_.get()) != 0; }
    /* The error of the last attempt before the fetch timed out or was ended; empty if no attempt had failed. */
    std::optional<error> cause() const
    {
        kvl_error_t *behind = kvl_error_cause(handle_.get());
        return behind != nullptr ? std::optional<error>(share(behind)) : std::nullopt;
    }
    /* The pause that the provider requests before the next attempt; negative if it requests none. */
    std::chrono::milliseconds retry_after() const noexcept { return std::chrono::milliseconds(kvl_error_retry_after_ms(handle_.get())); }
    /* Requests a pause; of 0, if the time is negative. Only for an error that was just created: it has no effect once there are other references. */
    error &&retry_after(std::chrono::milliseconds pause) &&
    {
        if (handle_.get() == nullptr)
            *this = of_provider();
        kvl_error_set_retry_after(handle_.get(), detail::count_of(pause, 0));
        return std::move(*this);
    }
    /* The exception that the provider threw; null if it threw none. */
    std::exception_ptr exception() const noexcept
    {
        auto thrown = detail::unboxed<std::exception_ptr>(kvl_error_object(handle_.get()));
        return thrown ? *thrown : nullptr;
    }
    /* Throws the provider's exception if there is one, otherwise a kvl::failure. */
    [[noreturn]] void raise() const;

    kvl_error_t *get() const noexcept { return handle_.get(); }

private:
    friend class request;
    using handle = detail::counted<kvl_error_t, kvl_error_retain, kvl_error_release>;
    /* This error, or, if it is only a status and perhaps a sentence, an error of the provider with the same message. */
    error of_provider() const noexcept { return handle_.get() != nullptr ? *this : own(KVL_ERR_PROVIDER, created(status_, message(), 0)); }
    explicit error(handle is) noexcept : status_(kvl_error_status(is.get())), handle_(std::move(is)) {}
    static kvl_error_t *created(int64_t code, detail::text_argument message, uint32_t flags) noexcept
    {
        const std::string_view text = message.or_empty();
        kvl_error_t *made = nullptr;
        kvl_error_new(code, text.data(), text.size(), flags, &made);
        return made;
    }
    /* The library's sentence about a status, or another where that one names functions in C. */
    static const char *message_of(kvl::status is) noexcept
    {
        switch (is) {
        case KVL_ERR_NULL_POINTER:
            return "the object has been moved from, or a key or a tag is a null pointer";
        case KVL_ERR_UNKNOWN_KEY:
            return "no setting has this name, or a fetch cannot set it: docs/CONFIGURATION.md lists all settings";
        case KVL_ERR_BAD_VALUE:
            return "a setting or a term has the wrong type, is out of range, or contradicts another; problem() describes a refused setting";
        case KVL_ERR_NO_PROVIDER:
            return "the configuration has no provider: kvl::config::provider() or load()";
        default:
            return kvl_status_message(is);
        }
    }
    static std::string what_of(const std::exception_ptr &thrown)
    {
        if (thrown == nullptr)
            return "the provider failed with a null std::exception_ptr";
#if KVL_EXCEPTIONS
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception &exception) {
            const char *what = exception.what();
            return what != nullptr ? what : "";
        } catch (...) {
        }
#endif
        return "the provider threw an object that is not a std::exception";
    }

    kvl::status status_;
    std::string sentence_;
    handle handle_;
};

/* The exception that the library throws for an error. */
class failure : public std::runtime_error {
public:
    explicit failure(kvl::error why) : std::runtime_error(why.message()), why_(std::move(why)) {}
    const kvl::error &error() const noexcept { return why_; }
    kvl::status status() const noexcept { return why_.status(); }

private:
    kvl::error why_;
};

inline void error::raise() const
{
#if KVL_EXCEPTIONS
    if (auto thrown = exception())
        std::rethrow_exception(thrown);
    throw failure(*this);
#else
    detail::die(message());
#endif
}

/* A Type, or an error instead. */
template <class Type> class [[nodiscard]] expected {
public:
    expected(Type value) : is_(std::in_place_index<0>, std::move(value)) {}
    expected(kvl::error error) : is_(std::in_place_index<1>, std::move(error)) {}

    bool has_value() const noexcept { return is_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }
    /* Throws the error if there is one. */
    Type &value() &
    {
        raise_if_failed();
        return std::get<0>(is_);
    }
    const Type &value() const &
    {
        raise_if_failed();
        return std::get<0>(is_);
    }
    /* By value, so that a range-based for over the results of a call keeps them. */
    Type value() &&
    {
        raise_if_failed();
        return std::move(std::get<0>(is_));
    }
    Type value_or(Type other) const { return has_value() ? std::get<0>(is_) : std::move(other); }
    Type &operator*() & { return value(); }
    const Type &operator*() const & { return value(); }
    Type operator*() && { return std::move(*this).value(); }
    Type *operator->() { return &value(); }
    const Type *operator->() const { return &value(); }
    const kvl::error &error() const
    {
        if (has_value())
            detail::die("expected::error() was called on an expected with a value");
        return std::get<1>(is_);
    }

private:
    void raise_if_failed() const
    {
        if (!has_value())
            std::get<1>(is_).raise();
    }
    std::variant<Type, kvl::error> is_;
};

namespace detail {

inline void raise_if_failed(status s, const char *sentence = nullptr)
{
    if (s < 0)
        error::of(s, sentence).raise();
}

} // namespace detail

/* ---- Answers --------------------------------------------------------------------------------------------------------- */

class value;
class result;
class results;
class request;
class l2_request;
class config;
class options;
class fetch;
class entries;
class keys;
struct terms;
struct how;
struct stale_entry;
struct l2_entry;

namespace detail {

template <class Type, class... Others> constexpr bool is_any = (std::is_same_v<Type, Others> || ...);

/* A failure and nothing else. */
template <class Type>
constexpr bool is_failure = is_any<Type, error, std::exception_ptr, std::error_code> || std::is_base_of_v<std::exception, Type>;
/* What may be a failure: the type is an optional, an expected, or a result, and perhaps within another of them. */
template <class Type> constexpr bool may_fail = is_failure<Type> || std::is_same_v<Type, result>;
template <class Type> constexpr bool may_fail<std::optional<Type>> = may_fail<std::remove_cv_t<Type>>;
template <class Type> constexpr bool may_fail<expected<Type>> = true;
#if KVL_STD_EXPECTED
template <class Failure> constexpr bool is_failure<std::unexpected<Failure>> = true;
template <class Type, class Failure> constexpr bool may_fail<std::expected<Type, Failure>> = true;
#endif
template <class Type> constexpr bool is_optional = false;
template <class Type> constexpr bool is_optional<std::optional<Type>> = true;

/* A handle or a view, which states no value. */
template <class Type>
constexpr bool is_handle =
    is_any<Type, results, request, l2_request, config, options, fetch, entries, keys, terms, how, stale_entry, l2_entry, kvl_value_t *, kvl_error_t *>;
template <class Type> constexpr bool is_handle<std::future<Type>> = true;
template <class Type> constexpr bool is_handle<std::shared_future<Type>> = true;

/* A pointer to bytes that are no `char`: nothing tells where they end. */
template <class Type>
constexpr bool is_pointer_to_bytes =
    std::is_pointer_v<Type> && (is_any<std::remove_cv_t<std::remove_pointer_t<Type>>, unsigned char, signed char, std::byte> ||
                                (is_character<std::remove_cv_t<std::remove_pointer_t<Type>>> && !std::is_convertible_v<Type, const char *>));

template <class Type> constexpr bool can_be_null = std::is_pointer_v<Type>;
template <class Type, class Deleter> constexpr bool can_be_null<std::unique_ptr<Type, Deleter>> = true;

/* What a function of the program returned, or passed, for one key: its value, or why there is none. */
template <class Type> expected<value> answer_of(Type &&answer);

} // namespace detail

/* ---- Values ---------------------------------------------------------------------------------------------------------- */

/* Bytes, an object, or null for an absent key. Shared, immutable, cheap to copy. */
class value {
public:
    value() noexcept : handle_(kvl_value_null()) {}
    value(std::nullptr_t) noexcept : value() {}
    value(std::nullopt_t) noexcept : value() {}
    value(std::string_view bytes) : handle_(copy_of(bytes)) {}
    value(const char *text) : handle_(text != nullptr ? copy_of(text) : kvl_value_null()) {}
    value(const std::string &text) : value(std::string_view(text)) {}
    /* An object, which may have other owners. Its cost counts towards cache.cost_limit. */
    template <class Type> value(std::shared_ptr<Type> object, uint64_t cost = sizeof(Type)) : value()
    {
        if (object == nullptr)
            return;
        kvl_value_t *made = nullptr;
        detail::raise_if_failed(kvl_value_new_object(detail::boxed(std::move(object)), cost, objects::box::destroy, &made));
        handle_ = handle(made);
    }
    template <class Type> value(std::optional<Type> maybe) : value() { if (maybe) *this = of(std::move(*maybe)); }
    /* A value of anything: text is stored as bytes, everything else as an object. An error is never stored: that of an expected or of a
       kvl::result is thrown. */
    template <class Type> static value of(Type &&thing)
    {
        using given = std::decay_t<Type>;
        static_assert(!detail::is_failure<given>, "an error is not a value: only a provider may answer with one");
        static_assert(!detail::is_handle<given>, "a handle, a future, options or a view of a key or an entry is not a value");
        static_assert(!detail::is_pointer_to_bytes<given>, "a pointer to bytes does not state how many they are: pass a std::string_view");
        if constexpr (detail::may_fail<given>)
            return detail::answer_of(std::forward<Type>(thing)).value();
        else if constexpr (std::is_convertible_v<Type &&, value>)
            return std::forward<Type>(thing);
        else if constexpr (std::is_convertible_v<Type &&, std::string_view>)
            return value(static_cast<std::string_view>(std::forward<Type>(thing)));
        else {
            if constexpr (detail::can_be_null<given>) {
                if (thing == nullptr)
                    return value();
            }
            return value(std::make_shared<given>(std::forward<Type>(thing)));
        }
    }
    static value share(kvl_value_t *borrowed) noexcept { return value(handle::share(borrowed)); }
    static value own(kvl_value_t *owned) noexcept { return owned ? value(handle(owned)) : value(); }

    /* Whether there is a value: false for null. */
    explicit operator bool() const noexcept { return !is_null(); }
    bool is_null() const noexcept { return handle_.get() == nullptr || handle_.get() == kvl_value_null(); }
    /* The bytes, valid for as long as this value exists; empty for objects. */
    std::string_view bytes() const noexcept
    {
        size_t len = 0;
        const uint8_t *data = kvl_value_data(handle_.get(), &len);
        return detail::text(data, len);
    }
    /* The object if it is a Type, otherwise null. Only for objects that were created by this header. */
    template <class Type> std::shared_ptr<const Type> get() const noexcept { return detail::unboxed<Type>(kvl_value_object(handle_.get())); }
    uint64_t cost() const noexcept { return kvl_value_cost(handle_.get()); }
    /* Never null: a value that was moved from is the null value. */
    kvl_value_t *c_handle() const noexcept { return handle_.get() != nullptr ? handle_.get() : kvl_value_null(); }

    /* Whether both are null, or equal bytes, or one and the same object of the library: two values of one shared_ptr are two objects. */
    friend bool operator==(const value &one, const value &other) noexcept
    {
        if (one.c_handle() == other.c_handle())
            return true;
        const uint32_t kind = kvl_value_kind(one.c_handle());
        return kind == KVL_KIND_BYTES && kvl_value_kind(other.c_handle()) == kind && one.bytes() == other.bytes();
    }
    friend bool operator!=(const value &one, const value &other) noexcept { return !(one == other); }

private:
    using handle = detail::counted<kvl_value_t, kvl_value_retain, kvl_value_release>;
    static kvl_value_t *copy_of(std::string_view bytes)
    {
        kvl_value_t *made = nullptr;
        detail::raise_if_failed(kvl_value_new_bytes(detail::bytes(bytes), bytes.size(), &made));
        return made;
    }
    explicit value(handle is) noexcept : handle_(std::move(is)) {}
    handle handle_;
};

/* The terms on which a value is stored. */
struct terms {
    int64_t ttl_ms = KVL_TTL_DEFAULT;
    double priority = KVL_PRIORITY_DEFAULT;
    int64_t cost = KVL_COST_DEFAULT;
    uint32_t flags = 0; /* KVL_PUT_F_* of a put */
    int64_t stale_ttl_ms = 0;
    std::string_view version; /* of the record, as the provider knows it; the caller's bytes, like those of tags */
    std::vector<kvl_slice_t> tags;

    /* How long the entry lives; empty: it never expires. With 0 or less nothing is stored, and an existing entry is removed. */
    terms &ttl(std::optional<milliseconds> time) { return ttl_ms = detail::count_of(time, KVL_TTL_NEVER), *this; }
    /* How long the expired entry stays as a fallback, for when the provider fails; 0: not at all. */
    terms &stale_for(milliseconds time) { return stale_ttl_ms = time.count() > 0 ? time.count() : KVL_STALE_NEVER, *this; }
    terms &with_priority(double is) { return priority = is, *this; }
    terms &with_cost(int64_t bytes) { return cost = bytes, *this; }
    terms &with_version(detail::text_argument is) { return version = is.or_empty(), *this; }
    /* Adds a tag, by which cache::remove_tag finds the entry. */
    terms &with_tag(detail::text_argument tag) { return tags.push_back({tag.data(), tag.size()}), *this; }
    /* A put that replaces a live entry keeps its expiry. */
    terms &keep_ttl() { return flags |= KVL_PUT_F_KEEP_TTL, *this; }
    /* A put takes place only if there is no entry; otherwise it returns KVL_CONFLICT. */
    terms &if_absent() { return flags |= KVL_PUT_F_IF_ABSENT, *this; }
    /* A put takes place only if there is an entry; otherwise it returns KVL_MISS. */
    terms &if_present() { return flags |= KVL_PUT_F_IF_PRESENT, *this; }
    /* Contains pointers into these terms and to what they refer to. */
    kvl_terms_t c_terms() const noexcept
    {
        return {sizeof(kvl_terms_t), ttl_ms, priority, cost, flags, 0, stale_ttl_ms, detail::bytes(version), version.size(), tags.data(), tags.size()};
    }
};

/* ---- Keys ------------------------------------------------------------------------------------------------------------ */

namespace detail {

/* The text of an element. Also of one that converts to std::string_view only explicitly. */
template <class Element> text_argument text_of(Element &&element)
{
    if constexpr (std::is_convertible_v<Element &&, text_argument>)
        return std::forward<Element>(element);
    else
        return std::string_view(std::forward<Element>(element));
}

template <class Range> using iterator_of = decltype(std::begin(std::declval<Range &>()));
template <class Range> using element_of = decltype(*std::declval<iterator_of<Range> &>());

/* Whether a range is read once, so that its elements may be one object that changes: std::views::istream, for example. */
template <class Iterator, class = void> constexpr bool is_read_once = false;
#if defined(__cpp_lib_ranges)
template <std::input_iterator Iterator> constexpr bool is_read_once<Iterator> = !std::forward_iterator<Iterator>;
#else
template <class Iterator>
constexpr bool is_read_once<Iterator, std::void_t<typename std::iterator_traits<Iterator>::iterator_category>> =
    !std::is_base_of_v<std::forward_iterator_tag, typename std::iterator_traits<Iterator>::iterator_category>;
#endif

/* Whether a view of the element is still valid after the iterator has moved on: the range owns the element, or the element is a view. */
template <class Range, class Element>
constexpr bool outlives_iterator = std::is_lvalue_reference_v<Element> ? std::is_trivially_copyable_v<std::remove_reference_t<Element>> || !is_read_once<iterator_of<Range>>
                                                                       : std::is_trivially_copyable_v<Element>;

} // namespace detail

/* Several keys, from any range of elements that convert to string_view. They are not copied, so a range that creates its elements one by
   one (std::views::transform to strings, or std::views::istream) is refused: store them in a container first. */
class keys {
public:
    keys(std::initializer_list<detail::text_argument> of) { take(of); }
    template <class Range, class Element = detail::element_of<Range>, class = decltype(std::string_view(std::declval<Element>())),
              std::enable_if_t<detail::outlives_iterator<Range, Element>, int> = 0>
    keys(Range &&range)
    {
        take(range);
    }
    template <class Range, class Element = detail::element_of<Range>, class = decltype(std::string_view(std::declval<Element>())),
              std::enable_if_t<!detail::outlives_iterator<Range, Element>, int> = 0>
    keys(Range &&creates_its_elements) = delete;
    const kvl_slice_t *data() const noexcept { return slices_.data(); }
    size_t size() const noexcept { return slices_.size(); }

private:
    template <class Range> void take(Range &range)
    {
        for (auto &&key : range) {
            const auto text = detail::text_of(std::forward<decltype(key)>(key));
            slices_.push_back({text.data(), text.size()});
        }
    }
    std::vector<kvl_slice_t> slices_;
};

/* ---- Requests to the provider ---------------------------------------------------------------------------------------- */

/* What the store has for a key that a provider is asked for, expired or not. */
struct stale_entry {
    kvl::value value; /* null if the key is known to be absent */
    milliseconds age;
    std::string_view version; /* as stated with the value, "" if none was; valid for as long as the request exists */
};

/* Keys to be answered. A request may be copied, moved to another thread and answered later; the destruction of its last copy finishes
   it. The functions that answer return a status; a provider may ignore KVL_LATE and KVL_ERR_ALREADY_ANSWERED. */
class request {
public:
    explicit request(kvl_request_t *borrowed) noexcept : handle_(handle::share(borrowed)) {}

    size_t size() const noexcept { return kvl_request_len(handle_.get()); }
    std::string_view operator[](size_t i) const noexcept { return detail::text(slices()[i].data, slices()[i].len); }
    std::vector<std::string_view> keys() const
    {
        std::vector<std::string_view> all;
        for (size_t i = 0; i < size(); i++)
            all.push_back((*this)[i]);
        return all;
    }
    uint32_t attempt(size_t i) const noexcept { return kvl_request_attempt(handle_.get(), i); }
    int32_t urgency() const noexcept { return kvl_request_urgency(handle_.get()); }
    /* KVL_CANCEL_*: whether the request is no longer wanted, and why. */
    uint32_t cancelled() const noexcept { return kvl_request_is_cancelled(handle_.get()); }
    bool is_wanted(size_t i) const noexcept { return kvl_request_is_wanted(handle_.get(), i) != 0; }
    std::optional<milliseconds> time_left() const noexcept
    {
        int64_t left = kvl_request_time_left_ms(handle_.get());
        return left == KVL_FOREVER ? std::nullopt : std::optional(milliseconds(left));
    }
    status heartbeat() const noexcept { return kvl_request_heartbeat(handle_.get()); }
    /* `hook(reason)` runs at most once: when the request is no longer wanted, if it is not finished by then. */
    template <class Function> status on_cancel(Function &&hook) const
    {
        using closure = std::decay_t<Function>;
        static_assert(std::is_invocable_v<closure &, uint32_t>, "the hook is called with the reason, a uint32_t");
        return kvl_request_on_cancel(
            handle_.get(), [](void *data, kvl_request_t *, uint32_t reason) noexcept { (*static_cast<closure *>(data))(reason); },
            new closure(std::forward<Function>(hook)), detail::end<closure>);
    }

    /* Answers a key with text, an object, nullptr, an optional of one of these, or an expected of one of these (kvl::expected, or
       std::expected in C++23); an error fails the key, and so does a failed kvl::result. The error of a std::expected is a kvl::error, a
       std::exception_ptr, a std::error_code or text. */
    template <class Type> status resolve(size_t i, Type &&answer, const terms &on = {}) const
    {
        if constexpr (detail::may_fail<std::decay_t<Type>>) {
            const expected<value> is = detail::answer_of(std::forward<Type>(answer));
            return is ? resolve(i, *is, on) : fail(i, is.error());
        } else {
            const kvl_terms_t stated = on.c_terms();
            return kvl_request_resolve(handle_.get(), i, value::of(std::forward<Type>(answer)).c_handle(), &stated);
        }
    }
    /* What the store has for a key; empty if it has nothing. With its version, a provider can ask whether the record has changed since. */
    std::optional<stale_entry> stale(size_t i) const noexcept
    {
        kvl_value_t *is = nullptr;
        int64_t age_ms = 0;
        kvl_slice_t version{};
        status s = kvl_request_stale(handle_.get(), i, &is, &age_ms, &version);
        if (s != KVL_VALUE && s != KVL_NULL)
            return std::nullopt;
        return stale_entry{value::own(is), milliseconds(age_ms), detail::text(version.data, version.len)};
    }
    /* Answers a key with what stale() returns: the record has not changed. The same value gets a new TTL, and keeps its version and its tags
       unless the terms state others. Returns KVL_MISS, without an answer, if the store has nothing for the key. */
    status not_modified(size_t i, const terms &on = {}) const noexcept
    {
        const kvl_terms_t stated = on.c_terms();
        return kvl_request_not_modified(handle_.get(), i, &stated);
    }
    /* Fails a key. If the error is only a status of the library, the callers receive an error of the provider with the same message, and with
       the status as its code. */
    status fail(size_t i, const error &why) const { return kvl_request_fail(handle_.get(), i, why.of_provider().get()); }
    status fail(size_t i, int64_t code, detail::text_argument message) const { return fail(i, error(code, message)); }
    status fail(size_t i, std::exception_ptr thrown) const { return fail(i, error(std::move(thrown))); }
    /* Answers by key, with what resolve() takes. A key that is not in this request is stored as an extra; an error for it is not stored, and
       KVL_ERR_INVALID_ARG is returned. */
    template <class Type> status supply(detail::text_argument key, Type &&answer, const terms &on = {}) const
    {
        if constexpr (detail::may_fail<std::decay_t<Type>>) {
            const expected<value> is = detail::answer_of(std::forward<Type>(answer));
            return is ? supply(key, *is, on) : fail_key(key, is.error());
        } else {
            const kvl_terms_t stated = on.c_terms();
            return kvl_request_supply(handle_.get(), key.data(), key.size(), value::of(std::forward<Type>(answer)).c_handle(), &stated);
        }
    }
    status finish() const noexcept { return kvl_request_finish(handle_.get()); }
    /* Finishes the request: keys without an answer are absent. */
    status finish_nulls() const noexcept { return kvl_request_finish_nulls(handle_.get()); }
    status finish(const error &why) const noexcept { return kvl_request_finish_error(handle_.get(), why.of_provider().get()); }
    kvl_request_t *get() const noexcept { return handle_.get(); }

private:
    using handle = detail::counted<kvl_request_t, kvl_request_retain, kvl_request_release>;
    const kvl_slice_t *slices() const noexcept { return kvl_request_keys(handle_.get()); }
    status fail_key(detail::text_argument key, const error &why) const
    {
        for (size_t i = 0, n = size(); i < n; i++)
            if (slices()[i].len == key.size() && (*this)[i] == key.or_empty())
                return fail(i, why);
        return KVL_ERR_INVALID_ARG;
    }
    handle handle_;
};

namespace detail {

/* Calls a provider. An exception becomes the error of every key without an answer. */
template <class Function> void provide(void *closure, kvl_request_t *handle) noexcept
{
#if KVL_EXCEPTIONS
    try {
        (*static_cast<Function *>(closure))(request(handle));
    } catch (...) {
        kvl_request_finish_error(handle, error(std::current_exception()).get());
    }
#else
    (*static_cast<Function *>(closure))(request(handle));
#endif
}

template <class Function, class = void> constexpr bool is_loader = false;
template <class Function>
constexpr bool is_loader<Function, std::enable_if_t<!std::is_void_v<std::invoke_result_t<Function &, std::string_view>>>> = true;

/* Calls a provider for one key in a loop. An exception fails only its key. */
template <class Function> struct one_by_one {
    Function load;
    void operator()(const request &batch)
    {
        for (size_t i = 0; i < batch.size(); i++) {
            if (!batch.is_wanted(i))
                continue;
#if KVL_EXCEPTIONS
            try {
                batch.resolve(i, load(batch[i]));
            } catch (...) {
                batch.fail(i, std::current_exception());
            }
#else
            batch.resolve(i, load(batch[i]));
#endif
        }
        batch.finish();
    }
};

} // namespace detail

/* ---- Requests to the second tier ------------------------------------------------------------------------------------- */

/* What a request asks to store under a key. A view, valid while the request exists. */
struct l2_entry {
    std::string_view data; /* to be stored as it is */
    std::optional<milliseconds> ttl; /* from now on; empty: it does not expire. An entry that is kept longer never expires: each hit begins its TTL anew */
    std::string_view token; /* of a fill: the token that the read of the key passed to hit() or miss() */
};

/* Keys to look up, to store or to remove. A request may be copied, moved to another thread and served later; if it was not finished, the
   destruction of its last copy fails it. Its functions return a status; a second tier may ignore KVL_LATE and KVL_ERR_CLOSED. */
class l2_request {
public:
    explicit l2_request(kvl_l2_request_t *borrowed) noexcept : handle_(handle::share(borrowed)) {}

    /* KVL_L2_READ, KVL_L2_FILL, KVL_L2_WRITE, KVL_L2_REMOVE or KVL_L2_CLEAR, which has no keys. */
    uint32_t kind() const noexcept { return kvl_l2_request_kind(handle_.get()); }
    size_t size() const noexcept { return kvl_l2_request_len(handle_.get()); }
    std::string_view operator[](size_t i) const noexcept { return detail::text(slices()[i].data, slices()[i].len); }
    std::vector<std::string_view> keys() const
    {
        std::vector<std::string_view> all;
        for (size_t i = 0; i < size(); i++)
            all.push_back((*this)[i]);
        return all;
    }
    /* For KVL_L2_FILL and KVL_L2_WRITE: what to store. Empty for other requests, and for objects. */
    std::optional<l2_entry> entry(size_t i) const noexcept
    {
        const uint8_t *data = nullptr, *token = nullptr;
        size_t len = 0, token_len = 0;
        int64_t ttl_ms = 0;
        if (kvl_l2_request_entry(handle_.get(), i, &data, &len, &ttl_ms, &token, &token_len) != KVL_OK)
            return std::nullopt;
        return l2_entry{detail::text(data, len), ttl_ms == KVL_TTL_NEVER ? std::nullopt : std::optional(milliseconds(ttl_ms)),
                        detail::text(token, token_len)};
    }
    /* KVL_L2_READ: the second tier has this entry. `ttl_left` is as in l2_entry; 0 is a miss. The token stands for this very entry. */
    status hit(size_t i, detail::text_argument data, std::optional<milliseconds> ttl_left, detail::text_argument token = {}) const noexcept
    {
        return hit_for(i, data.or_empty(), detail::count_of(ttl_left, KVL_TTL_NEVER), token.or_empty());
    }
    /* KVL_L2_READ: the second tier has this entry, and does not know how much of its TTL is left. */
    status hit(size_t i, detail::text_argument data, detail::text_argument token = {}) const noexcept
    {
        return hit_for(i, data.or_empty(), KVL_L2_TTL_UNKNOWN, token.or_empty());
    }
    /* A number is not a time. Without this, 0 would convert to a null pointer, and be taken for the token. */
    status hit(size_t i, detail::text_argument data, int ttl_left, detail::text_argument token = {}) const noexcept = delete;
    /* KVL_L2_READ: the second tier has nothing; the token is the lease, if it has granted one. */
    status miss(size_t i, detail::text_argument token = {}) const noexcept
    {
        const std::string_view lease = token.or_empty();
        return kvl_l2_request_miss(handle_.get(), i, detail::bytes(lease), lease.size());
    }
    /* KVL_L2_READ: the second tier has nothing, and another process has the lease. */
    status leased(size_t i) const noexcept { return kvl_l2_request_leased(handle_.get(), i); }
    /* KVL_L2_READ: whether the lease of another process may be taken over, because this one has waited long enough. */
    bool steals(size_t i) const noexcept { return kvl_l2_request_steals(handle_.get(), i) != 0; }
    /* KVL_L2_FILL: not stored, because the token of the fill is no longer that of the key. KVL_L2_WRITE: not stored; the key is removed instead. */
    status refused(size_t i) const noexcept { return kvl_l2_request_refused(handle_.get(), i); }
    /* The second tier has failed for this key. For KVL_L2_CLEAR, `i` is 0. */
    status fail(size_t i) const noexcept { return kvl_l2_request_fail(handle_.get(), i); }
    /* Everything is done, except for keys that were refused or have failed. */
    status finish() const noexcept { return kvl_l2_request_finish(handle_.get()); }
    kvl_l2_request_t *get() const noexcept { return handle_.get(); }

private:
    using handle = detail::counted<kvl_l2_request_t, kvl_l2_request_retain, kvl_l2_request_release>;
    const kvl_slice_t *slices() const noexcept { return kvl_l2_request_keys(handle_.get()); }
    status hit_for(size_t i, std::string_view data, int64_t ttl_left_ms, std::string_view token) const noexcept
    {
        return kvl_l2_request_hit(handle_.get(), i, detail::bytes(data), data.size(), ttl_left_ms, detail::bytes(token), token.size());
    }
    handle handle_;
};

namespace detail {

/* Calls a second tier. After an exception, keys that were not answered have failed, and nothing counts as written. */
template <class Function> void serve(void *closure, kvl_l2_request_t *handle) noexcept
{
#if KVL_EXCEPTIONS
    try {
        (*static_cast<Function *>(closure))(l2_request(handle));
    } catch (...) {
        if (kvl_l2_request_kind(handle) != KVL_L2_READ) {
            for (size_t i = 0, n = kvl_l2_request_len(handle); i < n || i == 0; i++)
                kvl_l2_request_fail(handle, i);
        }
        kvl_l2_request_finish(handle);
    }
#else
    (*static_cast<Function *>(closure))(l2_request(handle));
#endif
}

} // namespace detail

/* The connection of one engine to a server that processes share. The destructor ends it, and waits until it no longer uses the engine. */
class l2_connection {
public:
    l2_connection() = default;
    l2_connection(const l2_connection &) = delete;
    l2_connection &operator=(const l2_connection &) = delete;
    virtual ~l2_connection() = default;
    /* Invalidates in the engine what other processes write. */
    virtual status attach(kvl_tasks_t *engine) noexcept = 0;
    virtual std::string state() const = 0;
};

/* A server that processes share, for config::second_tier: kvl::redis of kvlight_redis.hpp. */
class l2_server {
public:
    virtual ~l2_server() = default;
    /* Makes the server the second tier of a configuration. Then create one engine, before the next call for that configuration. */
    virtual expected<std::unique_ptr<l2_connection>> connect(kvl_config_t *configuration) const = 0;
};

namespace detail {

/* The server of a configuration. The configuration refers to the connection of the engine that is being created, so engines are created one
   at a time. */
struct l2_place {
    explicit l2_place(std::unique_ptr<const l2_server> is) noexcept : server(std::move(is)) {}
    std::unique_ptr<const l2_server> server;
    std::mutex creating;
};

} // namespace detail

/* ---- Results --------------------------------------------------------------------------------------------------------- */

/* The result of one position. A view, valid while the callback runs or the results exist. Converts to an expected, which can be kept. */
class result {
public:
    explicit result(const kvl_result_t *is) noexcept : is_(is) {}
    size_t index() const noexcept { return is_->index; }
    std::string_view key() const noexcept { return detail::text(is_->key, is_->key_len); }
    kvl::status status() const noexcept { return is_->status; }
    bool failed() const noexcept { return is_->status < 0; }
    bool is_null() const noexcept { return is_->status == KVL_NULL; }
    std::string_view bytes() const noexcept { return detail::text(is_->data, is_->data_len); }
    template <class Type> std::shared_ptr<const Type> get() const noexcept { return detail::unboxed<Type>(is_->object); }
    kvl_source_t source() const noexcept { return is_->source; }
    uint32_t attempts() const noexcept { return is_->attempts; }
    milliseconds age() const noexcept { return milliseconds(is_->age_ms); }
    /* The time until the stored answer expires: empty if it never does, 0 if it is not stored. */
    std::optional<milliseconds> ttl_left() const noexcept
    {
        return is_->ttl_left_ms == KVL_TTL_NEVER ? std::nullopt : std::optional<milliseconds>(is_->ttl_left_ms);
    }
    /* The cost of the entry, in bytes. */
    uint64_t cost() const noexcept { return is_->cost; }
    /* Whether the value had expired and served as a fallback: `stale.ttl_ms`. */
    bool is_stale() const noexcept { return (is_->flags & KVL_F_STALE) != 0; }
    /* The error of the load in whose place a stale value was delivered; empty if the load has not failed, but takes too long. */
    std::optional<kvl::error> covered() const
    {
        return is_stale() && is_->error != nullptr ? std::optional(kvl::error::share(is_->error)) : std::nullopt;
    }
    bool is_last() const noexcept { return (is_->flags & KVL_F_LAST) != 0; }
    operator expected<kvl::value>() const
    {
        if (is_->status < 0)
            return error::share(is_->error);
        if (is_->status == KVL_VALUE)
            return kvl::value::share(is_->value);
        if (is_->status == KVL_NULL)
            return kvl::value();
        return error(is_->status);
    }
    /* Throws the error if the position failed. */
    kvl::value value() const { return expected<kvl::value>(*this).value(); }
    kvl::error error_or(kvl::status otherwise) const { return failed() ? error::share(is_->error) : error(otherwise); }
    const kvl_result_t *get() const noexcept { return is_; }

private:
    const kvl_result_t *is_;
};

namespace detail {

template <class Type> expected<value> answer_of(Type &&answer)
{
    using given = std::decay_t<Type>;
    if constexpr (is_failure<given>)
        return error::of_any(answer);
    else if constexpr (std::is_same_v<given, result>)
        return answer;
    else if constexpr (!may_fail<given>)
        return value::of(std::forward<Type>(answer));
    else if constexpr (is_optional<given>)
        return answer ? answer_of(*std::forward<Type>(answer)) : expected<value>(value());
    else
        return answer ? answer_of(*std::forward<Type>(answer)) : expected<value>(error::of_any(answer.error()));
}

} // namespace detail

/* All results of a batch, in the order of the call. */
class results {
public:
    class iterator {
    public:
        using value_type = result;
        using difference_type = std::ptrdiff_t;
        using reference = result;
        using pointer = void;
        using iterator_category = std::input_iterator_tag;
        iterator() noexcept = default;
        iterator(const results *of, size_t at) noexcept : of_(of), at_(at) {}
        result operator*() const noexcept { return (*of_)[at_]; }
        iterator &operator++() noexcept { return ++at_, *this; }
        iterator operator++(int) noexcept { return {of_, at_++}; }
        bool operator==(const iterator &other) const noexcept { return at_ == other.at_; }
        bool operator!=(const iterator &other) const noexcept { return at_ != other.at_; }

    private:
        const results *of_ = nullptr;
        size_t at_ = 0;
    };

    static results own(kvl_results_t *owned) noexcept { return results(handle(owned)); }
    static results share(kvl_results_t *borrowed) noexcept { return results(handle::share(borrowed)); }
    size_t size() const noexcept { return kvl_results_len(handle_.get()); }
    /* KVL_OK, or the reason why the whole batch ended early. */
    kvl::status status() const noexcept { return kvl_results_status(handle_.get()); }
    result operator[](size_t i) const noexcept
    {
        const kvl_result_t *is = kvl_results_at(handle_.get(), i);
        if (is == nullptr)
            detail::die("the results have no such position, or there is no memory for an array of all results");
        return result(is);
    }
    iterator begin() const noexcept { return {this, 0}; }
    iterator end() const noexcept { return {this, size()}; }
    /* KVL_COUNT_* */
    size_t count(uint32_t what) const noexcept { return kvl_results_count(handle_.get(), what); }
    /* The distinct errors, each once. */
    std::vector<error> errors() const
    {
        std::vector<error> all;
        const size_t distinct = kvl_results_error_len(handle_.get());
        all.reserve(distinct);
        for (size_t i = 0; i < distinct; i++)
            all.push_back(error::share(kvl_results_error_at(handle_.get(), i)));
        return all;
    }
    /* The values in order; throws the first error. */
    std::vector<value> values() const
    {
        std::vector<value> all;
        for (result is : *this)
            all.push_back(is.value());
        return all;
    }

private:
    using handle = detail::counted<kvl_results_t, kvl_results_retain, kvl_results_release>;
    explicit results(handle is) noexcept : handle_(std::move(is)) {}
    handle handle_;
};

/* ---- Clock, queue and configuration ---------------------------------------------------------------------------------- */

/* A clock that moves only when it is advanced. */
class clock {
public:
    explicit clock(milliseconds now = milliseconds(0))
    {
        kvl_clock_t *made = nullptr;
        detail::raise_if_failed(kvl_clock_new_manual(now.count(), &made));
        handle_.reset(made);
    }
    void advance(milliseconds by) const { detail::raise_if_failed(kvl_clock_advance(handle_.get(), by.count())); }
    kvl_clock_t *get() const noexcept { return handle_.get(); }

private:
    detail::owned<kvl_clock_t, kvl_clock_release> handle_;
};

/* Events for a thread of the program, which polls. Copies share the queue, and so do engines and caches whose config names it. The one
   that is destroyed last drains and frees the queue, so that must not happen inside a callback. */
class queue {
public:
    explicit queue(uint32_t flags = 0)
    {
        kvl_queue_t *made = nullptr;
        detail::raise_if_failed(kvl_queue_new(flags, &made));
        handle_ = std::shared_ptr<kvl_queue_t>(made, end);
    }
    /* Runs at most `max` callbacks on this thread. Waits for the first for at most `timeout`; empty: until there is one. Returns how many ran. */
    size_t poll(size_t max, std::optional<milliseconds> timeout = milliseconds(0)) const
    {
        size_t ran = 0;
        detail::raise_if_failed(kvl_queue_poll(handle_.get(), max, detail::count_of(timeout, KVL_FOREVER), &ran));
        return ran;
    }
    int fd() const
    {
        int32_t is = -1;
        detail::raise_if_failed(kvl_queue_fd(handle_.get(), &is));
        return is;
    }
    /* The event handle to wait for on Windows, which has no descriptors. */
    void *event() const
    {
        void *is = nullptr;
        detail::raise_if_failed(kvl_queue_handle(handle_.get(), &is));
        return is;
    }
    /* How many events wait; those that were sent together count as one. */
    size_t size() const noexcept { return kvl_queue_len(handle_.get()); }
    void wake() const { detail::raise_if_failed(kvl_queue_wake(handle_.get())); }
    /* Makes `hook` run on a thread of the library when events wait; it may only schedule a poll. */
    template <class Function> void on_wake(Function &&hook) const
    {
        using closure = std::decay_t<Function>;
        static_assert(std::is_invocable_v<closure &>, "the hook is called without arguments");
        detail::raise_if_failed(kvl_queue_set_wake(
            handle_.get(), [](void *data) noexcept { (*static_cast<closure *>(data))(); }, new closure(std::forward<Function>(hook)),
            detail::end<closure>));
    }
    kvl_queue_t *get() const noexcept { return handle_.get(); }

private:
    static void end(kvl_queue_t *is) noexcept
    {
        /* Delivers the waiting events; later ones, of engines that are still ending, are not read. */
        size_t ran = 0;
        while (kvl_queue_poll(is, 256, 0, &ran) == KVL_OK)
            ;
        kvl_queue_dispose(is);
    }
    std::shared_ptr<kvl_queue_t> handle_;
};

/* Settings by their names in docs/CONFIGURATION.md, and functions. Creating an engine or a cache reports the first refused setting. */
class config {
public:
    config()
    {
        kvl_config_t *made = nullptr;
        detail::raise_if_failed(kvl_config_new(&made));
        handle_.reset(made);
    }
    /* The value is text, a bool, a number, or a duration, which is rounded up to the unit that the setting's name states. No limit is the
       number -1; a duration below 0 is refused. */
    template <class Type> config &set(const detail::setting_text &name, Type value) &
    {
        detail::set<kvl_config_set, kvl_config_set_int, kvl_config_set_real>(handle_.get(), name, value);
        return *this;
    }
    template <class Type> config &&set(const detail::setting_text &name, Type value) && { return std::move(set(name, std::move(value))); }

    /* `provide(kvl::request)` answers the keys, now or later. */
    template <class Function> config &provider(Function &&provide) &
    {
        using closure = std::decay_t<Function>;
        static_assert(std::is_invocable_v<closure &, request>, "a provider is called with a kvl::request");
        kvl_config_set_provider(handle_.get(), detail::provide<closure>, new closure(std::forward<Function>(provide)), detail::end<closure>);
        return *this;
    }
    template <class Function> config &&provider(Function &&provide) && { return std::move(provider(std::forward<Function>(provide))); }
    /* `load(std::string_view key)` returns the answer for one key: text, an object, an optional or an expected of one of these. */
    template <class Function> config &load(Function &&load) &
    {
        static_assert(detail::is_loader<std::decay_t<Function>>,
                      "load is called with a std::string_view, which does not convert to a const std::string &, and returns the key's answer");
        if constexpr (detail::is_loader<std::decay_t<Function>>)
            return provider(detail::one_by_one<std::decay_t<Function>>{std::forward<Function>(load)});
        else
            return *this;
    }
    template <class Function> config &&load(Function &&load) && { return std::move(this->load(std::forward<Function>(load))); }
    /* `serve(kvl::l2_request)` is a store that several processes may share, asked before the provider. It is called on threads of the
       library, several at a time, and may serve a request now or later. An exception fails the request. `abilities`:
       KVL_L2_F_CONDITIONAL and KVL_L2_F_LEASES; a second tier that also takes objects (KVL_L2_F_OBJECTS) uses the functions of
       kvlight.h with l2_request::get().
       Instead of a function it may be a kvl::redis (kvlight_redis.hpp): a server, to which each engine then has a connection of its own. */
    template <class Function> config &second_tier(Function &&serve, [[maybe_unused]] uint32_t abilities = 0) &
    {
        using closure = std::decay_t<Function>;
        if constexpr (std::is_base_of_v<l2_server, closure>) {
            server_ = std::make_unique<detail::l2_place>(std::make_unique<closure>(std::forward<Function>(serve)));
        } else {
            static_assert(std::is_invocable_v<closure &, l2_request>, "a second tier is called with a kvl::l2_request");
            detail::raise_if_failed(kvl_config_set_l2(handle_.get(), abilities, detail::serve<closure>,
                                                      new closure(std::forward<Function>(serve)), detail::end<closure>));
            server_ = nullptr;
        }
        return *this;
    }
    template <class Function> config &&second_tier(Function &&serve, uint32_t abilities = 0) &&
    {
        return std::move(second_tier(std::forward<Function>(serve), abilities));
    }
    /* `valid(std::string_view key)` returns whether a key is valid. */
    template <class Function> config &validator(Function &&valid) &
    {
        using closure = std::decay_t<Function>;
        constexpr bool is_validator = std::is_invocable_r_v<bool, closure &, std::string_view>;
        static_assert(is_validator, "a validator is called with a std::string_view, and returns whether the key is valid");
        if constexpr (is_validator)
            kvl_config_set_validator(
                handle_.get(),
                [](void *data, const uint8_t *key, size_t len) noexcept -> uint32_t {
                    return static_cast<bool>((*static_cast<closure *>(data))(detail::text(key, len)));
                },
                new closure(std::forward<Function>(valid)), detail::end<closure>);
        return *this;
    }
    template <class Function> config &&validator(Function &&valid) && { return std::move(validator(std::forward<Function>(valid))); }
    /* `gone(const kvl::result &, kvl_cause_t)` is called for each value that has left the store. */
    template <class Function> config &removal_listener(Function &&gone) &
    {
        using closure = std::decay_t<Function>;
        constexpr bool is_listener = std::is_invocable_v<closure &, const result &, kvl_cause_t>;
        static_assert(is_listener, "a removal listener is called with a const kvl::result & and a kvl_cause_t");
        if constexpr (is_listener)
            kvl_config_set_removal_listener(
                handle_.get(),
                [](void *data, const kvl_result_t *entry, kvl_cause_t why) noexcept { (*static_cast<closure *>(data))(result(entry), why); },
                new closure(std::forward<Function>(gone)), detail::end<closure>);
        return *this;
    }
    template <class Function> config &&removal_listener(Function &&gone) && { return std::move(removal_listener(std::forward<Function>(gone))); }
    config &clock(const kvl::clock &is) & { return kvl_config_set_clock(handle_.get(), is.get()), *this; }
    config &&clock(const kvl::clock &is) && { return std::move(clock(is)); }
    /* Sends events to a queue: KVL_QUEUE_F_*. */
    config &deliver_to(const kvl::queue &is, uint32_t what = KVL_QUEUE_F_ALL) &
    {
        kvl_config_set_queue(handle_.get(), is.get(), what);
        queues_.push_back(is);
        return *this;
    }
    config &&deliver_to(const kvl::queue &is, uint32_t what = KVL_QUEUE_F_ALL) && { return std::move(deliver_to(is, what)); }

    /* A sentence about the first setting that was refused; null if none was. */
    const char *problem() const noexcept { return kvl_config_problem(handle_.get()); }
    kvl_config_t *get() const noexcept { return handle_.get(); }
    const std::vector<kvl::queue> &queues() const noexcept { return queues_; }
    /* The server that is the second tier; null if there is none. */
    detail::l2_place *server() const noexcept { return server_.get(); }

private:
    std::unique_ptr<detail::l2_place> server_;
    std::vector<kvl::queue> queues_;
    detail::owned<kvl_config_t, kvl_config_free> handle_;
};

/* Settings of one fetch. */
class options {
public:
    options()
    {
        kvl_options_t *made = nullptr;
        detail::raise_if_failed(kvl_options_new(&made));
        handle_.reset(made);
    }
    /* As for config::set(); no setting of a fetch is a bool. */
    template <class Type> options &set(const detail::setting_text &name, Type value) &
    {
        static_assert(!std::is_same_v<Type, bool>, "no setting of a fetch is a bool");
        detail::set<kvl_options_set, kvl_options_set_int, kvl_options_set_real>(handle_.get(), name, value);
        return *this;
    }
    template <class Type> options &&set(const detail::setting_text &name, Type value) && { return std::move(set(name, std::move(value))); }
    /* How long the fetch waits. A time of 0 or less is over: the fetch receives what the cache has, and otherwise times out after 1 ms. */
    options &timeout(milliseconds time) & { return set("timeout_ms", time.count() > 0 ? time.count() : 1); }
    options &&timeout(milliseconds time) && { return std::move(timeout(time)); }
    const char *problem() const noexcept { return kvl_options_problem(handle_.get()); }
    kvl_options_t *get() const noexcept { return handle_.get(); }

private:
    detail::owned<kvl_options_t, kvl_options_free> handle_;
};

/* A handle to cancel a fetch: created before the call, and passed to one call. */
class fetch {
public:
    fetch()
    {
        kvl_fetch_t *made = nullptr;
        detail::raise_if_failed(kvl_fetch_new(&made));
        handle_ = handle(made);
    }
    void cancel() const noexcept { kvl_fetch_cancel(handle_.get()); }
    void urgency(int32_t is) const noexcept { kvl_fetch_set_urgency(handle_.get(), is); }
    /* Waits until the last callback has returned, at most for `timeout`; empty: without a limit. False if the timeout was reached first. */
    bool wait(std::optional<milliseconds> timeout = std::nullopt) const
    {
        status s = kvl_fetch_wait(handle_.get(), detail::count_of(timeout, KVL_FOREVER));
        detail::raise_if_failed(s);
        return s == KVL_OK;
    }
    kvl_fetch_t *get() const noexcept { return handle_.get(); }

private:
    using handle = detail::counted<kvl_fetch_t, kvl_fetch_retain, kvl_fetch_release>;
    handle handle_;
};

/* How one call is made: with options, with a handle to cancel it, or with both. */
struct how {
    how() noexcept = default;
    how(const kvl::options &is) noexcept : options(&is) {}
    how(const kvl::fetch &is) noexcept : fetch(is.get()) {}
    how(const kvl::options &is, const kvl::fetch &by) noexcept : options(&is), fetch(by.get()) {}

    bool is_plain() const noexcept { return options == nullptr && fetch == nullptr; }
    kvl_options_t *settings() const noexcept { return options ? options->get() : nullptr; }
    /* The error of a call that was not accepted. */
    error refused(status s) const { return error::of(s, s == KVL_ERR_BAD_VALUE && options ? options->problem() : nullptr); }

    const kvl::options *options = nullptr;
    kvl_fetch_t *fetch = nullptr;
};

/* ---- The cache ------------------------------------------------------------------------------------------------------- */

/* Iterates over all entries of a cache: `for (kvl::result entry : cache.entries())`. An entry is a view, valid until the next one. Each key
   that has an entry throughout is visited once, whatever other threads or the loop's body do. A visit does not count as a use of the entry. For one thread. */
class entries {
public:
    class iterator {
    public:
        using value_type = result;
        using difference_type = std::ptrdiff_t;
        using reference = result;
        using pointer = void;
        using iterator_category = std::input_iterator_tag;
        iterator() noexcept = default;
        explicit iterator(entries *of) noexcept : of_(of) {}
        result operator*() const noexcept { return result(&of_->entry_); }
        iterator &operator++()
        {
            of_ = of_->next() ? of_ : nullptr;
            return *this;
        }
        void operator++(int) { ++*this; } /* the entry before is gone */
        bool operator==(const iterator &other) const noexcept { return of_ == other.of_; }
        bool operator!=(const iterator &other) const noexcept { return of_ != other.of_; }

    private:
        entries *of_ = nullptr;
    };

    explicit entries(kvl_cache_t *of)
    {
        kvl_iterator_t *made = nullptr;
        detail::raise_if_failed(kvl_iterator_new(of, &made));
        handle_.reset(made);
    }
    /* Continues where the last iterator stopped. */
    iterator begin() { return iterator(next() ? this : nullptr); }
    iterator end() noexcept { return iterator(nullptr); }

private:
    bool next()
    {
        status s = kvl_iterator_next(handle_.get(), &entry_, sizeof entry_);
        detail::raise_if_failed(s);
        return s != KVL_EMPTY;
    }
    detail::owned<kvl_iterator_t, kvl_iterator_free> handle_;
    kvl_result_t entry_{};
};

/* A cache. Copies share it. */
class cache {
public:
    explicit cache(const config &from) : cache(make(from).value()) {}
    static expected<cache> make(const config &from)
    {
        kvl_cache_t *made = nullptr;
        kvl_error_t *why = nullptr;
        status s = kvl_cache_new(from.get(), &made, &why);
        if (s != KVL_OK)
            return error::own(s, why);
        return cache(made, from.queues());
    }
    cache(kvl_cache_t *owned, std::vector<kvl::queue> queues) noexcept : queues_(std::move(queues)), handle_(owned) {}
    cache(const cache &) = default;
    cache(cache &&) noexcept = default;
    cache &operator=(cache other) noexcept
    {
        std::swap(queues_, other.queues_);
        std::swap(handle_, other.handle_);
        return *this;
    }

    /* The value, which is null if the key is known to be absent; empty if the store has no entry. */
    std::optional<value> get(detail::text_argument key) const
    {
        kvl_value_t *found = nullptr;
        return answer(kvl_cache_get(handle_.get(), key.data(), key.size(), &found), found);
    }
    /* Like get, without counting a use. */
    std::optional<value> peek(detail::text_argument key) const
    {
        kvl_value_t *found = nullptr;
        return answer(kvl_cache_peek(handle_.get(), key.data(), key.size(), &found, nullptr, nullptr), found);
    }
    bool contains(detail::text_argument key) const
    {
        status s = kvl_cache_contains(handle_.get(), key.data(), key.size());
        detail::raise_if_failed(s);
        return s == KVL_VALUE || s == KVL_NULL;
    }
    /* KVL_OK, KVL_REFUSED, KVL_TOO_LARGE, KVL_INVALID_KEY; KVL_CONFLICT or KVL_MISS if the condition of the terms does not hold. */
    template <class Type> status put(detail::text_argument key, Type &&thing, const terms &on = {}) const
    {
        const kvl_terms_t stated = on.c_terms();
        status s = kvl_cache_put(handle_.get(), key.data(), key.size(), value::of(std::forward<Type>(thing)).c_handle(), &stated);
        detail::raise_if_failed(s);
        return s;
    }
    /* Like put, but only if `held`, as returned by get, is still stored; otherwise KVL_CONFLICT, or KVL_MISS if there is no entry. */
    template <class Type> status compare_put(detail::text_argument key, const value &held, Type &&thing, const terms &on = {}) const
    {
        const kvl_terms_t stated = on.c_terms();
        status s = kvl_cache_compare_put(handle_.get(), key.data(), key.size(), held.c_handle(),
                                         value::of(std::forward<Type>(thing)).c_handle(), &stated);
        detail::raise_if_failed(s);
        return s;
    }
    /* Sets a new TTL for the entry, counted from now: the configuration's, or `ttl`. Empty: it never expires. A time of 0 or less is refused:
       remove() ends an entry. */
    bool touch(detail::text_argument key) const { return touched(key, KVL_TTL_DEFAULT); }
    bool touch(detail::text_argument key, std::optional<milliseconds> ttl) const { return touched(key, detail::count_of(ttl, KVL_TTL_NEVER)); }
    bool remove(detail::text_argument key) const
    {
        status s = kvl_cache_remove(handle_.get(), key.data(), key.size());
        detail::raise_if_failed(s);
        return s == KVL_OK;
    }
    /* Expires the entry now: the next fetch loads the key, and the old value stays as a fallback until a load succeeds. From a second tier the
       entry is removed. */
    bool expire(detail::text_argument key) const
    {
        status s = kvl_cache_expire(handle_.get(), key.data(), key.size());
        detail::raise_if_failed(s);
        return s == KVL_OK;
    }
    /* Expires all entries now. A second tier is cleared, for all processes. */
    void expire_all() const { detail::raise_if_failed(kvl_cache_expire_all(handle_.get())); }
    /* Removes all entries with the tag, and returns their number. */
    size_t remove_tag(detail::text_argument tag) const
    {
        size_t removed = 0;
        detail::raise_if_failed(kvl_cache_remove_tag(handle_.get(), tag.data(), tag.size(), &removed));
        return removed;
    }
    /* Expires all entries with the tag now, and returns their number. */
    size_t expire_tag(detail::text_argument tag) const
    {
        size_t expired = 0;
        detail::raise_if_failed(kvl_cache_expire_tag(handle_.get(), tag.data(), tag.size(), &expired));
        return expired;
    }
    /* Removes the entry and returns its value. */
    std::optional<value> take(detail::text_argument key) const
    {
        kvl_value_t *found = nullptr;
        return answer(kvl_cache_take(handle_.get(), key.data(), key.size(), &found), found);
    }
    void clear() const { detail::raise_if_failed(kvl_cache_clear(handle_.get())); }
    kvl::entries entries() const { return kvl::entries(handle_.get()); }
    /* Writes all entries except objects to a file, which replaces an older one when it is complete. */
    kvl_transfer_t save(const char *path) const { return transferred(kvl_cache_save, path); }
    kvl_transfer_t save(const std::string &path) const { return save(whole(path)); }
    /* Stores the entries of a file that save() wrote, except those whose key has an entry. */
    kvl_transfer_t load(const char *path) const { return transferred(kvl_cache_load, path); }
    kvl_transfer_t load(const std::string &path) const { return load(whole(path)); }
    size_t size() const noexcept { return kvl_cache_len(handle_.get()); }
    uint64_t cost() const noexcept { return kvl_cache_cost(handle_.get()); }
    kvl_cache_t *get() const noexcept { return handle_.get(); }

    /* `found` is a reference, because the call in the other argument writes it. */
    static std::optional<value> answer(status s, kvl_value_t *const &found)
    {
        detail::raise_if_failed(s);
        if (s == KVL_VALUE)
            return value::own(found);
        return s == KVL_NULL ? std::optional(value()) : std::nullopt;
    }

private:
    /* C would read only what is before a NUL, and so another file. */
    static const char *whole(const std::string &path)
    {
        if (path.find('\0') != path.npos)
            error::of(KVL_ERR_INVALID_ARG, "the path contains a NUL").raise();
        return path.c_str();
    }
    template <class Call> kvl_transfer_t transferred(Call call, const char *path) const
    {
        kvl_transfer_t done{};
        kvl_error_t *why = nullptr;
        status s = call(handle_.get(), path, nullptr, nullptr, &done, sizeof done, &why);
        if (s != KVL_OK)
            error::own(s, why).raise();
        return done;
    }
    bool touched(detail::text_argument key, int64_t ttl_ms) const
    {
        status s = kvl_cache_touch(handle_.get(), key.data(), key.size(), ttl_ms);
        detail::raise_if_failed(s);
        return s == KVL_OK;
    }
    std::vector<kvl::queue> queues_; /* first, so that they are destroyed after the cache */
    detail::counted<kvl_cache_t, kvl_cache_retain, kvl_cache_release> handle_;
};

/* ---- The engine ------------------------------------------------------------------------------------------------------ */

class tasks {
public:
    explicit tasks(const config &from) : tasks(make(from).value()) {}
    static expected<tasks> make(const config &from)
    {
        std::unique_ptr<l2_connection> connection;
        std::unique_lock<std::mutex> creating;
        if (detail::l2_place *place = from.server()) {
            creating = std::unique_lock<std::mutex>(place->creating);
            auto connected = place->server->connect(from.get());
            if (!connected)
                return connected.error();
            connection = *std::move(connected);
        }
        kvl_tasks_t *made = nullptr;
        kvl_error_t *why = nullptr;
        status s = kvl_tasks_new(from.get(), &made, &why);
        if (creating)
            creating.unlock();
        if (s != KVL_OK)
            return error::own(s, why);
        tasks engine(made, from.queues(), std::move(connection));
        if (engine.connection_ != nullptr && (s = engine.connection_->attach(made)) != KVL_OK)
            return error(s);
        return engine;
    }
    tasks(tasks &&) noexcept = default;
    tasks &operator=(tasks &&other) noexcept
    {
        tasks before(std::move(other)); /* destroys the old engine before its queues */
        std::swap(queues_, before.queues_);
        std::swap(handle_, before.handle_);
        std::swap(reads_store_first_, before.reads_store_first_);
        std::swap(connection_, before.connection_);
        return *this;
    }

    /* Frees the engine, and waits for code of the program that is running. Inside a callback it is refused with KVL_ERR_REENTRANT, and
       nothing changes. */
    void join()
    {
        if (connection_ != nullptr) {
            /* The connection uses the engine, so it ends first, but only if kvl_tasks_free() will not be refused: kvl_tasks_l2_sync() is
               refused in the same cases. */
            const status s = kvl_tasks_l2_sync(handle_.get(), 0);
            if (s == KVL_ERR_REENTRANT || s == KVL_ERR_FORKED)
                error(s).raise();
            connection_.reset();
        }
        detail::raise_if_failed(kvl_tasks_free(handle_.get()));
        static_cast<void>(handle_.release());
    }
    /* Closes the engine: it accepts nothing new, and `closed()` is called when everything is done. Work in progress fails with
       KVL_ERR_CLOSED, or continues for at most `drain`: not at all with a time of 0 or less, without a limit with milliseconds::max(). */
    template <class Function> void close(Function &&closed, std::optional<milliseconds> drain = std::nullopt) const
    {
        using closure = std::decay_t<Function>;
        static_assert(std::is_invocable_v<closure &>, "the function is called without arguments");
        detail::raise_if_failed(kvl_tasks_close(
            handle_.get(), drain ? KVL_CLOSE_DRAIN : KVL_CLOSE_CANCEL, detail::count_of(drain, 0),
            [](void *data) noexcept { (*static_cast<closure *>(data))(); }, new closure(std::forward<Function>(closed)), detail::end<closure>));
    }
    kvl::cache cache() const
    {
        kvl_cache_t *is = nullptr;
        detail::raise_if_failed(kvl_tasks_cache(handle_.get(), &is));
        return kvl::cache(is, queues_);
    }

    /* The value in the cache. Starts no load and allocates nothing. Empty: a miss. A null value: the key is known to be absent. */
    std::optional<value> get(detail::text_argument key) const
    {
        kvl_value_t *found = nullptr;
        return kvl::cache::answer(kvl_tasks_get(handle_.get(), key.data(), key.size(), &found), found);
    }

    /* `callback(const kvl::result &)` is called once, never inside this call, if this returns KVL_PENDING; otherwise it is not called. */
    template <class Function> [[nodiscard]] status fetch(detail::text_argument key, Function &&callback, const how &by = {}) const
    {
        using closure = std::decay_t<Function>;
        return kvl_tasks_fetch(handle_.get(), key.data(), key.size(), by.settings(), by.fetch, tell<closure>,
                               new closure(std::forward<Function>(callback)), detail::end<closure>, nullptr);
    }
    /* `callback(const kvl::result &)` is called once for each position, as soon as it is settled. KVL_OK if there are no keys. */
    template <class Function> [[nodiscard]] status fetch_each(const keys &all, Function &&callback, const how &by = {}) const
    {
        using closure = std::decay_t<Function>;
        return kvl_tasks_fetch_each(handle_.get(), all.data(), all.size(), by.settings(), by.fetch, tell<closure>,
                                    new closure(std::forward<Function>(callback)), detail::end<closure>);
    }
    /* `callback(kvl::results)` is called once, when all positions are settled. */
    template <class Function> [[nodiscard]] status fetch_all(const keys &all, Function &&callback, const how &by = {}) const
    {
        using closure = std::decay_t<Function>;
        return kvl_tasks_fetch_all(handle_.get(), all.data(), all.size(), by.settings(), by.fetch, tell_all<closure>,
                                   new closure(std::forward<Function>(callback)), detail::end<closure>, nullptr);
    }
    /* This fetch_all also calls `progress(done, failed, total)` each time that at least `step` (1 or more) further positions are settled. */
    template <class Function, class Progress>
    [[nodiscard]] status fetch_all(const keys &all, Function &&callback, Progress &&progress, size_t step, options settings = {},
                                   const kvl::fetch *by = nullptr) const
    {
        struct closure {
            std::decay_t<Function> callback;
            std::decay_t<Progress> progress;
            void operator()(results are) { callback(std::move(are)); }
        };
        static_assert(std::is_invocable_v<std::decay_t<Function> &, results>, "the callback is called with a kvl::results");
        static_assert(std::is_invocable_v<std::decay_t<Progress> &, size_t, size_t, size_t>, "progress is called with three numbers of type size_t");
        const status s = kvl_options_set_progress(
            settings.get(),
            [](void *data, size_t done, size_t failed, size_t total) noexcept { static_cast<closure *>(data)->progress(done, failed, total); },
            step);
        if (s != KVL_OK)
            return s;
        return kvl_tasks_fetch_all(handle_.get(), all.data(), all.size(), settings.get(), by ? by->get() : nullptr, tell_all<closure>,
                                   new closure{std::forward<Function>(callback), std::forward<Progress>(progress)}, detail::end<closure>, nullptr);
    }

    /* Fails with KVL_ERR_REENTRANT inside a callback, and with KVL_ERR_UNSUPPORTED if requests go to a queue. */
    expected<value> fetch_wait(detail::text_argument key, const how &by = {}) const
    {
        kvl_value_t *found = nullptr;
        kvl_error_t *why = nullptr;
        status s = kvl_tasks_fetch_wait(handle_.get(), key.data(), key.size(), by.settings(), by.fetch, &found, &why);
        if (why != nullptr)
            return error::own(s, why);
        return at_once(s, found, by);
    }
    expected<results> fetch_all_wait(const keys &all, const how &by = {}) const
    {
        kvl_results_t *are = nullptr;
        status s = kvl_tasks_fetch_all_wait(handle_.get(), all.data(), all.size(), by.settings(), by.fetch, &are);
        if (s != KVL_OK)
            return by.refused(s);
        return results::own(are);
    }

    /* Ready at once if the cache has the key, or if the call is refused. */
    std::future<expected<value>> fetch_future(detail::text_argument key, const how &by = {}) const
    {
        std::promise<expected<value>> promise;
        auto future = promise.get_future();
        if (auto found = resident(key, by)) {
            promise.set_value(*std::move(found));
            return future;
        }
        /* Shared with the closure, which a refused call destroys before it returns. */
        auto shared = std::make_shared<std::promise<expected<value>>>(std::move(promise));
        status s = fetch(key, [shared](const result &is) { shared->set_value(is); }, by);
        if (s != KVL_PENDING)
            shared->set_value(by.refused(s));
        return future;
    }
    std::future<expected<results>> fetch_all_future(const keys &all, const how &by = {}) const
    {
        auto shared = std::make_shared<std::promise<expected<results>>>();
        auto future = shared->get_future();
        status s = fetch_all(all, [shared](results are) { shared->set_value(std::move(are)); }, by);
        if (s != KVL_PENDING)
            shared->set_value(by.refused(s));
        return future;
    }
#if KVL_COROUTINES
    class one_awaiter;
    class all_awaiter;
    /* Must be awaited at once, because it keeps views of the key and of `by`. */
    [[nodiscard]] one_awaiter co_fetch(detail::text_argument key, const how &by = {}) const;
    [[nodiscard]] all_awaiter co_fetch_all(keys all, const how &by = {}) const;
#endif

    /* Reloads keys in the background. */
    void refresh(const keys &all, const how &by = {}) const
    {
        status s = kvl_tasks_refresh(handle_.get(), all.data(), all.size(), by.settings());
        if (s < 0)
            by.refused(s).raise();
    }
    /* Another process has changed these keys: their entries leave this process, and running loads of them are not stored. */
    void invalidate(const keys &all) const { detail::raise_if_failed(kvl_tasks_invalidate(handle_.get(), all.data(), all.size(), 0)); }
    /* Another process may have changed any key: all entries leave this process. */
    void invalidate_all() const { detail::raise_if_failed(kvl_tasks_invalidate(handle_.get(), nullptr, 0, KVL_INVALIDATE_F_ALL)); }
    /* Waits until the second tier has everything that was put, removed or cleared before. Returns false if `timeout` is over first; empty: no
       limit. */
    bool sync_second_tier(std::optional<milliseconds> timeout = std::nullopt) const
    {
        status s = kvl_tasks_l2_sync(handle_.get(), detail::count_of(timeout, KVL_FOREVER));
        if (s != KVL_ERR_TIMEOUT)
            detail::raise_if_failed(s);
        return s == KVL_OK;
    }
    /* The state of the connection to a kvl::redis, as JSON: the members of kvl_redis_state. Empty: the second tier is no server. */
    std::optional<std::string> second_tier_state() const
    {
        return connection_ != nullptr ? std::optional(connection_->state()) : std::nullopt;
    }
    kvl_stats_t stats() const
    {
        kvl_stats_t is;
        detail::raise_if_failed(kvl_tasks_stats(handle_.get(), &is, sizeof is));
        return is;
    }
    /* KVL_BREAKER_*: the state of the circuit breaker. */
    std::uint32_t breaker_state() const noexcept { return kvl_tasks_breaker_state(handle_.get()); }
    /* KVL_BREAKER_FORCE_*: forces the circuit breaker open or closed, or lets it decide again. */
    void breaker_force(std::uint32_t force) { detail::raise_if_failed(kvl_tasks_breaker_force(handle_.get(), force)); }
    std::string stats_json() const
    {
        kvl_value_t *text = nullptr;
        detail::raise_if_failed(kvl_tasks_stats_json(handle_.get(), &text));
        return std::string(value::own(text).bytes());
    }
    kvl_tasks_t *get() const noexcept { return handle_.get(); }

private:
    tasks(kvl_tasks_t *owned, std::vector<kvl::queue> queues, std::unique_ptr<l2_connection> connection)
        : queues_(std::move(queues)), handle_(owned), reads_store_first_(kvl_tasks_reads_store_first(owned) != 0), connection_(std::move(connection))
    {
    }

    template <class Function> static void tell(void *data, const kvl_result_t *is) noexcept
    {
        static_assert(std::is_invocable_v<Function &, const result &>, "the callback is called with a const kvl::result &");
        (*static_cast<Function *>(data))(result(is));
    }
    template <class Function> static void tell_all(void *data, kvl_results_t *are) noexcept
    {
        static_assert(std::is_invocable_v<Function &, results>, "the callback is called with a kvl::results");
        (*static_cast<Function *>(data))(results::share(are));
    }
    static expected<value> at_once(status s, kvl_value_t *found, const how &by)
    {
        if (s == KVL_VALUE)
            return value::own(found);
        if (s == KVL_NULL)
            return value();
        return by.refused(s);
    }
    /* The answer from the cache, which needs no closure. Empty if the cache has none, or if options or settings may forbid the lookup. */
    std::optional<expected<value>> resident(detail::text_argument key, const how &by) const
    {
        if (!by.is_plain() || !reads_store_first_)
            return std::nullopt;
        kvl_value_t *found = nullptr;
        status s = kvl_tasks_get(handle_.get(), key.data(), key.size(), &found);
        if (s == KVL_MISS)
            return std::nullopt;
        return at_once(s, found, by);
    }

    std::vector<kvl::queue> queues_; /* first, so that they are destroyed after the engine */
    detail::owned<kvl_tasks_t, kvl_tasks_dispose> handle_;
    bool reads_store_first_; /* whether a fetch without options may begin with kvl_tasks_get() */
    std::unique_ptr<l2_connection> connection_; /* last, so that it is destroyed before the engine */
};

#if KVL_COROUTINES
/* The awaiter is in the coroutine's frame. As soon as a call is pending, another thread may resume the coroutine and destroy the frame.
   So no member is accessed after the call. */
class tasks::one_awaiter {
public:
    one_awaiter(const tasks &of, detail::text_argument key, const how &by) noexcept : of_(of), key_(key), by_(by) {}
    one_awaiter(const one_awaiter &) = delete;
    one_awaiter &operator=(const one_awaiter &) = delete;
    bool await_ready()
    {
        answer_ = of_.resident(key_, by_);
        return answer_.has_value();
    }
    bool await_suspend(std::coroutine_handle<> waiting)
    {
        waiting_ = waiting;
        kvl_value_t *found = nullptr;
        status s = kvl_tasks_fetch(of_.get(), key_.data(), key_.size(), by_.settings(), by_.fetch, callback, this, nullptr, &found);
        if (s == KVL_PENDING)
            return true;
        answer_.emplace(at_once(s, found, by_));
        return false;
    }
    expected<value> await_resume() { return *std::move(answer_); }

private:
    static void callback(void *data, const kvl_result_t *is) noexcept
    {
        auto *self = static_cast<one_awaiter *>(data);
        self->answer_.emplace(result(is));
        self->waiting_.resume();
    }
    const tasks &of_;
    detail::text_argument key_;
    how by_;
    std::coroutine_handle<> waiting_;
    std::optional<expected<value>> answer_;
};

class tasks::all_awaiter {
public:
    all_awaiter(const tasks &of, keys all, const how &by) noexcept : of_(of), all_(std::move(all)), by_(by) {}
    all_awaiter(const all_awaiter &) = delete;
    all_awaiter &operator=(const all_awaiter &) = delete;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiting)
    {
        waiting_ = waiting;
        kvl_results_t *ready = nullptr;
        status s = kvl_tasks_fetch_all(of_.get(), all_.data(), all_.size(), by_.settings(), by_.fetch, callback, this, nullptr, &ready);
        if (s == KVL_PENDING)
            return true;
        if (s == KVL_OK)
            answer_.emplace(results::own(ready));
        else
            answer_.emplace(by_.refused(s));
        return false;
    }
    expected<results> await_resume() { return *std::move(answer_); }

private:
    static void callback(void *data, kvl_results_t *are) noexcept
    {
        auto *self = static_cast<all_awaiter *>(data);
        self->answer_.emplace(results::share(are));
        self->waiting_.resume();
    }
    const tasks &of_;
    keys all_;
    how by_;
    std::coroutine_handle<> waiting_;
    std::optional<expected<results>> answer_;
};

inline tasks::one_awaiter tasks::co_fetch(detail::text_argument key, const how &by) const { return one_awaiter(*this, key, by); }
inline tasks::all_awaiter tasks::co_fetch_all(keys all, const how &by) const { return all_awaiter(*this, std::move(all), by); }
#endif

} // inline namespace

} // namespace kvl

#pragma pop_macro("clear")
#pragma pop_macro("close")
#pragma pop_macro("end")
#pragma pop_macro("error")
#pragma pop_macro("fail")
#pragma pop_macro("move")
#pragma pop_macro("refresh")
#pragma pop_macro("swap")
#pragma pop_macro("timeout")

#endif /* KVLIGHT_HPP */
