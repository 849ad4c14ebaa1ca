// Macros of other headers, defined before kvlight.hpp: the header compiles with the same meaning, and leaves the macros unchanged.
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

// From Apple's AssertMacros, curses, sys/types.h, Arduino and test frameworks: macros that look like functions.
#undef check
#define check(...) is no C++ any more
#undef verify
#define verify(...) is no C++ any more
#undef require
#define require(...) is no C++ any more
#undef fail
#define fail(...) is no C++ any more
#undef clear
#define clear(...) is no C++ any more
#undef close
#define close(...) is no C++ any more
#undef move
#define move(...) is no C++ any more
#undef refresh
#define refresh(...) is no C++ any more
#undef min
#define min(...) is no C++ any more
#undef max
#define max(...) is no C++ any more
#undef box
#define box(...) is no C++ any more
#undef timeout
#define timeout(...) is no C++ any more
#undef erase
#define erase(...) is no C++ any more
#undef read
#define read(...) is no C++ any more
#undef write
#define write(...) is no C++ any more
#undef open
#define open(...) is no C++ any more
#undef accept
#define accept(...) is no C++ any more
#undef send
#define send(...) is no C++ any more
#undef select
#define select(...) is no C++ any more
#undef echo
#define echo(...) is no C++ any more
#undef end
#define end(...) is no C++ any more
#undef error
#define error(...) is no C++ any more
#undef swap
#define swap(...) is no C++ any more
#undef likely
#define likely(...) is no C++ any more
#undef unlikely
#define unlikely(...) is no C++ any more
#undef major
#define major(...) is no C++ any more
#undef minor
#define minor(...) is no C++ any more
#undef makedev
#define makedev(...) is no C++ any more
#undef abs
#define abs(...) is no C++ any more
#undef round
#define round(...) is no C++ any more
#undef F
#define F(...) is no C++ any more
#undef B
#define B(...) is no C++ any more
#undef CHECK
#define CHECK(...) is no C++ any more
#undef REQUIRE
#define REQUIRE(...) is no C++ any more
#undef VERIFY
#define VERIFY(...) is no C++ any more
#undef FAIL
#define FAIL(...) is no C++ any more
#undef ERROR_IF
#define ERROR_IF(...) is no C++ any more
#undef value_of
#define value_of(...) is no C++ any more
#undef test
#define test(...) is no C++ any more
#undef expect
#define expect(...) is no C++ any more
#undef ensure
#define ensure(...) is no C++ any more
#undef bounds
#define bounds(...) is no C++ any more
// From X11, Windows, complex.h, Qt and GNU C++ itself: macros that look like names.
#undef A
#define A is no C++ any more
#undef C
#define C is no C++ any more
#undef D
#define D is no C++ any more
#undef E
#define E is no C++ any more
#undef G
#define G is no C++ any more
#undef H
#define H is no C++ any more
#undef I
#define I is no C++ any more
#undef J
#define J is no C++ any more
#undef K
#define K is no C++ any more
#undef L
#define L is no C++ any more
#undef M
#define M is no C++ any more
#undef N
#define N is no C++ any more
#undef O
#define O is no C++ any more
#undef P
#define P is no C++ any more
#undef Q
#define Q is no C++ any more
#undef R
#define R is no C++ any more
#undef S
#define S is no C++ any more
#undef T
#define T is no C++ any more
#undef U
#define U is no C++ any more
#undef V
#define V is no C++ any more
#undef W
#define W is no C++ any more
#undef X
#define X is no C++ any more
#undef Y
#define Y is no C++ any more
#undef Z
#define Z is no C++ any more
#undef ERROR
#define ERROR is no C++ any more
#undef Status
#define Status is no C++ any more
#undef None
#define None is no C++ any more
#undef True
#define True is no C++ any more
#undef False
#define False is no C++ any more
#undef Bool
#define Bool is no C++ any more
#undef Success
#define Success is no C++ any more
#undef Always
#define Always is no C++ any more
#undef Never
#define Never is no C++ any more
#undef Complex
#define Complex is no C++ any more
#undef Convex
#define Convex is no C++ any more
#undef Above
#define Above is no C++ any more
#undef Below
#define Below is no C++ any more
#undef small
#define small is no C++ any more
#undef near
#define near is no C++ any more
#undef far
#define far is no C++ any more
#undef huge
#define huge is no C++ any more
#undef pascal
#define pascal is no C++ any more
#undef interface
#define interface is no C++ any more
#undef IN
#define IN is no C++ any more
#undef OUT
#define OUT is no C++ any more
#undef OPTIONAL
#define OPTIONAL is no C++ any more
#undef TRUE
#define TRUE is no C++ any more
#undef FALSE
#define FALSE is no C++ any more
#undef DELETE
#define DELETE is no C++ any more
#undef CONST
#define CONST is no C++ any more
#undef VOID
#define VOID is no C++ any more
#undef CALLBACK
#define CALLBACK is no C++ any more
#undef OK
#define OK is no C++ any more
#undef FAILED
#define FAILED is no C++ any more
#undef EMPTY
#define EMPTY is no C++ any more
#undef NONE
#define NONE is no C++ any more
#undef unix
#define unix is no C++ any more
#undef linux
#define linux is no C++ any more
#undef i386
#define i386 is no C++ any more
#undef emit
#define emit is no C++ any more
#undef signals
#define signals is no C++ any more
#undef slots
#define slots is no C++ any more
#undef foreach
#define foreach is no C++ any more
#undef forever
#define forever is no C++ any more
#undef Type_
#define Type_ is no C++ any more
#undef Handle
#define Handle is no C++ any more
#undef Key
#define Key is no C++ any more
#undef Value
#define Value is no C++ any more
#undef Result
#define Result is no C++ any more
#undef Error
#define Error is no C++ any more
#undef Config
#define Config is no C++ any more
#undef DOMAIN
#define DOMAIN is no C++ any more
#undef OVERFLOW
#define OVERFLOW is no C++ any more
#undef UNDERFLOW
#define UNDERFLOW is no C++ any more
#undef PAGE_SIZE
#define PAGE_SIZE is no C++ any more
#undef MIN
#define MIN is no C++ any more
#undef MAX
#define MAX is no C++ any more
#undef stat_of
#define stat_of is no C++ any more

