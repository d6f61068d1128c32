#include "base/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::content_of;
using vitrail::testing::error_of;
using vitrail::testing::put_content;
using vitrail::testing::refuses;
using vitrail::testing::ScratchFolder;

namespace {

// No file may grow beyond `bytes` while this lives: write(2) fails with EFBIG, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limit = old_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

}  // namespace

TEST_CASE("file: what is written in pieces is read back whole, and nothing else is left behind") {
  ScratchFolder folder;
  const std::string path = folder.file("a"), big(3'000'000, 'x');
  const auto piece = [](const std::string& text) {
    return std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  };
  const std::string head = "head", none;
  write_file_atomically(path, {piece(head), piece(none), piece(big)});
  CHECK(read_text_file(path) == head + big);
  write_file_atomically(path, std::string("new"));
  CHECK(read_file(path, 3) == std::vector<uint8_t>{'n', 'e', 'w'});
  CHECK(folder.entries() == 1);
}

TEST_CASE("file: a write that fails halfway keeps the old file and leaves no temporary one") {
  ScratchFolder folder;
  const std::string path = folder.file("a");
  put_content(path, "old");
  {
    const FileSizeLimit limit(1000);
    CHECK(refuses([&] { write_file_atomically(path, std::string(5000, 'x')); }, ErrorKind::kIo, "File too large"));
  }
  CHECK(content_of(path) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("file: leftovers of killed writers are removed, what lives or belongs to others is not") {
  ScratchFolder folder;
  const std::string path = folder.file("a");
  // A writer that dies in the middle of its work.
  const pid_t child = fork();
  if (child == 0) {
    const FileSizeLimit limit(100'000);
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    std::signal(SIGXFSZ, SIG_DFL);  // the write beyond the limit ends the process in the middle of it
    write_file_atomically(path, std::string(200'000, 'x'));
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(folder.entries() == 1);
  const std::string left = std::filesystem::directory_iterator(folder.path())->path().filename().string();
  CHECK(left.starts_with("a.tmp-"));
  // Another file's, another machine's, and one that is locked by a living writer.
  const size_t dash = std::string("a.tmp-").size();
  std::string foreign = left, living = left + "0";
  foreign[dash] = foreign[dash] == '0' ? '1' : '0';
  for (const std::string& name : {"b" + left.substr(1), foreign, living}) put_content(folder.file(name), "keep");
  REQUIRE(symlink("/etc/passwd", folder.file(left + "1").c_str()) == 0);
  const int lock = open(folder.file(living).c_str(), O_RDONLY);
  REQUIRE(flock(lock, LOCK_EX) == 0);
  write_file_atomically(path, std::string("new"));
  close(lock);
  CHECK(content_of(path) == "new");
  CHECK(!std::filesystem::exists(folder.file(left)));
  CHECK(folder.entries() == 5);
}

TEST_CASE("file: two writers of one file at a time leave one whole file and nothing else") {
  ScratchFolder folder;
  const std::string path = folder.file("a");
  std::vector<pid_t> children;
  for (const char letter : {'x', 'y', 'z'}) {
    const pid_t child = fork();
    if (child == 0) {
      int failures = 0;
      for (int i = 0; i < 50; ++i)
        failures += error_of([&] { write_file_atomically(path, std::string(50'000, letter)); }).has_value();
      _exit(failures);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  const std::string content = content_of(path);
  CHECK(content == std::string(50'000, content.at(0)));
  CHECK(folder.entries() == 1);
}

TEST_CASE("file: a name as long as the system allows can be written") {
  ScratchFolder folder;
  const std::string path = folder.file(std::string(255, 'n'));
  write_file_atomically(path, std::string("x"));
  CHECK(content_of(path) == "x");
  CHECK(refuses([&] { write_file_atomically(path + "n", std::string("x")); }, ErrorKind::kIo, "File name too long"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("file: where nothing can be created, the path and the reason are named") {
  ScratchFolder folder;
  const std::string path = folder.file("no/such/folder");
  CHECK(refuses([&] { write_file_atomically(path, std::string("x")); }, ErrorKind::kIo, path + ": No such file or directory"));
  CHECK(refuses([&] { read_file(path, 1); }, ErrorKind::kIo, path + ": No such file or directory"));
}

TEST_CASE("file: a folder or a device is not replaced") {
  ScratchFolder folder;
  mkdir(folder.file("sub").c_str(), 0755);
  CHECK(refuses([&] { write_file_atomically(folder.file("sub"), std::string("x")); }, ErrorKind::kIo, "no regular file"));
  CHECK(refuses([] { write_file_atomically("/dev/null", std::string("x")); }, ErrorKind::kIo, "no regular file"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("file: only regular files are read: a folder, a pipe and a device are refused at once") {
  ScratchFolder folder;
  mkfifo(folder.file("pipe").c_str(), 0600);
  CHECK(refuses([&] { read_file(folder.file("pipe"), 10); }, ErrorKind::kIo, "no regular file"));
  CHECK(refuses([&] { read_file(folder.path(), 10); }, ErrorKind::kIo, "folder"));
  CHECK(refuses([] { read_file("/dev/zero", 10); }, ErrorKind::kIo, "no regular file"));
}

TEST_CASE("file: a file above the limit is refused before it is read, one at the limit is not") {
  ScratchFolder folder;
  put_content(folder.file("a"), "12345");
  CHECK(refuses([&] { read_file(folder.file("a"), 4); }, ErrorKind::kData, "too large: 5 bytes, at most 4"));
  CHECK(read_file(folder.file("a"), 5).size() == 5);
}

TEST_CASE("file: reading behind the end says how much is missing") {
  ScratchFolder folder;
  put_content(folder.file("a"), "12345");
  const InputFile file(folder.file("a"));
  char two[2];
  file.read_at(3, two, 2);
  CHECK(std::string(two, 2) == "45");
  char four[4];
  CHECK(refuses([&] { file.read_at(3, four, 4); }, ErrorKind::kData, "2 bytes are missing at byte 5"));
}

TEST_CASE("temporary files of killed processes are removed from a folder whatever their target, and nothing else is") {
  const ScratchFolder folder;
  // The name of this machine in temporary files, as a child sees it that ends while it writes.
  const pid_t child = fork();
  if (child == 0) {
    struct rlimit least {
      10, 10
    };
    signal(SIGXFSZ, SIG_DFL);
    setrlimit(RLIMIT_FSIZE, &least);
    write_file_atomically(folder.file("a.json"), std::string(100, 'x'));
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(folder.entries() == 1);
  const std::string name = std::filesystem::directory_iterator(folder.path())->path().filename().string();
  REQUIRE(name.starts_with("a.json.tmp-"));
  for (const std::string kept : {"mine.tmp-1", "tmp", "x.tmp-00000000-12-0123456789abcdef"}) put_content(folder.file(kept), "");
  put_content(folder.file(name + ".old"), "");
  remove_temporary_files(folder.path());
  CHECK(folder.entries() == 4);
  CHECK(!std::filesystem::exists(folder.file(name)));
}
