// Temperature and "unknown": found on answers whose truth is known.
#include "train/answer_calibration.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "nn/nn.h"
#include "tensor/ops.h"
#include "tensor/rng.h"
#include "tensor/safetensors.h"
#include "tensor/safetensors_checksums.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/several_labels.h"
#include "train/task/classification.h"
#include "train/task/multi_label.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// N answers of 5 classes whose labels are drawn from softmax(logits / temperature): that is what the calibration must find.
LogitSet drawn(int64_t count, double temperature, uint64_t seed) {
  constexpr int64_t kClasses = 5;
  LogitSet set{empty({count, kClasses}, Dtype::f64, "test"), {}};
  double* logits = set.logits.mutable_data<double>();
  for (int64_t i = 0; i < count; ++i) {
    const Rng rng = Rng(seed, 91).at(static_cast<uint64_t>(i));
    double sum = 0, part[kClasses];
    for (int64_t c = 0; c < kClasses; ++c) {
      logits[i * kClasses + c] = 4 * rng.normal(static_cast<uint64_t>(c));
      sum += part[c] = std::exp(logits[i * kClasses + c] / temperature);
    }
    double left = rng.uniform(100) * sum;
    int64_t label = 0;
    while (label + 1 < kClasses && left > part[label]) left -= part[label++];
    set.labels.push_back(label);
  }
  return set;
}

}  // namespace

TEST_CASE("the temperature that the answers were drawn with is found, and the calibration error goes down to noise") {
  for (const double temperature : {0.5, 1.0, 3.0}) {
    CAPTURE(temperature);
    const CalibrationReport report = calibrate_answers(drawn(4000, temperature, 3));
    CHECK(report.found.temperature == doctest::Approx(temperature).epsilon(0.08));
    CHECK(report.found.images == 4000);
    CHECK(report.found.ece_after < 0.03);
    CHECK(report.loss_after <= report.loss_before + 1e-6);
    if (temperature != 1) CHECK(report.found.ece_after < report.found.ece_before);
  }
}

TEST_CASE("unknown_below keeps the asked share of the right answers, and no value above it does") {
  const LogitSet set = drawn(500, 2, 8);
  for (const double share : {0.5, 0.9, 0.95, 1.0}) {
    CAPTURE(share);
    const CalibrationReport report = calibrate_answers(set, share);
    const Tensor p = softmax(set.logits / report.found.temperature);
    std::vector<double> right;
    int64_t wrong = 0, refused = 0;
    for (int64_t i = 0; i < 500; ++i) {
      const Tensor row = select(p, 0, i);
      const double best = max(row).item();
      if (row.at({set.labels[static_cast<size_t>(i)]}) == best)
        right.push_back(best);
      else
        ++wrong, refused += best < report.found.unknown_below;
    }
    const auto n = static_cast<double>(right.size());
    const auto above = [&](double value) {
      return static_cast<double>(std::count_if(right.begin(), right.end(), [&](double q) { return q >= value; })) / n;
    };
    CHECK(above(report.found.unknown_below) >= share - 1e-12);
    CHECK(report.kept == doctest::Approx(above(report.found.unknown_below)));
    CHECK(above(report.found.unknown_below + 2e-6) < report.kept);
    CHECK(report.refused == doctest::Approx(static_cast<double>(refused) / static_cast<double>(wrong)));
    CHECK(report.accuracy == doctest::Approx(n / 500));
  }
}

TEST_CASE("a calibration that means nothing is refused") {
  LogitSet set{from_vector(std::vector<double>{1, 0, 1, 0}, {2, 2}), {1, 1}};
  CHECK_THROWS_WITH_AS(calibrate_answers(set), doctest::Contains("not one of 2 answers is right"), Error);
  CHECK_THROWS_WITH_AS(calibrate_answers(set, 0), doctest::Contains("must be in (0, 1]: it is 0"), Error);
  CHECK_THROWS_WITH_AS(calibrate_answers(set, 1.5), doctest::Contains("it is 1.5"), Error);
  const DatasetPtr bands = std::make_shared<Bands>(4);
  const auto model = tiny_vit(bands->info());
  ClassificationTask task(*model, {preprocessing_for(*model, bands->info()), bands->class_names()});
  CHECK_THROWS_WITH_AS(logits_of(task, bands), doctest::Contains("any number of labels per picture, and this needs one"),
                       Error);
}

