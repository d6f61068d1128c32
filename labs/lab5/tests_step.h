// Lab 5, exercise 5.5: a trainer of a linear model, whose steps are computed here once more in plain numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>

#include "autograd/ops.h"
#include "data/loader.h"
#include "labs/common/lab.h"
#include "tensor/ops.h"
#include "train/group_gradients.h"
#include "train/optim/clip.h"
#include "train/trainer.h"

namespace {

using namespace vitrail;

// Pictures of three bytes, and a number to be predicted from each.
class Numbers : public Dataset {
 public:
  Numbers(int64_t size, uint64_t stream)
      : Dataset(description()), size_(size), dice_(std::make_shared<std::vector<int64_t>>()) {
    lab::Dice dice(stream);
    for (int64_t i = 0; i < 4 * size; ++i) dice_->push_back(dice.roll(0, 9));
  }
  int64_t size() const override { return size_; }
  Sample sample(int64_t index) const override {
    Sample sample{zeros({1, 1, 3}, Dtype::u8), {}};
    for (int64_t j = 0; j < 3; ++j) sample.image.mutable_data<uint8_t>()[j] = static_cast<uint8_t>(pixel(index, j));
    sample.target.label = pixel(index, 3);
    return sample;
  }
  double pixel(int64_t index, int64_t j) const { return static_cast<double>((*dice_)[static_cast<size_t>(4 * index + j)]); }

 private:
  static DatasetInfo description() {
    DatasetInfo info;
    info.name = "numbers";
    info.height = 1, info.width = 3;
    info.class_names = std::vector<std::string>(10, "n");
    info.mean = {0}, info.std = {1};
    return info;
  }
  int64_t size_;
  std::shared_ptr<std::vector<int64_t>> dice_;
};

class Line : public nn::Module {
 public:
  explicit Line(const std::vector<double>& weights) : weight(from_vector(weights, {3, 1}), true) {
    register_parameter("weight", weight);
  }
  Variable weight;
};

// Predicts x w; the loss is the mean of (x w - y)^2 / 100 over the images of a batch. Remembers what each loss saw.
class LineTask : public Task {
 public:
  struct Seen {
    std::vector<int64_t> indices;
    std::vector<double> weights;
    uint64_t draw;  // what dropout would draw
  };
  explicit LineTask(const std::vector<double>& weights) : line(weights) {}
  std::string name() const override { return "line"; }
  nn::Module& model() override { return line; }
  std::string architecture() const override { return "{}"; }
  ModelCard card() const override { return {}; }
  void check_data(const Dataset&) const override {}
  Example prepare(const Sample& sample, const Rng*) const override { return {to(sample.image, Dtype::f32), sample.target}; }
  Loss loss(const Batch& batch) override {
    seen.push_back({batch.indices, to_vector<double>(line.weight.value()), default_rng().split().below(0, 1000000)});
    const Variable x(reshape(to(batch.images, Dtype::f64), {batch.size(), 3}));
    const Variable y(reshape(to(batch.labels, Dtype::f64), {batch.size(), 1}));
    Variable total = mean(square(matmul(x, line.weight) - y)) * 0.01;
    if (forgotten.defined()) total = total + forgotten;
    return {total, {{"size", "size", total.item(), ScoreUnit::kNumber}}};
  }
  std::vector<Prediction> predict(const Batch& batch) override { return std::vector<Prediction>(batch.targets.size()); }
  std::unique_ptr<Metric> metric() const override { return nullptr; }
  std::string to_text(const Prediction&, int64_t) const override { return ""; }
  void to_json(JsonWriter&, const Prediction&, int64_t) const override {}
  Tensor draw(const Sample& sample, const Prediction&) const override { return sample.image; }

  Line line;
  Variable forgotten;  // a parameter that nobody registered, where it is defined
  std::vector<Seen> seen;
};

// The gradient of that loss for images `indices`.
std::vector<double> line_gradient(const Numbers& data, const std::vector<int64_t>& indices, const std::vector<double>& w) {
  std::vector<double> g(3, 0.0);
  for (const int64_t i : indices) {
    double error = -data.pixel(i, 3);
    for (int64_t j = 0; j < 3; ++j) error += data.pixel(i, j) * w[j];
    for (int64_t j = 0; j < 3; ++j) g[j] += 0.02 * error * data.pixel(i, j) / static_cast<double>(indices.size());
  }
  return g;
}

TrainConfig line_config(double clip, double decay, double ema) {
  TrainConfig config;
  config.epochs = 3;
  config.batch_size = 4;
  config.optimizer = "sgd", config.momentum = 0, config.nesterov = false;
  config.lr = 0.3, config.min_lr = 0.05, config.schedule = "linear", config.warmup = 0.25;
  config.weight_decay = decay, config.clip_norm = clip, config.ema_decay = ema;
  config.seed = 5;
  return config;
}

constexpr double kStart[] = {0.5, -0.4, 0.3};
std::vector<double> start() { return {std::begin(kStart), std::end(kStart)}; }

// The updates that were reported. A run that never ends is ended here.
TrainCallbacks counting(int64_t* updates) {
  TrainCallbacks callbacks;
  callbacks.quiet = true;
  callbacks.on_update = [updates](const StepReport& report) {
    *updates = report.step;
    if (++updates[1] > 40) throw std::runtime_error("more than 40 updates: the run does not end");
  };
  return callbacks;
}

struct LineRun {
  Numbers data;
  LineTask task{start()};
  TrainConfig config;
  int64_t updates[2] = {0, 0};  // reported, made
  Trainer trainer;

