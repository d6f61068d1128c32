#include "train/epoch_log.h"

#include <cmath>

#include "base/json_writer.h"
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

}  // namespace

EpochLog::EpochLog(const std::string& path) {
  if (!path.empty()) file_.emplace(path);
}

void EpochLog::append(const std::string& line) {
  if (file_) file_->append(line);
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
