// What a user sees of an Error that no one catches.
#include "base/error.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>

using namespace vitrail;

namespace {

struct Ended {
  int code;
  std::string text;
};

// Runs body in a child process, as if nothing there caught its exceptions.
Ended run_uncaught(void (*body)()) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    close(ends[0]);
    [&]() noexcept { body(); }();
    _exit(0);
  }
  close(ends[1]);
  Ended ended{0, {}};
  char buffer[512];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) ended.text.append(buffer, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return ended;
}

}  // namespace

TEST_CASE("an uncaught Error prints its message behind what was printed, and ends with the code of its kind") {
  const Ended ended = run_uncaught([] {
    std::printf("printed\n");
    std::cout << "streamed\n";
    fail(ErrorKind::kNumeric, "test", "no number");
  });
  CHECK(ended.text.find("printed\n") != std::string::npos);
  CHECK(ended.text.find("streamed\n") < ended.text.find("vitrail: [test] no number\n"));
  CHECK(ended.text.find("terminate called") == std::string::npos);
  CHECK(ended.code == 6);
}

TEST_CASE("exceptions that are no Error are reported as the C++ library does") {
  const Ended ended = run_uncaught([] {
    try {
      fail(ErrorKind::kValue, "test", "caught");
    } catch (const Error&) {
    }
    throw std::runtime_error("somebody else's");
  });
  CHECK(ended.text.find("somebody else's") != std::string::npos);
  CHECK(ended.text.find("caught") == std::string::npos);
  CHECK(ended.code < 0);
}
