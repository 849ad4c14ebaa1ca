// Two files of one program: throwing.cpp is compiled with exceptions, terminating.cpp without. Both instantiate the same functions of
// kvlight.hpp, which must throw in the one and end the process in the other.
#ifndef KVL_TESTS_MODES_HPP
#define KVL_TESTS_MODES_HPP

#include <string>

// Functions of terminating.cpp. The first fetches and reads; the second fails, which ends the process.
std::string fetched_without_exceptions();
[[noreturn]] void fails_without_exceptions();
// Returns the number in an object, which must have the same type in both files.
struct kvl_value_t;
int number_without_exceptions(kvl_value_t *value);

struct number {
    int n;
};

#endif
