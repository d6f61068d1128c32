#include "train/epoch_log.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "train/progress.h"
#include "train/trainer.h"

namespace vitrail {

namespace {

using nlohmann::ordered_json;

// nlohmann would write null: a reader could not tell a missing number from a broken one.
ordered_json number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

}  // namespace

EpochLog::EpochLog(const std::string& path) : path_(path) {
  if (path.empty()) return;
  file_ = std::fopen(path.c_str(), "w");
  check(file_ != nullptr, ErrorKind::kIo, "log", path_, " cannot be opened for writing: ", std::strerror(errno), ".");
}

EpochLog::~EpochLog() {
  if (file_) std::fclose(file_);
}

void EpochLog::append(const std::string& line) {
  if (!file_) return;
  const bool written = std::fprintf(file_, "%s\n", line.c_str()) >= 0 && std::fflush(file_) == 0;
  check(written, ErrorKind::kIo, "log", path_, " cannot be written: ", std::strerror(errno), ".");
}

std::string to_json_line(const EpochReport& r) {
  ordered_json line{{"epoch", r.epoch},
                    {"step", r.step},
                    {"train_loss", number(r.train_loss)},
                    {"train_top1", number(r.train_top1)},
                    {"lr", number(r.lr)},
                    {"grad_norm", number(r.grad_norm)},
                    {"seconds", number(r.seconds)},
                    {"images_per_second", number(r.images_per_second)}};
  if (r.test) {
    line["test_loss"] = number(r.test->loss);
    line["test_top1"] = number(r.test->top1);
    line["test_top5"] = number(r.test->top5);
    line["test_images"] = r.test->images;
  }
  return line.dump();
}

std::string format_epoch(const EpochReport& r, int64_t epochs) {
  char text[256], test[96] = "";
  if (r.test) std::snprintf(test, sizeof test, "  test %.2f %% (top-5 %.2f %%)", 100 * r.test->top1, 100 * r.test->top5);
  std::snprintf(text, sizeof text, "epoch %lld/%lld  loss %.3f  top-1 %.1f %%%s  %.0f images/s  %s",
                static_cast<long long>(r.epoch), static_cast<long long>(epochs), r.train_loss, 100 * r.train_top1, test,
                r.images_per_second, format_duration(r.seconds).c_str());
  return text;
}

}  // namespace vitrail
