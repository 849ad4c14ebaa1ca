// Defines macros of other headers before it includes kvlight.hpp: that must compile, mean the same as without them, and leave them defined.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <future>
#include <initializer_list>
#include <iostream>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <stddef.h>
#include <stdexcept>
#include <stdint.h>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>
#if __has_include(<coroutine>) && __cplusplus >= 202002L
#include <coroutine>
#endif

// From Apple's AssertMacros, curses, sys/types.h, Arduino and test frameworks: function-like macros. Their bodies are
// invalid, so that any use of a macro in the header fails to compile.
#undef check
#define check(...) is not valid C++
#undef verify
#define verify(...) is not valid C++
#undef require
#define require(...) is not valid C++
#undef fail
#define fail(...) is not valid C++
#undef clear
#define clear(...) is not valid C++
#undef close
#define close(...) is not valid C++
#undef move
#define move(...) is not valid C++
#undef refresh
#define refresh(...) is not valid C++
#undef min
#define min(...) is not valid C++
#undef max
#define max(...) is not valid C++
#undef box
#define box(...) is not valid C++
#undef timeout
#define timeout(...) is not valid C++
#undef erase
#define erase(...) is not valid C++
#undef read
#define read(...) is not valid C++
#undef write
#define write(...) is not valid C++
#undef open
#define open(...) is not valid C++
#undef accept
#define accept(...) is not valid C++
#undef send
#define send(...) is not valid C++
#undef select
#define select(...) is not valid C++
#undef echo
#define echo(...) is not valid C++
#undef end
#define end(...) is not valid C++
#undef error
#define error(...) is not valid C++
#undef swap
#define swap(...) is not valid C++
#undef likely
#define likely(...) is not valid C++
#undef unlikely
#define unlikely(...) is not valid C++
#undef major
#define major(...) is not valid C++
#undef minor
#define minor(...) is not valid C++
#undef makedev
#define makedev(...) is not valid C++
#undef abs
#define abs(...) is not valid C++
#undef round
#define round(...) is not valid C++
#undef F
#define F(...) is not valid C++
#undef B
#define B(...) is not valid C++
#undef CHECK
#define CHECK(...) is not valid C++
#undef REQUIRE
#define REQUIRE(...) is not valid C++
#undef VERIFY
#define VERIFY(...) is not valid C++
#undef FAIL
#define FAIL(...) is not valid C++
#undef ERROR_IF
#define ERROR_IF(...) is not valid C++
#undef value_of
#define value_of(...) is not valid C++
#undef test
#define test(...) is not valid C++
#undef expect
#define expect(...) is not valid C++
#undef ensure
#define ensure(...) is not valid C++
#undef bounds
#define bounds(...) is not valid C++
// From X11, Windows, complex.h, Qt and GNU C++ itself: object-like macros.
#undef A
#define A is not valid C++
#undef C
#define C is not valid C++
#undef D
#define D is not valid C++
#undef E
#define E is not valid C++
#undef G
#define G is not valid C++
#undef H
#define H is not valid C++
#undef I
#define I is not valid C++
#undef J
#define J is not valid C++
#undef K
#define K is not valid C++
#undef L
#define L is not valid C++
#undef M
#define M is not valid C++
#undef N
#define N is not valid C++
#undef O
#define O is not valid C++
#undef P
#define P is not valid C++
#undef Q
#define Q is not valid C++
#undef R
#define R is not valid C++
#undef S
#define S is not valid C++
#undef T
#define T is not valid C++
#undef U
#define U is not valid C++
#undef V
#define V is not valid C++
#undef W
#define W is not valid C++
#undef X
#define X is not valid C++
#undef Y
#define Y is not valid C++
#undef Z
#define Z is not valid C++
#undef ERROR
#define ERROR is not valid C++
#undef Status
#define Status is not valid C++
#undef None
#define None is not valid C++
#undef True
#define True is not valid C++
#undef False
#define False is not valid C++
#undef Bool
#define Bool is not valid C++
#undef Success
#define Success is not valid C++
#undef Always
#define Always is not valid C++
#undef Never
#define Never is not valid C++
#undef Complex
#define Complex is not valid C++
#undef Convex
#define Convex is not valid C++
#undef Above
#define Above is not valid C++
#undef Below
#define Below is not valid C++
#undef small
#define small is not valid C++
#undef near
#define near is not valid C++
#undef far
#define far is not valid C++
#undef huge
#define huge is not valid C++
#undef pascal
#define pascal is not valid C++
#undef interface
#define interface is not valid C++
#undef IN
#define IN is not valid C++
#undef OUT
#define OUT is not valid C++
#undef OPTIONAL
#define OPTIONAL is not valid C++
#undef TRUE
#define TRUE is not valid C++
#undef FALSE
#define FALSE is not valid C++
#undef DELETE
#define DELETE is not valid C++
#undef CONST
#define CONST is not valid C++
#undef VOID
#define VOID is not valid C++
#undef CALLBACK
#define CALLBACK is not valid C++
#undef OK
#define OK is not valid C++
#undef FAILED
#define FAILED is not valid C++
#undef EMPTY
#define EMPTY is not valid C++
#undef NONE
#define NONE is not valid C++
#undef unix
#define unix is not valid C++
#undef linux
#define linux is not valid C++
#undef i386
#define i386 is not valid C++
#undef emit
#define emit is not valid C++
#undef signals
#define signals is not valid C++
#undef slots
#define slots is not valid C++
#undef foreach
#define foreach is not valid C++
#undef forever
#define forever is not valid C++
#undef Type_
#define Type_ is not valid C++
#undef Handle
#define Handle is not valid C++
#undef Key
#define Key is not valid C++
#undef Value
#define Value is not valid C++
#undef Result
#define Result is not valid C++
#undef Error
#define Error is not valid C++
#undef Config
#define Config is not valid C++
#undef DOMAIN
#define DOMAIN is not valid C++
#undef OVERFLOW
#define OVERFLOW is not valid C++
#undef UNDERFLOW
#define UNDERFLOW is not valid C++
#undef PAGE_SIZE
#define PAGE_SIZE is not valid C++
#undef MIN
#define MIN is not valid C++
#undef MAX
#define MAX is not valid C++
#undef stat_of
#define stat_of is not valid C++

