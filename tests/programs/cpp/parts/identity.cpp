// The program that uses the library of shapes.cpp: an object has the same type in both, and is never taken for one of another type.
#include "../check.hpp"
#include "shapes.hpp"

// Without RTTI, two shared libraries share a type only if it has default visibility.
#if defined(__cpp_rtti) && !defined(SHAPES_WITHOUT_RTTI)
static constexpr bool hidden_is_known = true;
#else
static constexpr bool hidden_is_known = false;
#endif

struct small {
    int number;
};
struct large {
    char text[64];
    long number;
};

extern "C" __attribute__((visibility("hidden"))) void shapes_of_a_function(kvl::value *value);
// The library has a function of the same name, with a type of the same name inside.
extern "C" void shapes_of_a_function(kvl::value *value)
{
    struct inner {
        int number = 0;
    };
    CHECK(kvl::value(std::make_shared<inner>()).get<inner>());
    *value = value->get<inner>() ? kvl::value("taken for ours") : kvl::value();
}

static bool has_our_type(kvl::value value)
{
    shapes_of_a_function(&value);
    return bool(value);
}

static kvl::value created(which type) { return kvl::value::own(shapes_value(type)); }

static kvl::value fetched(which type)
{
    kvl_value_t *found = nullptr;
    std::string key = std::to_string(type);
    kvl_status_t answer = kvl_tasks_fetch_wait(shapes_engine(), reinterpret_cast<const uint8_t *>(key.data()), key.size(), nullptr, nullptr,
                                               &found, nullptr);
    CHECK(answer == KVL_VALUE);
    return kvl::value::own(found);
}

int main()
{
    // Created in the library, read in the program.
    for (auto from : {created, fetched}) {
        auto round = from(a_circle).get<circle>();
        CHECK(round != nullptr && round->radius == 320);
        auto angular = from(a_square).get<square>();
        CHECK((angular != nullptr) == hidden_is_known);
        CHECK(angular == nullptr || angular->side == 640);
        auto strings = from(a_vector).get<std::vector<std::string>>();
        CHECK(strings != nullptr && strings->size() == 3 && strings->back() == "three");
        CHECK((from(a_secret).get<secret>() != nullptr) == hidden_is_known);
        auto zlib = from(a_zlib).get<ZLibZ2>();
        CHECK((zlib != nullptr) == hidden_is_known);
        // Different types with the same name.
        CHECK(from(a_local).get<local>() == nullptr);
        CHECK(!has_our_type(from(in_a_function)));
        CHECK(from(a_square).get<circle>() == nullptr && from(a_circle).get<square>() == nullptr);
    }

    // Created in the program, read in the library.
    kvl::value here[] = {std::make_shared<square>(), std::make_shared<circle>(), std::make_shared<std::vector<std::string>>(),
                         std::make_shared<local>()};
    CHECK(shapes_is(here[0].c_handle(), a_square) == hidden_is_known);
    CHECK(shapes_is(here[1].c_handle(), a_circle));
    CHECK(shapes_is(here[2].c_handle(), a_vector));
    CHECK(!shapes_is(here[3].c_handle(), a_local) && here[3].get<local>());
    CHECK(!shapes_is(here[0].c_handle(), a_circle) && !shapes_is(here[1].c_handle(), a_square));

    // Types whose code is identical, so that a linker may fold it.
    kvl::cache store = kvl::cache(kvl::config());
    store.put("small", std::make_shared<small>(small{7}));
    auto found = store.get("small");
    CHECK(found && found->get<small>() && found->get<small>()->number == 7);
    CHECK(found && !found->get<large>());
    CHECK(found && found->get<const small>());
    shapes_end();
    return done();
}
