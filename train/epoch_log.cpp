#include "train/epoch_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "train/printable.h"
#include "train/progress.h"
#include "train/trainer.h"

namespace vitrail {

namespace {

// null would leave open whether a number is missing or broken.
void add_number(JsonWriter& json, const std::string& key, double value) {
  if (std::isfinite(value)) {
    json.field(key, value);
  } else {
    json.field(key, std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
  }
}

[[noreturn]] void fail_log(const std::string& path, const char* what, int error) {
  fail(ErrorKind::kIo, "log", escaped(path, 200), " ", what, ": ", std::strerror(error), ".");
}

// Never through a link: it would write into a file of somewhere else. O_NONBLOCK: opening a FIFO that nobody reads must not
// hang. Never as descriptor 0, 1 or 2: what is printed would end in the log.
int open_log(const std::string& path) {
  int fd = -1;
  do fd = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
  while (fd < 0 && errno == EINTR);
  if (fd < 0)
    fail_log(path, errno == ELOOP ? "is a link; the log is not written through one" : "cannot be opened for writing", errno);
  if (fd <= STDERR_FILENO) {
    const int higher = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
    ::close(fd);
    if (higher < 0) fail_log(path, "cannot be opened for writing", error);
    fd = higher;
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1) {
    ::close(fd);
    fail(ErrorKind::kIo, "log", escaped(path, 200), " is no regular file of one name. Hint: another --out.");
  }
  return fd;
}

// A run that was killed may have left half a line.
bool ends_within_line(int fd) {
  struct stat status {};
  char last = '\n';
  if (::fstat(fd, &status) != 0 || status.st_size == 0) return false;
  return ::pread(fd, &last, 1, status.st_size - 1) == 1 && last != '\n';
}

}  // namespace

EpochLog::EpochLog(const std::string& path) : path_(path) {
  if (path.empty()) return;
  fd_ = open_log(path);
  if (ends_within_line(fd_)) append("");
}

EpochLog::~EpochLog() {
  if (fd_ >= 0) ::close(fd_);
}

void EpochLog::append(const std::string& line) {
  if (fd_ < 0) return;
  const std::string text = line + "\n";
  for (size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(fd_, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_log(path_, "cannot be written", written < 0 ? errno : ENOSPC);
    done += static_cast<size_t>(written);
  }
}

std::string to_json_line(const EpochReport& r) {
  JsonWriter json;
  json.begin_object().field("epoch", r.epoch).field("step", r.step);
  add_number(json, "train_loss", r.train_loss);
  for (const Score& entry : r.train) add_number(json, "train_" + entry.name, entry.value);
  add_number(json, "lr", r.lr);
  add_number(json, "grad_norm", r.grad_norm);
  add_number(json, "seconds", r.seconds);
  add_number(json, "images_per_second", r.images_per_second);
  if (r.test) {
    for (const Score& entry : r.test->scores) add_number(json, "test_" + entry.name, entry.value);
    json.field("test_images", r.test->images);
  }
  return json.end_object().text();
}

std::string format_epoch(const EpochReport& r, int64_t epochs) {
  char head[96], rest[96];
  std::snprintf(head, sizeof head, "epoch %lld/%lld  loss %.3f", static_cast<long long>(r.epoch),
                static_cast<long long>(epochs), printable(r.train_loss));
  std::snprintf(rest, sizeof rest, "  %.0f images/s  %s", printable(r.images_per_second), format_duration(r.seconds).c_str());
  const std::string train = format_scores(r.train), test = r.test ? format_scores(r.test->scores, 4) : "";
  return cat(head, train.empty() ? "" : "  ", train, test.empty() ? "" : "  test ", test, rest);
}

}  // namespace vitrail
