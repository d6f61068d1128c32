#include "train/ranks/measure_step.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "comm/measure.h"
#include "tensor/ops.h"
#include "train/group_gradients.h"
#include "train/optim/clip.h"
#include "train/optim/optim.h"
#include "train/ranks/gradient_sum.h"
#include "train/task/classification.h"

namespace vitrail {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point a, Clock::time_point b) { return std::chrono::duration<double>(b - a).count(); }

// A rank without others that notes when a bucket would leave. Written by the thread of the lane, read when that has ended its
// work.
class BucketClock final : public Communicator {
 public:
  struct Departure {
    double bytes;
    Clock::time_point time;
  };

  BucketClock() : Communicator(0, {"this node"}) {}
  TransferPtr send(int, std::span<const std::byte>, Channel) override { nobody(); }
  TransferPtr receive(int, std::span<std::byte>, Channel) override { nobody(); }
  [[noreturn]] void abort(int code) override { std::_Exit(code); }

  static void leaves(Communicator& comm, std::span<float> values) {
    static_cast<BucketClock&>(comm).departures.push_back({static_cast<double>(values.size_bytes()), Clock::now()});
  }
  std::vector<Departure> departures;

 private:
  [[noreturn]] static void nobody() { fail(ErrorKind::kValue, "plan", "there is one rank, and nobody to talk to."); }
};

// Of all threads of this process.
double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double deviation(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  double mean = 0, squares = 0;
  for (const double x : values) mean += x / static_cast<double>(values.size());
  for (const double x : values) squares += (x - mean) * (x - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

ClassificationTask task_of(models::Classifier& model) {
  ClassificationOptions options;
  options.preprocessing.height = model.img_height(), options.preprocessing.width = model.img_width();
  options.preprocessing.channels = model.in_chans();
  const auto channels = static_cast<size_t>(model.in_chans());
  options.preprocessing.mean.assign(channels, 0), options.preprocessing.std.assign(channels, 1);
  for (int64_t i = 0; i < model.num_classes(); ++i) options.class_names.push_back(std::to_string(i));
  return ClassificationTask(model, options);
}

Batch drawn(const models::Classifier& model, int64_t images) {
  Rng rng(1);
  Batch batch;
  batch.images = rand_normal({images, model.in_chans(), model.img_height(), model.img_width()}, 0, 1, rng.split());
  batch.labels = rand_int({images}, 0, model.num_classes(), rng.split());
  batch.targets.resize(static_cast<size_t>(images));
  batch.indices.resize(static_cast<size_t>(images));
  return batch;
}

}  // namespace

MeasuredStep measure_step(models::Classifier& model, const StepToMeasure& what) {
  check(model.num_classes() > 0, ErrorKind::kValue, "plan", "a model without a head cannot be trained: num_classes is 0.");
  check(what.groups >= 1 && what.groups <= what.images, ErrorKind::kValue, "plan", "each group needs an image: there are ",
        what.images, " images and ", what.groups, " groups.");
  check(what.updates >= 1, ErrorKind::kValue, "plan", "at least one update must be measured: they are ", what.updates, ".");
  ClassificationTask task = task_of(model);
  const Batch batch = drawn(model, what.images);
  const SharedBatch shared = whole_batch(batch, what.groups, model);
  AdamW optimizer(make_param_groups(model, 0.05));
  BucketClock clock;
  GradientSum sum(clock, {.bucket_bytes = what.bucket_bytes, .reduce = BucketClock::leaves});

  MeasuredStep result;
  std::vector<double> seconds, processor;
  std::vector<std::vector<double>> leads;  // of each bucket
  // In the first update the order of the gradients is not known, nor are the moments there.
  for (int64_t i = 0; i <= what.updates; ++i) {
    clock.departures.clear();
    const Clock::time_point start = Clock::now();
    const double before = processor_seconds();
    backward_in_groups(task, shared, Rng(1).at(static_cast<uint64_t>(i)), false, &sum);
    optimizer.step(1e-4, clip_scale(grad_norm(optimizer.groups()), 1));
    if (i == 0) continue;
    seconds.push_back(seconds_between(start, Clock::now()));
    processor.push_back(processor_seconds() - before);
    leads.resize(clock.departures.size());
    // The last bucket leaves when the backward pass ends: what is whole last is what is computed last.
    for (size_t b = 0; b < leads.size(); ++b)
      leads[b].push_back(seconds_between(clock.departures[b].time, clock.departures.back().time));
  }
  for (size_t b = 0; b < leads.size(); ++b) result.buckets.push_back({clock.departures[b].bytes, median(leads[b])});
  result.seconds = median(seconds);
  result.deviation = deviation(seconds);
  result.processor_seconds = median(processor);
  return result;
}

double measure_add_seconds(int64_t bucket_bytes) {
  const auto n = std::max<int64_t>(1, bucket_bytes / 8);
  std::vector<float> a(static_cast<size_t>(n), 1), b(static_cast<size_t>(n), 1e-3F);
  std::vector<double> seconds;
  for (int i = 0; i < 21; ++i) {
    const Clock::time_point start = Clock::now();
    float* const to = a.data();
    const float* const from = b.data();
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) to[k] += from[k];
    if (i > 0) seconds.push_back(seconds_between(start, Clock::now()));
  }
  check(std::isfinite(a.back()), ErrorKind::kNumeric, "plan", "the sum is not finite.");  // so that it is computed
  return median(seconds) / static_cast<double>(4 * n);
}

}  // namespace vitrail