TEST_CASE("a calibration is saved beside weights that keep their bits, survives, and changes the answers as it says") {
  const ScratchFolder folder;
  const DatasetPtr data = glyphs(20);
  const auto model = tiny_vit(data->info());
  ClassificationTask trained(*model, {preprocessing_for(*model, data->info()), data->class_names()});
  save_model(folder.path(), *model, trained.architecture(), trained.card());
  const std::string file = folder.file(kModelFile);
  const SafetensorsFile before = load_safetensors(file);
  AnswerCalibration c;
  c.temperature = 2.5, c.unknown_below = 0.4, c.ece_before = 0.2, c.ece_after = 0.01, c.images = 20, c.data = "glyphs";
  save_calibration(folder.path(), c);
  const SafetensorsFile after = load_safetensors(file);
  REQUIRE(after.tensors.size() == before.tensors.size());
  for (size_t i = 0; i < after.tensors.size(); ++i) {
    CHECK(after.tensors[i].first == before.tensors[i].first);
    CHECK(bit_equal(after.tensors[i].second, before.tensors[i].second));
  }
  verify_checksums(file);
  ModelCard card;
  const auto task = load_task(folder.path(), &card);
  REQUIRE(card.calibration.has_value());
  CHECK(*card.calibration == c);
  save_calibration(file, c);  // again, by the file's path: one entry
  CHECK(*read_saved_model(folder.path()).card.calibration == c);

  auto& classes = dynamic_cast<ClassificationTask&>(*task);
  Prediction p;
  std::vector<float> logits(static_cast<size_t>(data->num_classes()), -20);
  logits[3] = 1, logits[7] = 0.5F;
  p.logits = from_vector(logits, {data->num_classes()});
  const double calibrated = 1 / (1 + std::exp(-0.5 / 2.5));
  CHECK(classes.answers(p, 1).front().probability == doctest::Approx(calibrated).epsilon(1e-3));
  CHECK(!classes.unknown(p));
  logits[7] = logits[5] = 1;
  p.logits = from_vector(logits, {data->num_classes()});
  CHECK(classes.unknown(p));
  CHECK(classes.to_text(p, 1).starts_with("unknown (most probable: "));
  classes.drop_calibration();
  CHECK(!classes.unknown(p));
  CHECK(classes.to_text(p, 1).find("unknown") == std::string::npos);
}

TEST_CASE("a file in which the calibration is not one, and a model of several labels, are refused") {
  const DatasetPtr data = std::make_shared<Bands>(4);
  const auto model = tiny_vit(data->info());
  const MultiLabelTask task(*model, {preprocessing_for(*model, data->info()), data->class_names()});
  const ScratchFolder folder;
  save_model(folder.path(), *model, task.architecture(), task.card());
  CHECK_THROWS_WITH_AS(save_calibration(folder.path(), {}), doctest::Contains("a temperature is for one label per picture"),
                       Error);
  ModelCard card = task.card();
  card.calibration.emplace();
  card.calibration->images = 3;
  const std::string text = card_json(task.architecture(), card);
  CHECK(read_card_json(text, "card").card.calibration.has_value());
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"\"temperature\": 1.0", "\"temperature\": 0"},
                                 {"\"temperature\": 1.0", "\"temperature\": \"hot\""},
                                 {"\"unknown_below\": 0.0", "\"unknown_below\": 1.5"},
                                 {"\"images\": 3", "\"images\": 0"},
                                 {"\"images\": 3", "\"imagse\": 3"}}) {
    std::string bad = text;
    REQUIRE_MESSAGE(bad.find(from) != std::string::npos, text);
    bad.replace(bad.find(from), from.size(), to);
    CAPTURE(to);
    CHECK_THROWS_AS(read_card_json(bad, "card"), Error);
  }
}