  LineRun(const TrainConfig& c, int64_t images, uint64_t stream)
      : data(images, stream), config(c), trainer(task, std::make_shared<Numbers>(data), nullptr, c, counting(updates)) {}

  void steps(int count) {
    for (int i = 0; i < count; ++i) trainer.step();
  }
  // What the steps should have done, from the batches that the losses saw. `average`: of the weights.
  struct Expected {
    std::vector<double> weights, average;
  };
  Expected expected(int count, int64_t all) const {
    Expected e{start(), start()};
    const int64_t warmup = std::llround(config.warmup * static_cast<double>(all));
    for (int t = 0; t < count; ++t) {
      std::vector<double> g = line_gradient(data, task.seen.at(static_cast<size_t>(t)).indices, e.weights);
      const double norm = std::sqrt(g[0] * g[0] + g[1] * g[1] + g[2] * g[2]);
      const double scale = config.clip_norm > 0 && norm > config.clip_norm ? config.clip_norm / norm : 1;
      const double part = static_cast<double>(t - warmup) / static_cast<double>(all - warmup);
      const double lr = t < warmup ? config.lr * (t + 1) / static_cast<double>(warmup + 1)
                                   : config.min_lr + (config.lr - config.min_lr) * (1 - part);
      const double keep = std::min(config.ema_decay, (1.0 + t) / (10.0 + t));
      for (size_t j = 0; j < 3; ++j) {
        e.weights[j] -= lr * (scale * g[j] + config.weight_decay * e.weights[j]);
        e.average[j] = keep * e.average[j] + (1 - keep) * e.weights[j];
      }
    }
    return e;
  }
  std::string weights_difference(const std::vector<double>& wanted) {
    return lab::difference(task.line.weight.value(), from_vector(wanted, {3, 1}), 1e-10);
  }
};

// Data for probes: the same for every LAB_SEED.
Batch fixed_batch() {
  const std::vector<uint8_t> bytes{1, 2, 3, 4, 0, 1, 2, 2, 5, 0, 7, 1, 3, 3, 1};
  std::vector<Example> examples;
  for (int64_t i = 0; i < 5; ++i) {
    Example e;
    e.image = from_vector(std::vector<float>{static_cast<float>(bytes[3 * i]), static_cast<float>(bytes[3 * i + 1]),
                                             static_cast<float>(bytes[3 * i + 2])},
                          {1, 1, 3});
    e.target.label = i % 3, e.index = i;
    examples.push_back(e);
  }
  return collate_examples(examples);
}

std::string probe_groups(int64_t groups, bool twice) {
  LineTask task(start());
  BatchLoss loss = backward_in_groups(task, fixed_batch(), groups, Rng(3));
  if (twice) loss = backward_in_groups(task, fixed_batch(), groups, Rng(4));
  return lab::digits(task.line.weight.grad(), 4) + " " + lab::digits(std::vector<double>{loss.total}, 4) +
         cat(task.seen.back().draw);
}

// Whether a loss with a parameter that nobody registered is refused.
bool finds_forgotten(bool check_parameters) {
  LineTask task(start());
  task.forgotten = Variable(zeros({}, Dtype::f64), true);
  try {
    backward_in_groups(task, fixed_batch(), 1, Rng(3), check_parameters);
  } catch (const Error&) {
    return true;
  }
  return false;
}

// The parts of the loss of a batch in two groups.
std::string probe_parts() {
  LineTask task(start());
  return lab::digits(std::vector<double>{backward_in_groups(task, fixed_batch(), 2, Rng(3)).parts.at(0).value}, 4);
}

// Five fixed pictures, whatever the seed.
class FixedNumbers : public Dataset {
 public:
  FixedNumbers() : Dataset(Numbers(1, 1).info()) {}
  int64_t size() const override { return 5; }
  Sample sample(int64_t index) const override {
    const Batch batch = fixed_batch();
    Sample sample{to(select(batch.images, 0, static_cast<int>(index)), Dtype::u8), {}};
    sample.target.label = index % 3;
    return sample;
  }
};

std::string probe_trainer(double clip, double decay, double ema) {
  LineTask task(start());
  TrainConfig config = line_config(clip, decay, ema);
  config.batch_size = 5;
  int64_t updates[2] = {0, 0};
  Trainer trainer(task, std::make_shared<FixedNumbers>(), nullptr, config, counting(updates));
  std::string text;
  for (int i = 0; i < 3; ++i) {
    trainer.step();
    text += lab::digits(task.line.weight.value(), 4) + cat(" ", updates[0], " ");
  }
  if (ema > 0) trainer.run();  // now the model holds the averages
  return text + lab::digits(task.line.weight.value(), 4);
}

}  // namespace

