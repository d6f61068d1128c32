#include "base/log_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::content_of;
using vitrail::testing::put_content;
using vitrail::testing::refuses;
using vitrail::testing::ScratchFolder;

TEST_CASE("log file: lines are added to what is there") {
  ScratchFolder folder;
  const std::string path = folder.file("log");
  { LogFile(path).append("one"); }
  LogFile log(path), other(path);
  log.append("two");
  other.append("three");
  log.append("");
  CHECK(content_of(path) == "one\ntwo\nthree\n\n");
}

TEST_CASE("log file: half a line of a killed process is ended before the next one") {
  ScratchFolder folder;
  put_content(folder.file("log"), "whole\nhal");
  LogFile(folder.file("log")).append("next");
  CHECK(content_of(folder.file("log")) == "whole\nhal\nnext\n");
}

TEST_CASE("log file: links, pipes and folders are refused, at once") {
  ScratchFolder folder;
  put_content(folder.file("precious"), "keep");
  REQUIRE(symlink(folder.file("precious").c_str(), folder.file("link").c_str()) == 0);
  REQUIRE(mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK(refuses([&] { LogFile log(folder.file("link")); }, ErrorKind::kIo, "it is a link, which is not followed"));
  CHECK(refuses([&] { LogFile log(folder.file("pipe")); }, ErrorKind::kIo, "cannot open"));
  CHECK(refuses([&] { LogFile log(folder.path()); }, ErrorKind::kIo, "Is a directory"));
  CHECK(refuses([] { LogFile log("/dev/null"); }, ErrorKind::kIo, "no regular file"));
  CHECK(refuses([&] { LogFile log(folder.file("no/log")); }, ErrorKind::kIo, "No such file or directory"));
  CHECK(content_of(folder.file("precious")) == "keep");
  const int reader = open(folder.file("pipe").c_str(), O_RDONLY | O_NONBLOCK);  // now it could be opened
  CHECK(refuses([&] { LogFile log(folder.file("pipe")); }, ErrorKind::kIo, "no regular file"));
  close(reader);
}

TEST_CASE("log file: its descriptor is never one of the standard ones") {
  ScratchFolder folder;
  const std::string path = folder.file("log");
  const pid_t child = fork();
  if (child == 0) {
    close(0), close(1), close(2);
    LogFile log(path);
    log.append("line");
    const bool taken = fcntl(0, F_GETFD) != -1 || fcntl(1, F_GETFD) != -1 || fcntl(2, F_GETFD) != -1;
    _exit(taken);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(status == 0);
  CHECK(content_of(path) == "line\n");
}

TEST_CASE("log file: a disk that refuses is an error with its reason") {
  ScratchFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    LogFile log(folder.file("log"));
    rlimit limit{10, 10};
    std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    _exit(refuses([&] { log.append(std::string(100, 'x')); }, ErrorKind::kIo, "File too large") ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(status == 0);
}
