#include "data/loader.h"

#include <algorithm>
#include <numeric>

#include "tensor/machine/parallel.h"
#include "tensor/rng.h"

namespace vitrail {
namespace {

// The two uses of the loader's seed.
enum Stream : uint64_t { kOrderStream = 11, kAugmentStream = 12 };
constexpr int64_t kSampleGrain = 4;  // samples per thread: one costs 10 microseconds and more

}  // namespace

std::vector<int64_t> epoch_order(int64_t n, uint64_t seed, int64_t epoch) {
  check(n >= 0 && epoch >= 0, ErrorKind::kValue, "epoch_order", "n and epoch must not be negative: they are ", n, ", ", epoch);
  return to_vector<int64_t>(rand_permutation(n, Rng(seed, kOrderStream).at(static_cast<uint64_t>(epoch))));
}

int64_t count_batches(int64_t samples, const LoaderOptions& options) {
  const int64_t full = samples / options.batch_size, rest = samples % options.batch_size;
  const bool left_out = options.drop_last || (options.join_last_one && rest == 1 && full > 0);
  return full + (rest > 0 && !left_out);
}

Prepare prepare_with(Transform transform) {
  transform.preprocessing.validate();
  return [transform = std::move(transform)](const Sample& sample, const Rng* rng) {
    return Example{rng ? transform.train(sample.image, *rng) : transform.eval(sample.image), sample.target};
  };
}

Batch collate_examples(std::vector<Example> examples) {
  const auto count = static_cast<int64_t>(examples.size());
  check(count >= 1, ErrorKind::kValue, "collate", "there are no examples");
  const Shape one = examples.front().image.shape();
  for (const Example& example : examples) {
    check(example.image.dtype() == Dtype::f32, ErrorKind::kValue, "collate", "images must be f32: image ", example.index,
          " is ", name_of(example.image.dtype()), ".");
    check(example.image.shape() == one, ErrorKind::kShape, "collate", "images of a batch must have one shape: image ",
          examples.front().index, " is ", one, ", image ", example.index, " is ", example.image.shape(),
          ". Hint: resize, crop or pad them to one size.");
  }
  Shape shape{count};
  for (const int64_t extent : one) shape.push_back(extent);
  Batch batch{empty(shape, Dtype::f32, "collate"), empty({count}, Dtype::i64, "collate"), {}, {}};
  float* images = batch.images.mutable_data<float>();
  parallel_for(count, kSampleGrain, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const Tensor x = contiguous(examples[i].image);
      std::copy_n(x.data<float>(), x.numel(), images + i * x.numel());
    }
  });
  int64_t* labels = batch.labels.mutable_data<int64_t>();
  for (Example& example : examples) {
    *labels++ = example.target.label;
    batch.targets.push_back(std::move(example.target));
    batch.indices.push_back(example.index);
  }
  return batch;
}

Loader::Loader(DatasetPtr dataset, Prepare prepare, Collate collate, LoaderOptions options)
    : dataset_(std::move(dataset)), prepare_(std::move(prepare)), collate_(std::move(collate)), options_(options) {
  const int64_t size = options_.batch_size;
  check(dataset_ != nullptr, ErrorKind::kValue, "loader", "there is no data set");
  check(size >= 1 && size <= (int64_t{1} << 20), ErrorKind::kValue, "loader", "batch_size must be in [1, 1048576]: it is ",
        size);
  check(dataset_->size() >= 1, ErrorKind::kValue, "loader", "data set ", dataset_->name(), " is empty");
  check(batches() >= 1, ErrorKind::kValue, "loader", "an epoch has no full batch: batch_size is ", size, ", data set ",
        dataset_->name(), " has ", dataset_->size(), " samples. Hint: smaller batches, or drop_last = false.");
}

Loader::Loader(DatasetPtr dataset, Transform transform, LoaderOptions options)
    : Loader(std::move(dataset), prepare_with(std::move(transform)), collate_examples, options) {}

int64_t Loader::batches() const { return count_batches(dataset_->size(), options_); }

int64_t Loader::samples() const {
  const int64_t n = dataset_->size();
  return options_.drop_last ? std::min(n, batches() * options_.batch_size) : n;
}

Batch Loader::batch(int64_t epoch, int64_t index) {
  check(epoch >= 0 && index >= 0 && index < batches(), ErrorKind::kValue, "loader", "there is no batch ", index, " in epoch ",
        epoch, ": an epoch has ", batches());
  if (order_epoch_ != epoch) {
    if (options_.train) {
      order_ = epoch_order(dataset_->size(), options_.seed, epoch);
    } else if (order_.empty()) {
      order_.resize(dataset_->size());
      std::iota(order_.begin(), order_.end(), int64_t{0});
    }
    order_epoch_ = epoch;
  }
  const int64_t begin = index * options_.batch_size;
  const int64_t count = index + 1 == batches() ? samples() - begin : options_.batch_size;
  std::vector<Example> examples(static_cast<size_t>(count));
  // Keyed by the sample, not by its place in the batch: another batch size shows the same pictures.
  const Rng rng = Rng(options_.seed, kAugmentStream).at(static_cast<uint64_t>(epoch));
  parallel_for(count, kSampleGrain, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const int64_t key = order_[begin + i];
      const Rng own = rng.at(static_cast<uint64_t>(key));
      examples[i] = prepare_(dataset_->sample(key), options_.train ? &own : nullptr);
      examples[i].index = key;
    }
  });
  return collate_(std::move(examples));
}

}  // namespace vitrail