LAB_PROBE("5.5") { return probe_groups(1, false) + probe_groups(1, true); }
LAB_PROBE("5.5") { return probe_groups(2, false); }
LAB_PROBE("5.5") { return probe_parts(); }
LAB_PROBE("5.5") { return cat(finds_forgotten(true), finds_forgotten(false)); }
LAB_PROBE("5.5") {  // what the loss draws, and where the generator stands behind it
  LineTask task(start());
  default_rng() = Rng(11);
  backward_in_groups(task, fixed_batch(), 1, Rng(3));
  return cat(task.seen[0].draw, " ", default_rng().splits());
}
LAB_PROBE("5.5") { return probe_groups(3, true); }
LAB_PROBE("5.5") { return probe_trainer(0.02, 0, 0); }
LAB_PROBE("5.5") { return probe_trainer(0.03, 0.2, 0); }
LAB_PROBE("5.5") { return probe_trainer(0, 0, 0.5); }

TEST_SUITE("5.5") {
  TEST_CASE("one step: the gradient of the batch times the rate of this step") {
    LineRun run(line_config(0, 0, 0), 10, 41);
    run.steps(1);
    CHECK(run.updates[0] == 1);
    CHECK(run.weights_difference(run.expected(1, 9).weights) == "");
  }
  TEST_CASE("nine steps of three epochs, with warm-up and a falling rate") {
    LineRun run(line_config(0, 0, 0), 10, 42);
    run.steps(9);
    CHECK(run.updates[0] == 9);
    CHECK(run.weights_difference(run.expected(9, 9).weights) == "");
  }
  TEST_CASE("the gradient is clipped, not the step: weight decay acts in full") {
    LineRun run(line_config(0.05, 0.3, 0), 10, 43);
    run.steps(6);
    CHECK(run.weights_difference(run.expected(6, 9).weights) == "");
  }
  TEST_CASE("the average follows the weights after each update: at the end of a run it stands in the model") {
    LineRun run(line_config(0.5, 0, 0.4), 10, 44);
    run.trainer.run();
    CHECK(run.updates[1] == 9);
    CHECK(run.weights_difference(run.expected(9, 9).average) == "");
  }
  TEST_CASE("the gradient is that of this batch alone: what was there before is dropped") {
    const Numbers data(9, 45);
    LineTask task(start());
    task.line.weight.set_grad(full({3, 1}, 1000, Dtype::f64));
    Loader loader = make_loader(task, std::make_shared<Numbers>(data), {.batch_size = 9, .train = false});
    const BatchLoss loss = backward_in_groups(task, loader.batch(0, 0), 1, Rng(1));
    CHECK(lab::difference(task.line.weight.grad(), from_vector(line_gradient(data, task.seen[0].indices, start()), {3, 1}),
                          1e-12) == "");
    CHECK(loss.total == doctest::Approx(loss.parts.at(0).value));
  }
  TEST_CASE("a parameter that nobody registered is found where check_parameters asks for it") {
    CHECK(finds_forgotten(true));
    CHECK_FALSE(finds_forgotten(false));
  }
  TEST_CASE("random numbers come from the generator that is given") {
    const Numbers data(4, 46);
    LineTask task(start());
    Loader loader = make_loader(task, std::make_shared<Numbers>(data), {.batch_size = 4, .train = false});
    for (const uint64_t seed : {1u, 2u, 1u}) backward_in_groups(task, loader.batch(0, 0), 1, Rng(seed));
    CHECK(task.seen[0].draw == task.seen[2].draw);
    CHECK(task.seen[0].draw != task.seen[1].draw);
    CHECK(task.seen[0].draw == Rng(1).split().below(0, 1000000));
  }
  TEST_CASE("a batch in groups of unequal size has the gradient and the loss of the whole batch") {
    const Numbers data(11, 47);
    for (const int64_t groups : {2, 3, 4, 11}) {
      CAPTURE(groups);
      LineTask task(start());
      Loader loader = make_loader(task, std::make_shared<Numbers>(data), {.batch_size = 11, .train = false});
      const Batch batch = loader.batch(0, 0);
      const BatchLoss parts = backward_in_groups(task, batch, groups, Rng(1));
      const Tensor in_groups = task.line.weight.grad();
      double whole = 0;
      for (int64_t i = 0; i < 11; ++i) {
        double error = -data.pixel(i, 3);
        for (int64_t j = 0; j < 3; ++j) error += data.pixel(i, j) * kStart[j];
        whole += 0.01 * error * error / 11;
      }
      CHECK(lab::difference(in_groups, from_vector(line_gradient(data, batch.indices, start()), {3, 1}), 1e-12) == "");
      CHECK(parts.total == doctest::Approx(whole).epsilon(1e-10));
      CHECK(parts.parts.at(0).value == doctest::Approx(whole).epsilon(1e-10));
    }
  }
}
