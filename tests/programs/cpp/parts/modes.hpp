// Two files of one program: throwing.cpp is compiled with exceptions, terminating.cpp without. Each does the same with functions that
// the other compiles as well.
#ifndef KVL_TESTS_MODES_HPP
#define KVL_TESTS_MODES_HPP

#include <string>

// Functions of terminating.cpp: one fetches and reads, the other fails, which ends the process.
std::string fetched_without_exceptions();
[[noreturn]] void fails_without_exceptions();
// Passes an object as a C handle: it has the same type in both files.
struct kvl_value_t;
int number_without_exceptions(kvl_value_t *value);

struct number {
    int is;
};

#endif
