// A shared library for identity.cpp: see shapes.hpp.
#define SHAPES_LIBRARY
#include "shapes.hpp"

struct secret {
    int word = 7;
};

// The program (identity.cpp) has an extern "C" function of the same name, just as several plugins may each have an `init`.
extern "C" __attribute__((visibility("hidden"))) void shapes_of_a_function(kvl::value *value);
extern "C" void shapes_of_a_function(kvl::value *value)
{
    struct inner {
        std::string text = "the library's";
    };
    *value = std::make_shared<inner>();
}

static kvl::value of_a_function()
{
    kvl::value value;
    shapes_of_a_function(&value);
    return value;
}

static kvl::value create(int which)
{
    switch (which) {
    case a_square: return std::make_shared<square>(square{640});
    case a_circle: return std::make_shared<circle>(circle{320});
    case a_vector: return std::make_shared<std::vector<std::string>>(3, "three");
    case a_local: return std::make_shared<local>();
    case in_a_function: return of_a_function();
    case a_secret: return std::make_shared<secret>();
    case a_zlib: return std::make_shared<ZLibZ2>(ZLibZ2{9});
    default: return nullptr;
    }
}

static kvl::tasks &engine()
{
    static kvl::tasks tasks = kvl::tasks(kvl::config().provider([](const kvl::request &asked) {
        for (std::size_t i = 0; i < asked.size(); i++)
            asked.resolve(i, create(std::stoi(std::string(asked[i]))));
        asked.finish();
    }));
    return tasks;
}

kvl_tasks_t *shapes_engine() { return engine().get(); }
void shapes_end() { engine().join(); }

kvl_value_t *shapes_value(int which) { return kvl_value_retain(create(which).c_handle()); }

int shapes_is(kvl_value_t *value, int which)
{
    kvl::value shared = kvl::value::share(value);
    switch (which) {
    case a_square: return shared.get<square>() != nullptr;
    case a_circle: return shared.get<circle>() != nullptr;
    case a_vector: return shared.get<std::vector<std::string>>() != nullptr;
    case a_local: return shared.get<local>() != nullptr;
    case a_secret: return shared.get<secret>() != nullptr;
    case a_zlib: return shared.get<ZLibZ2>() != nullptr;
    default: return 0;
    }
}
