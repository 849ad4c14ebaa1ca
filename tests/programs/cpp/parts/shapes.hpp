// The functions of the shared library of shapes.cpp: an engine, and values with objects. -fvisibility=hidden hides everything else in it.
#ifndef KVL_TESTS_SHAPES_HPP
#define KVL_TESTS_SHAPES_HPP

#include <kvlight.hpp>
#include <string>
#include <vector>

#define SHAPES_API __attribute__((visibility("default")))

// Types of the library and the program: one without a visibility attribute, one with it, and one whose name has letters that mangling uses.
struct square {
    int side;
};
struct SHAPES_API circle {
    int radius;
};
struct ZLibZ2 {
    int level;
};
// A type that is defined only in the library.
struct secret;

namespace {
// Each file has its own type of this name.
struct local {
#ifdef SHAPES_LIBRARY
    std::string text = "a string of the library's";
    std::string more = "another";
#else
    int number = 0;
#endif
};
} // namespace

extern "C" {
SHAPES_API kvl_tasks_t *shapes_engine(void);
SHAPES_API void shapes_end(void);
SHAPES_API kvl_value_t *shapes_value(int which);
SHAPES_API int shapes_is(kvl_value_t *value, int which);
}

enum which { a_square, a_circle, a_vector, a_local, in_a_function, a_secret, a_zlib };

#endif
