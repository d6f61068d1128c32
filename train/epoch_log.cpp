#include "train/epoch_log.h"

#include <cerrno>
#include <cmath>
#include <cstring>

#include "base/json_writer.h"
#include "base/text.h"
#include "train/progress.h"
#include "train/trainer.h"

namespace vitrail {

namespace {

// null would leave open whether a number is missing or broken.
void add_number(JsonWriter& json, const char* key, double value) {
  if (std::isfinite(value)) {
    json.field(key, value);
  } else {
    json.field(key, std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
  }
}

}  // namespace

EpochLog::EpochLog(const std::string& path) : path_(path) {
  if (path.empty()) return;
  file_ = std::fopen(path.c_str(), "w");
  check(file_ != nullptr, ErrorKind::kIo, "log", escaped_path(path_), " cannot be opened for writing: ", std::strerror(errno), ".");
}

EpochLog::~EpochLog() {
  if (file_) std::fclose(file_);
}

void EpochLog::append(const std::string& line) {
  if (!file_) return;
  const bool written = std::fprintf(file_, "%s\n", line.c_str()) >= 0 && std::fflush(file_) == 0;
  check(written, ErrorKind::kIo, "log", escaped_path(path_), " cannot be written: ", std::strerror(errno), ".");
}

std::string to_json_line(const EpochReport& r) {
  JsonWriter json;
  json.begin_object().field("epoch", r.epoch).field("step", r.step);
  add_number(json, "train_loss", r.train_loss);
  add_number(json, "train_top1", r.train_top1);
  add_number(json, "lr", r.lr);
  add_number(json, "grad_norm", r.grad_norm);
  add_number(json, "seconds", r.seconds);
  add_number(json, "images_per_second", r.images_per_second);
  if (r.test) {
    add_number(json, "test_loss", r.test->loss);
    add_number(json, "test_top1", r.test->top1);
    add_number(json, "test_top5", r.test->top5);
    json.field("test_images", r.test->images);
  }
  return json.end_object().text();
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
