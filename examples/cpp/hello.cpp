// A loading cache of squares:
//     c++ -std=c++17 hello.cpp $(pkg-config --cflags --libs kvlight) -o hello && ./hello
#include <kvlight.hpp>

#include <iostream>

int main()
{
    kvl::tasks squares(kvl::config().set("cache.capacity", 10'000).load([](std::string_view number) {
        std::cout << "computes " << number << "\n"; // once for each key, however many callers ask
        long n = std::strtol(std::string(number).c_str(), nullptr, 10);
        return std::to_string(n * n);
    }));
    for (kvl::result square : squares.fetch_all_wait({"7", "8", "7"}).value())
        std::cout << square.key() << " squared is " << square.bytes() << "\n";
    std::cout << "and again " << squares.fetch_wait("7")->bytes() << "\n";
    squares.join();
}
