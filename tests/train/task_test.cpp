// Tasks that are no classification run through the same trainer, evaluation, log and saved model.
#include "train/task/task.h"

#include <doctest/doctest.h>

#include "autograd/ops.h"
#include "base/file.h"
#include "data/image/image.h"
#include "nn/nn.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "train/metrics.h"
#include "train/task/classification.h"
#include "train/trainer.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// Pictures u8 [1, 8, 8] of one bright rectangle each: where it is (a box), and which pixels it covers (a mask).
class Rectangles : public Dataset {
 public:
  explicit Rectangles(int64_t size) : Dataset(description()), size_(size) {}
  int64_t size() const override { return size_; }
  Sample sample(int64_t index) const override {
    check_index(index);
    const Rng rng = Rng(3).at(static_cast<uint64_t>(index));
    const int64_t x0 = static_cast<int64_t>(rng.below(0, 4)), y0 = static_cast<int64_t>(rng.below(1, 4));
    const int64_t x1 = x0 + 2 + static_cast<int64_t>(rng.below(2, 3)), y1 = y0 + 2 + static_cast<int64_t>(rng.below(3, 3));
    Sample sample{zeros({1, 8, 8}, Dtype::u8), {}};
    for (int64_t y = y0; y < y1; ++y)
      for (int64_t x = x0; x < x1; ++x) sample.image.mutable_data<uint8_t>()[y * 8 + x] = 255;
    sample.target.boxes = from_vector(std::vector<float>{float(x0), float(y0), float(x1), float(y1)}, {1, 4});
    sample.target.mask = greater(select(sample.image, 0, 0), zeros({8, 8}, Dtype::u8));
    return sample;
  }

 private:
  static DatasetInfo description() {
    DatasetInfo info;
    info.name = "rectangles";
    info.height = info.width = 8;
    info.class_names = {"rectangle"};
    info.mean = {0.2}, info.std = {0.4};
    return info;
  }
  int64_t size_;
};

// What the two tasks below share: one linear layer over all pixels.
class PixelTask : public Task {
 public:
  explicit PixelTask(int64_t outputs)
      : rng_(1), layer_(64, outputs, rng_), preprocessing_(preprocessing_for(Rectangles(1).info())) {
    layer_.eval();
  }
  nn::Module& model() override { return layer_; }
  std::string architecture() const override { return "{\"kind\": \"pixels\"}"; }
  ModelCard card() const override { return {preprocessing_, {"rectangle"}, "{}", name()}; }
  void check_data(const Dataset& data) const override {
    check(data.sample(0).target.boxes.defined(), ErrorKind::kValue, "pixels", data.name(), " has no boxes.");
  }
  Example prepare(const Sample& sample, const Rng*) const override {
    return {preprocess(sample.image, preprocessing_), sample.target};
  }
  void to_json(JsonWriter& json, const Prediction& prediction, int64_t) const override { json.value(to_text(prediction, 1)); }
  Tensor draw(const Sample& sample, const Prediction&) const override { return sample.image; }

 protected:
  Variable answer(const Batch& batch) { return layer_(reshape(Variable(batch.images), {batch.size(), 64})); }

 private:
  Rng rng_;
  nn::Linear layer_;
  Preprocessing preprocessing_;
};

class MeanMetric : public Metric {
 public:
  explicit MeanMetric(Score score, std::function<double(const Prediction&, const Target&)> measure)
      : score_(std::move(score)), measure_(std::move(measure)) {}
  void add(const Batch& batch, const std::vector<Prediction>& predictions) override {
    for (size_t i = 0; i < predictions.size(); ++i) mean_.add(measure_(predictions[i], batch.targets[i]));
  }
  Scores result() const override {
    Score result = score_;
    result.value = mean_.mean();
    return {result};
  }

 private:
  Score score_;
  std::function<double(const Prediction&, const Target&)> measure_;
  RunningMean mean_;
};

class BoxTask final : public PixelTask {
 public:
  BoxTask() : PixelTask(4) {}
  std::string name() const override { return "boxes"; }
  Loss loss(const Batch& batch) override {
    std::vector<Tensor> rows;
    for (const Target& target : batch.targets) rows.push_back(select(target.boxes, 0, 0));
    return {mse_loss(answer(batch), Variable(stack(rows, 0))), {}};
  }
  std::vector<Prediction> predict(const Batch& batch) override {
    const Tensor boxes = answer(batch).value();
    std::vector<Prediction> result(batch.targets.size());
    for (size_t i = 0; i < result.size(); ++i) result[i].boxes = slice(boxes, 0, int64_t(i), int64_t(i) + 1);
    return result;
  }
  std::unique_ptr<Metric> metric() const override {
    return std::make_unique<MeanMetric>(
        Score{"distance", "distance", 0, ScoreUnit::kNumber, false},
        [](const Prediction& p, const Target& t) { return mean(abs(p.boxes - t.boxes)).item(); });
  }
  std::string to_text(const Prediction& prediction, int64_t) const override { return cat(prediction.boxes.shape()); }
};

class MaskTask final : public PixelTask {
 public:
  MaskTask() : PixelTask(64) {}
  std::string name() const override { return "masks"; }
  Loss loss(const Batch& batch) override {
    std::vector<Tensor> rows;
    for (const Target& target : batch.targets) rows.push_back(reshape(to(target.mask, Dtype::f32), {64}));
    return {bce_with_logits(answer(batch), Variable(stack(rows, 0))), {{"pixels", "pixels", 0.5, ScoreUnit::kPart}}};
  }
  std::vector<Prediction> predict(const Batch& batch) override {
    const Tensor inside = greater(answer(batch).value(), zeros({batch.size(), 64}));
    std::vector<Prediction> result(batch.targets.size());
    for (size_t i = 0; i < result.size(); ++i) result[i].mask = reshape(select(inside, 0, int64_t(i)), {8, 8});
    return result;
  }
  std::unique_ptr<Metric> metric() const override {
    return std::make_unique<MeanMetric>(
        Score{"right", "right pixels", 0, ScoreUnit::kPart},
        [](const Prediction& p, const Target& t) { return mean(to(equal(p.mask, t.mask), Dtype::f32)).item(); });
  }
  std::string to_text(const Prediction& prediction, int64_t) const override { return cat(prediction.mask.shape()); }
};