#include <kvlight.hpp>

// The header has restored the program's macros. Each must still be defined; it is undefined here for the rest of the file.
#ifndef check
#error check is undefined: the header must leave it
#endif
#undef check
#ifndef verify
#error verify is undefined: the header must leave it
#endif
#undef verify
#ifndef require
#error require is undefined: the header must leave it
#endif
#undef require
#ifndef fail
#error fail is undefined: the header must leave it
#endif
#undef fail
#ifndef clear
#error clear is undefined: the header must leave it
#endif
#undef clear
#ifndef close
#error close is undefined: the header must leave it
#endif
#undef close
#ifndef move
#error move is undefined: the header must leave it
#endif
#undef move
#ifndef refresh
#error refresh is undefined: the header must leave it
#endif
#undef refresh
#ifndef min
#error min is undefined: the header must leave it
#endif
#undef min
#ifndef max
#error max is undefined: the header must leave it
#endif
#undef max
#ifndef box
#error box is undefined: the header must leave it
#endif
#undef box
#ifndef timeout
#error timeout is undefined: the header must leave it
#endif
#undef timeout
#ifndef erase
#error erase is undefined: the header must leave it
#endif
#undef erase
#ifndef read
#error read is undefined: the header must leave it
#endif
#undef read
#ifndef write
#error write is undefined: the header must leave it
#endif
#undef write
#ifndef open
#error open is undefined: the header must leave it
#endif
#undef open
#ifndef accept
#error accept is undefined: the header must leave it
#endif
#undef accept
#ifndef send
#error send is undefined: the header must leave it
#endif
#undef send
#ifndef select
#error select is undefined: the header must leave it
#endif
#undef select
#ifndef echo
#error echo is undefined: the header must leave it
#endif
#undef echo
#ifndef end
#error end is undefined: the header must leave it
#endif
#undef end
#ifndef error
#error error is undefined: the header must leave it
#endif
#undef error
#ifndef swap
#error swap is undefined: the header must leave it
#endif
#undef swap
#ifndef likely
#error likely is undefined: the header must leave it
#endif
#undef likely
#ifndef unlikely
#error unlikely is undefined: the header must leave it
#endif
#undef unlikely
#ifndef major
#error major is undefined: the header must leave it
#endif
#undef major
#ifndef minor
#error minor is undefined: the header must leave it
#endif
#undef minor
#ifndef makedev
#error makedev is undefined: the header must leave it
#endif
#undef makedev
#ifndef abs
#error abs is undefined: the header must leave it
#endif
#undef abs
#ifndef round
#error round is undefined: the header must leave it
#endif
#undef round
#ifndef F
#error F is undefined: the header must leave it
#endif
#undef F
#ifndef B
#error B is undefined: the header must leave it
#endif
#undef B
#ifndef CHECK
#error CHECK is undefined: the header must leave it
#endif
#undef CHECK
#ifndef REQUIRE
#error REQUIRE is undefined: the header must leave it
#endif
#undef REQUIRE
#ifndef VERIFY
#error VERIFY is undefined: the header must leave it
#endif
#undef VERIFY
#ifndef FAIL
#error FAIL is undefined: the header must leave it
#endif
#undef FAIL
#ifndef ERROR_IF
#error ERROR_IF is undefined: the header must leave it
#endif
#undef ERROR_IF
#ifndef value_of
#error value_of is undefined: the header must leave it
#endif
#undef value_of
#ifndef test
#error test is undefined: the header must leave it
#endif
#undef test
#ifndef expect
#error expect is undefined: the header must leave it
#endif
#undef expect
#ifndef ensure
#error ensure is undefined: the header must leave it
#endif
#undef ensure
#ifndef bounds
#error bounds is undefined: the header must leave it
#endif
#undef bounds
#ifndef A
#error A is undefined: the header must leave it
#endif
#undef A
#ifndef C
#error C is undefined: the header must leave it
#endif
#undef C
#ifndef D
#error D is undefined: the header must leave it
#endif
#undef D
#ifndef E
#error E is undefined: the header must leave it
#endif
#undef E
#ifndef G
#error G is undefined: the header must leave it
#endif
#undef G
#ifndef H
#error H is undefined: the header must leave it
#endif
#undef H
#ifndef I
#error I is undefined: the header must leave it
#endif
#undef I
#ifndef J
#error J is undefined: the header must leave it
#endif
#undef J
#ifndef K
#error K is undefined: the header must leave it
#endif
#undef K
#ifndef L
#error L is undefined: the header must leave it
#endif
#undef L
#ifndef M
#error M is undefined: the header must leave it
#endif
#undef M
#ifndef N
#error N is undefined: the header must leave it
#endif
#undef N
#ifndef O
#error O is undefined: the header must leave it
#endif
#undef O
#ifndef P
#error P is undefined: the header must leave it
#endif
#undef P
#ifndef Q
#error Q is undefined: the header must leave it
#endif
#undef Q
#ifndef R
#error R is undefined: the header must leave it
#endif
#undef R
#ifndef S
#error S is undefined: the header must leave it
#endif
#undef S
#ifndef T
#error T is undefined: the header must leave it
#endif
#undef T
#ifndef U
#error U is undefined: the header must leave it
#endif
#undef U
#ifndef V
#error V is undefined: the header must leave it
#endif
#undef V
#ifndef W
#error W is undefined: the header must leave it
#endif
#undef W
#ifndef X
#error X is undefined: the header must leave it
#endif
#undef X
#ifndef Y
#error Y is undefined: the header must leave it
#endif
#undef Y
#ifndef Z
#error Z is undefined: the header must leave it
#endif
#undef Z
#ifndef ERROR
#error ERROR is undefined: the header must leave it
#endif
#undef ERROR
#ifndef Status
#error Status is undefined: the header must leave it
#endif
#undef Status
#ifndef None
#error None is undefined: the header must leave it
#endif
#undef None
#ifndef True
#error True is undefined: the header must leave it
#endif
#undef True
#ifndef False
#error False is undefined: the header must leave it
#endif
#undef False
#ifndef Bool
#error Bool is undefined: the header must leave it
#endif
#undef Bool
#ifndef Success
#error Success is undefined: the header must leave it
#endif
#undef Success
#ifndef Always
#error Always is undefined: the header must leave it
#endif
#undef Always
#ifndef Never
#error Never is undefined: the header must leave it
#endif
#undef Never
#ifndef Complex
#error Complex is undefined: the header must leave it
#endif
#undef Complex
#ifndef Convex
#error Convex is undefined: the header must leave it
#endif
#undef Convex
#ifndef Above
#error Above is undefined: the header must leave it
#endif
#undef Above
#ifndef Below
#error Below is undefined: the header must leave it
#endif
#undef Below
#ifndef small
#error small is undefined: the header must leave it
#endif
#undef small
#ifndef near
#error near is undefined: the header must leave it
#endif
#undef near
#ifndef far
#error far is undefined: the header must leave it
#endif
#undef far
#ifndef huge
#error huge is undefined: the header must leave it
#endif
#undef huge
#ifndef pascal
#error pascal is undefined: the header must leave it
#endif
#undef pascal
#ifndef interface
#error interface is undefined: the header must leave it
#endif
#undef interface
#ifndef IN
#error IN is undefined: the header must leave it
#endif
#undef IN
#ifndef OUT
#error OUT is undefined: the header must leave it
#endif
#undef OUT
#ifndef OPTIONAL
#error OPTIONAL is undefined: the header must leave it
#endif
#undef OPTIONAL
#ifndef TRUE
#error TRUE is undefined: the header must leave it
#endif
#undef TRUE
#ifndef FALSE
#error FALSE is undefined: the header must leave it
#endif
#undef FALSE
#ifndef DELETE
#error DELETE is undefined: the header must leave it
#endif
#undef DELETE
#ifndef CONST
#error CONST is undefined: the header must leave it
#endif
#undef CONST
#ifndef VOID
#error VOID is undefined: the header must leave it
#endif
#undef VOID
#ifndef CALLBACK
#error CALLBACK is undefined: the header must leave it
#endif
#undef CALLBACK
#ifndef OK
#error OK is undefined: the header must leave it
#endif
#undef OK
#ifndef FAILED
#error FAILED is undefined: the header must leave it
#endif
#undef FAILED
#ifndef EMPTY
#error EMPTY is undefined: the header must leave it
#endif
#undef EMPTY
#ifndef NONE
#error NONE is undefined: the header must leave it
#endif
#undef NONE
#ifndef unix
#error unix is undefined: the header must leave it
#endif
#undef unix
#ifndef linux
#error linux is undefined: the header must leave it
#endif
#undef linux
#ifndef i386
#error i386 is undefined: the header must leave it
#endif
#undef i386
#ifndef emit
#error emit is undefined: the header must leave it
#endif
#undef emit
#ifndef signals
#error signals is undefined: the header must leave it
#endif
#undef signals
#ifndef slots
#error slots is undefined: the header must leave it
#endif
#undef slots
#ifndef foreach
#error foreach is undefined: the header must leave it
#endif
#undef foreach
#ifndef forever
#error forever is undefined: the header must leave it
#endif
#undef forever
#ifndef Type_
#error Type_ is undefined: the header must leave it
#endif
#undef Type_
#ifndef Handle
#error Handle is undefined: the header must leave it
#endif
#undef Handle
#ifndef Key
#error Key is undefined: the header must leave it
#endif
#undef Key
#ifndef Value
#error Value is undefined: the header must leave it
#endif
#undef Value
#ifndef Result
#error Result is undefined: the header must leave it
#endif
#undef Result
#ifndef Error
#error Error is undefined: the header must leave it
#endif
#undef Error
#ifndef Config
#error Config is undefined: the header must leave it
#endif
#undef Config
#ifndef DOMAIN
#error DOMAIN is undefined: the header must leave it
#endif
#undef DOMAIN
#ifndef OVERFLOW
#error OVERFLOW is undefined: the header must leave it
#endif
#undef OVERFLOW
#ifndef UNDERFLOW
#error UNDERFLOW is undefined: the header must leave it
#endif
#undef UNDERFLOW
#ifndef PAGE_SIZE
#error PAGE_SIZE is undefined: the header must leave it
#endif
#undef PAGE_SIZE
#ifndef MIN
#error MIN is undefined: the header must leave it
#endif
#undef MIN
#ifndef MAX
#error MAX is undefined: the header must leave it
#endif
#undef MAX
#ifndef stat_of
#error stat_of is undefined: the header must leave it
#endif
#undef stat_of

#include "../check.hpp"

int main()
{
    kvl::tasks engine(kvl::config().load([](std::string_view key) { return std::optional(std::string(key) + "!"); }));
    CHECK(engine.fetch_wait("a")->bytes() == "a!");
    auto all = engine.fetch_all_wait({"b", "c"});
    CHECK(all && all->values().size() == 2 && all->errors().empty());
    kvl::cache store = engine.cache();
    store.put("n", std::make_shared<int>(7));
    CHECK(*store.get("n")->get<int>() == 7);
    store.clear();
    engine.refresh({"a"});
    engine.join();
    return done();
}