#include <kvlight.hpp>

// The header has restored the program's macros. Each must still be defined; it is undefined here for the rest of the file.
#ifndef check
#error check is no macro any more
#endif
#undef check
#ifndef verify
#error verify is no macro any more
#endif
#undef verify
#ifndef require
#error require is no macro any more
#endif
#undef require
#ifndef fail
#error fail is no macro any more
#endif
#undef fail
#ifndef clear
#error clear is no macro any more
#endif
#undef clear
#ifndef close
#error close is no macro any more
#endif
#undef close
#ifndef move
#error move is no macro any more
#endif
#undef move
#ifndef refresh
#error refresh is no macro any more
#endif
#undef refresh
#ifndef min
#error min is no macro any more
#endif
#undef min
#ifndef max
#error max is no macro any more
#endif
#undef max
#ifndef box
#error box is no macro any more
#endif
#undef box
#ifndef timeout
#error timeout is no macro any more
#endif
#undef timeout
#ifndef erase
#error erase is no macro any more
#endif
#undef erase
#ifndef read
#error read is no macro any more
#endif
#undef read
#ifndef write
#error write is no macro any more
#endif
#undef write
#ifndef open
#error open is no macro any more
#endif
#undef open
#ifndef accept
#error accept is no macro any more
#endif
#undef accept
#ifndef send
#error send is no macro any more
#endif
#undef send
#ifndef select
#error select is no macro any more
#endif
#undef select
#ifndef echo
#error echo is no macro any more
#endif
#undef echo
#ifndef end
#error end is no macro any more
#endif
#undef end
#ifndef error
#error error is no macro any more
#endif
#undef error
#ifndef swap
#error swap is no macro any more
#endif
#undef swap
#ifndef likely
#error likely is no macro any more
#endif
#undef likely
#ifndef unlikely
#error unlikely is no macro any more
#endif
#undef unlikely
#ifndef major
#error major is no macro any more
#endif
#undef major
#ifndef minor
#error minor is no macro any more
#endif
#undef minor
#ifndef makedev
#error makedev is no macro any more
#endif
#undef makedev
#ifndef abs
#error abs is no macro any more
#endif
#undef abs
#ifndef round
#error round is no macro any more
#endif
#undef round
#ifndef F
#error F is no macro any more
#endif
#undef F
#ifndef B
#error B is no macro any more
#endif
#undef B
#ifndef CHECK
#error CHECK is no macro any more
#endif
#undef CHECK
#ifndef REQUIRE
#error REQUIRE is no macro any more
#endif
#undef REQUIRE
#ifndef VERIFY
#error VERIFY is no macro any more
#endif
#undef VERIFY
#ifndef FAIL
#error FAIL is no macro any more
#endif
#undef FAIL
#ifndef ERROR_IF
#error ERROR_IF is no macro any more
#endif
#undef ERROR_IF
#ifndef value_of
#error value_of is no macro any more
#endif
#undef value_of
#ifndef test
#error test is no macro any more
#endif
#undef test
#ifndef expect
#error expect is no macro any more
#endif
#undef expect
#ifndef ensure
#error ensure is no macro any more
#endif
#undef ensure
#ifndef bounds
#error bounds is no macro any more
#endif
#undef bounds
#ifndef A
#error A is no macro any more
#endif
#undef A
#ifndef C
#error C is no macro any more
#endif
#undef C
#ifndef D
#error D is no macro any more
#endif
#undef D
#ifndef E
#error E is no macro any more
#endif
#undef E
#ifndef G
#error G is no macro any more
#endif
#undef G
#ifndef H
#error H is no macro any more
#endif
#undef H
#ifndef I
#error I is no macro any more
#endif
#undef I
#ifndef J
#error J is no macro any more
#endif
#undef J
#ifndef K
#error K is no macro any more
#endif
#undef K
#ifndef L
#error L is no macro any more
#endif
#undef L
#ifndef M
#error M is no macro any more
#endif
#undef M
#ifndef N
#error N is no macro any more
#endif
#undef N
#ifndef O
#error O is no macro any more
#endif
#undef O
#ifndef P
#error P is no macro any more
#endif
#undef P
#ifndef Q
#error Q is no macro any more
#endif
#undef Q
#ifndef R
#error R is no macro any more
#endif
#undef R
#ifndef S
#error S is no macro any more
#endif
#undef S
#ifndef T
#error T is no macro any more
#endif
#undef T
#ifndef U
#error U is no macro any more
#endif
#undef U
#ifndef V
#error V is no macro any more
#endif
#undef V
#ifndef W
#error W is no macro any more
#endif
#undef W
#ifndef X
#error X is no macro any more
#endif
#undef X
#ifndef Y
#error Y is no macro any more
#endif
#undef Y
#ifndef Z
#error Z is no macro any more
#endif
#undef Z
#ifndef ERROR
#error ERROR is no macro any more
#endif
#undef ERROR
#ifndef Status
#error Status is no macro any more
#endif
#undef Status
#ifndef None
#error None is no macro any more
#endif
#undef None
#ifndef True
#error True is no macro any more
#endif
#undef True
#ifndef False
#error False is no macro any more
#endif
#undef False
#ifndef Bool
#error Bool is no macro any more
#endif
#undef Bool
#ifndef Success
#error Success is no macro any more
#endif
#undef Success
#ifndef Always
#error Always is no macro any more
#endif
#undef Always
#ifndef Never
#error Never is no macro any more
#endif
#undef Never
#ifndef Complex
#error Complex is no macro any more
#endif
#undef Complex
#ifndef Convex
#error Convex is no macro any more
#endif
#undef Convex
#ifndef Above
#error Above is no macro any more
#endif
#undef Above
#ifndef Below
#error Below is no macro any more
#endif
#undef Below
#ifndef small
#error small is no macro any more
#endif
#undef small
#ifndef near
#error near is no macro any more
#endif
#undef near
#ifndef far
#error far is no macro any more
#endif
#undef far
#ifndef huge
#error huge is no macro any more
#endif
#undef huge
#ifndef pascal
#error pascal is no macro any more
#endif
#undef pascal
#ifndef interface
#error interface is no macro any more
#endif
#undef interface
#ifndef IN
#error IN is no macro any more
#endif
#undef IN
#ifndef OUT
#error OUT is no macro any more
#endif
#undef OUT
#ifndef OPTIONAL
#error OPTIONAL is no macro any more
#endif
#undef OPTIONAL
#ifndef TRUE
#error TRUE is no macro any more
#endif
#undef TRUE
#ifndef FALSE
#error FALSE is no macro any more
#endif
#undef FALSE
#ifndef DELETE
#error DELETE is no macro any more
#endif
#undef DELETE
#ifndef CONST
#error CONST is no macro any more
#endif
#undef CONST
#ifndef VOID
#error VOID is no macro any more
#endif
#undef VOID
#ifndef CALLBACK
#error CALLBACK is no macro any more
#endif
#undef CALLBACK
#ifndef OK
#error OK is no macro any more
#endif
#undef OK
#ifndef FAILED
#error FAILED is no macro any more
#endif
#undef FAILED
#ifndef EMPTY
#error EMPTY is no macro any more
#endif
#undef EMPTY
#ifndef NONE
#error NONE is no macro any more
#endif
#undef NONE
#ifndef unix
#error unix is no macro any more
#endif
#undef unix
#ifndef linux
#error linux is no macro any more
#endif
#undef linux
#ifndef i386
#error i386 is no macro any more
#endif
#undef i386
#ifndef emit
#error emit is no macro any more
#endif
#undef emit
#ifndef signals
#error signals is no macro any more
#endif
#undef signals
#ifndef slots
#error slots is no macro any more
#endif
#undef slots
#ifndef foreach
#error foreach is no macro any more
#endif
#undef foreach
#ifndef forever
#error forever is no macro any more
#endif
#undef forever
#ifndef Type_
#error Type_ is no macro any more
#endif
#undef Type_
#ifndef Handle
#error Handle is no macro any more
#endif
#undef Handle
#ifndef Key
#error Key is no macro any more
#endif
#undef Key
#ifndef Value
#error Value is no macro any more
#endif
#undef Value
#ifndef Result
#error Result is no macro any more
#endif
#undef Result
#ifndef Error
#error Error is no macro any more
#endif
#undef Error
#ifndef Config
#error Config is no macro any more
#endif
#undef Config
#ifndef DOMAIN
#error DOMAIN is no macro any more
#endif
#undef DOMAIN
#ifndef OVERFLOW
#error OVERFLOW is no macro any more
#endif
#undef OVERFLOW
#ifndef UNDERFLOW
#error UNDERFLOW is no macro any more
#endif
#undef UNDERFLOW
#ifndef PAGE_SIZE
#error PAGE_SIZE is no macro any more
#endif
#undef PAGE_SIZE
#ifndef MIN
#error MIN is no macro any more
#endif
#undef MIN
#ifndef MAX
#error MAX is no macro any more
#endif
#undef MAX
#ifndef stat_of
#error stat_of is no macro any more
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