TrainConfig pixel_config() {
  TrainConfig config = quick(60, 16);
  config.lr = 0.02;
  config.weight_decay = 0;
  config.clip_norm = 0;
  return config;
}

}  // namespace

TEST_CASE("boxes and masks are learnt, tested, logged and saved by the trainer that knows neither") {
  const auto data = std::make_shared<Rectangles>(64);
  const auto check_task = [&](PixelTask& task, const char* key, auto&& good) {
    const ScratchFolder folder;
    const double before = evaluate(task, data).scores.at(0).value;
    TrainCallbacks callbacks;
    callbacks.quiet = true;
    callbacks.log_path = folder.file("metrics.jsonl");
    callbacks.on_epoch = [&](const EpochReport& report) {
      CHECK(format_epoch(report, 60).find(report.test->scores.at(0).label) != std::string::npos);
      save_model(folder.path(), task.model(), task.architecture(), task.card());
    };
    Trainer trainer(task, data, data, pixel_config(), callbacks);
    const double after = trainer.run().history.back().test->scores.at(0).value;
    CHECK_MESSAGE(good(before, after), before << " " << after);
    CHECK(content_of(folder.file("metrics.jsonl")).find(std::string("\"test_") + key) != std::string::npos);
    CHECK(trainer.state().best.has_value());
    const SavedModel saved = read_saved_model(folder.path());
    CHECK(saved.card.task == task.name());
    CHECK(saved.weights.size() == 2);
    CHECK(refuses([&] { load_task(folder.path()); }, ErrorKind::kData, "the task is unknown: it is " + task.name()));
  };
  BoxTask boxes;
  check_task(boxes, "distance", [](double before, double after) { return after < 0.5 && before > 1; });
  MaskTask masks;
  check_task(masks, "right", [](double, double after) { return after > 0.97; });
}

TEST_CASE("data without the targets of a task is refused before the first step") {
  BoxTask task;
  CHECK(refuses([&] { Trainer(task, glyphs(10), nullptr, quick(1, 10)); }, ErrorKind::kValue, "glyphs has no boxes"));
}

TEST_CASE("a saved classifier comes back as a task that predicts in words, JSON and a picture") {
  const ScratchFolder folder;
  const DatasetPtr data = glyphs(8);
  const auto model = tiny_vit(data->info());
  ClassificationTask task(*model, {preprocessing_for(data->info()), data->class_names(), {}, 0});
  save_model(folder.path(), task.model(), task.architecture(), task.card());
  ModelCard card;
  const auto loaded = load_task(folder.path(), &card);
  CHECK(card.class_names == data->class_names());
  const Sample sample = data->sample(3);
  model->eval();
  const Prediction here = predict_one(task, sample.image), there = predict_one(*loaded, sample.image);
  CHECK(bit_equal(here.logits, there.logits));
  const std::string text = loaded->to_text(there, 2);
  CHECK(std::count(text.begin(), text.end(), '%') == 2);
  JsonWriter json;
  loaded->to_json(json, there, 3);
  CHECK(json.text().starts_with("[{\"class\":"));
  const Tensor picture = loaded->draw(sample, there);
  CHECK(picture.shape() == Shape{3, 28 + 3 * 5, 28});
  CHECK(bit_equal(slice(picture, 1, 0, 28), convert_channels(sample.image, 3)));
}

TEST_CASE("class names and model must agree") {
  const DatasetPtr data = glyphs(4);
  const auto model = tiny_vit(data->info());
  CHECK(refuses(
      [&] {
        ClassificationTask(*model, {preprocessing_for(data->info()), {"a", "b"}, {}, 0});
      },
      ErrorKind::kValue, "2 names, the model has 20 classes"));
}

TEST_CASE("labels of one class, and an accuracy that guessing reaches, are said") {
  const DatasetPtr data = glyphs(60);
  std::vector<int64_t> same;
  for (int64_t i = 0; i < data->size(); ++i)
    if (data->label(i) == data->label(0)) same.push_back(i);
  REQUIRE(same.size() >= 2);
  const auto model = tiny_vit(data->info());
  ClassificationTask task(*model, {preprocessing_for(data->info()), data->class_names(), {}, 0});
  const std::vector<std::string> notes = task.notes(SubsetDataset(data, same));
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].find("training images have the label") != std::string::npos);
  CHECK(task.notes(*data).empty());
  const Evaluation untrained = evaluate(task, data);
  REQUIRE(untrained.notes.size() == 1);
  CHECK(untrained.notes[0].find("no better than always naming one class (5.0 %). Usual causes: ") != std::string::npos);
}

TEST_CASE("scores are found by name and printed in their unit") {
  const Scores scores{{"top1", "top-1", 0.8513, ScoreUnit::kPart}, {"loss", "loss", 0.41237}};
  CHECK(score(scores, "loss") == 0.41237);
  CHECK(format_scores(scores) == "top-1 85.1 %, loss 0.412");
  CHECK(format_scores(scores, 4) == "top-1 85.13 %, loss 0.4124");
  CHECK(refuses([&] { score(scores, "top5"); }, ErrorKind::kValue, "did you mean top1? It is one of top1, loss"));
}
