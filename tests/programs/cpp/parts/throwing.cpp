// The file of the program that is compiled with exceptions: see modes.hpp.
#include "modes.hpp"
#include "../check.hpp"

#include <sys/wait.h>
#include <unistd.h>

// Runs a function in a child process, and returns its wait status and its standard error.
static std::pair<int, std::string> in_a_child(void (*run)())
{
    int ends[2];
    if (pipe(ends) != 0)
        return {-1, "no pipe"};
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        run();
        _exit(0);
    }
    close(ends[1]);
    std::string said;
    char part[256];
    for (ssize_t read_now; (read_now = read(ends[0], part, sizeof part)) > 0;)
        said.append(part, static_cast<std::size_t>(read_now));
    close(ends[0]);
    int status = -1;
    waitpid(child, &status, 0);
    return {status, said};
}

int main()
{
    // The child comes first, since a process that has threads should not fork.
    auto [status, said] = in_a_child([] { fails_without_exceptions(); });
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(said == "kvlight: bad key\n");

    CHECK(fetched_without_exceptions() == "a!b?");

    kvl::tasks engine(kvl::config().provider([](const kvl::request &asked) {
        if (asked[0] == "bad")
            throw std::range_error("thrown by the provider");
        asked.resolve(0, std::make_shared<number>(number{7}));
    }));
    std::string caught;
    try {
        static_cast<void>(engine.fetch_wait("bad").value());
    } catch (const std::range_error &error) {
        caught = error.what();
    }
    CHECK(caught == "thrown by the provider");
    try {
        kvl::cache unusable(kvl::config().set("cache.capacity", "many"));
        caught.clear();
    } catch (const kvl::failure &failure) {
        caught = failure.what();
    }
    CHECK(caught.find("cache.capacity") != std::string::npos);
    CHECK(number_without_exceptions(engine.fetch_wait("seven").value().c_handle()) == 7);
    engine.join();
    return done();
}
