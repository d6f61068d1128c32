#include "data/loader.h"

#include <algorithm>
#include <numeric>

#include "tensor/rng.h"

namespace vitrail {
namespace {

// The uses of the loader's seed.
enum Stream : uint64_t { kAugmentStream = 12, kRepeatStream = 13, kMixStream = 14 };
constexpr int64_t kBatchesAhead = 2;  // the next one, and one to go on with while it waits to be taken
constexpr size_t kOrdersKept = 3;     // of this epoch, the next, and one that a worker may still be in

}  // namespace

int64_t count_batches(int64_t samples, const LoaderOptions& options) {
  const int64_t full = samples / options.batch_size, rest = samples % options.batch_size;
  const bool left_out = options.drop_last || (options.join_last_one && rest == 1 && full > 0);
  return full + (rest > 0 && !left_out);
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
  check(options_.workers >= 0 && options_.workers <= 256, ErrorKind::kValue, "loader", "workers must be in [0, 256]: they are ",
        options_.workers);
  check(options_.repeats >= 1 && options_.repeats <= 1000, ErrorKind::kValue, "loader",
        "repeats must be in [1, 1000]: they are ", options_.repeats);
  if (options_.train && options_.balanced) {
    std::vector<int64_t> labels(static_cast<size_t>(dataset_->size()));
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = dataset_->label(static_cast<int64_t>(i));
    balanced_.emplace(labels, options_.seed);
  }
  prefetcher_ = std::make_unique<Prefetcher>(options_.workers, options_.prefetch_bytes,
                                             [this](int64_t epoch, int64_t position) { return make(epoch, position); });
}

Loader::Loader(DatasetPtr dataset, Transform transform, LoaderOptions options)
    : Loader(std::move(dataset), prepare_with(std::move(transform)), collate_examples, options) {}

int64_t Loader::batches() const { return count_batches(dataset_->size(), options_); }

int64_t Loader::samples() const {
  const int64_t n = dataset_->size();
  return options_.drop_last ? std::min(n, batches() * options_.batch_size) : n;
}

Loader::Order Loader::order_of(int64_t epoch) {
  if (!options_.train) epoch = 0;
  const std::lock_guard<std::mutex> lock(orders_mutex_);
  for (const auto& known : orders_)
    if (known.first == epoch) return known.second;
  SampleOrder order;
  if (balanced_) {
    order = balanced_->order(epoch);
  } else if (options_.train) {
    order.samples = epoch_order(dataset_->size(), options_.seed, epoch);
  } else {
    order.samples.resize(static_cast<size_t>(dataset_->size()));
    std::iota(order.samples.begin(), order.samples.end(), int64_t{0});
  }
  if (orders_.size() == kOrdersKept) orders_.erase(orders_.begin());
  orders_.emplace_back(epoch, std::make_shared<const SampleOrder>(std::move(order)));
  return orders_.back().second;
}

int64_t Loader::batch_samples(int64_t index) const {
  return index + 1 == batches() ? samples() - index * options_.batch_size : options_.batch_size;
}

int64_t Loader::batch_groups(int64_t index) const {
  return std::max<int64_t>(1, std::min(options_.groups, batch_samples(index) / options_.least_in_group));
}

std::pair<int64_t, int64_t> Loader::groups_of(int64_t index) const {
  const int64_t groups = batch_groups(index), last = options_.last_group < 0 ? groups : std::min(groups, options_.last_group);
  return {std::min(options_.first_group, last), last};
}

ExampleRange Loader::range_of(int64_t epoch, int64_t index) const {
  const int64_t begin = index * options_.batch_size, samples = batch_samples(index), groups = batch_groups(index);
  const auto [first, last] = groups_of(index);
  return {epoch, begin + first * samples / groups, begin + last * samples / groups};
}

std::vector<ExampleRange> Loader::following(int64_t epoch, int64_t index) const {
  std::vector<ExampleRange> ranges;
  for (int64_t i = 0; i < kBatchesAhead; ++i) {
    if (++index == batches()) {
      if (!options_.train) break;  // an evaluation ends here
      index = 0, ++epoch;
    }
    ranges.push_back(range_of(epoch, index));
  }
  return ranges;
}

// Keyed by the sample, not by its place in the batch: another batch size shows the same pictures.
Example Loader::make(int64_t epoch, int64_t position) {
  const int64_t repeats = options_.train ? options_.repeats : 1;
  const Order order = order_of(epoch);
  const auto place = static_cast<size_t>(position / repeats);
  const int64_t key = order->samples.at(place);
  // Each time that a sample is shown it is augmented anew.
  const int64_t repeat = position % repeats + (order->showings.empty() ? 0 : order->showings.at(place) * repeats);
  const auto keyed = [&](uint64_t stream) {
    return Rng(options_.seed, stream).at(static_cast<uint64_t>(epoch)).at(static_cast<uint64_t>(key));
  };
  const Rng rng = repeat == 0 ? keyed(kAugmentStream) : keyed(kRepeatStream).at(static_cast<uint64_t>(repeat));
  Example example = prepare_(dataset_->sample(key), options_.train ? &rng : nullptr);
  example.index = key;
  return example;
}

void Loader::mix(Batch& batch, int64_t epoch, int64_t index) const {
  const bool off = options_.mixup_off_epoch > 0 && epoch >= options_.mixup_off_epoch;
  if (!options_.train || !options_.mixing.any() || off) return;
  const Rng rng = Rng(options_.seed, kMixStream).at(static_cast<uint64_t>(epoch * batches() + index));
  const int64_t samples = batch_samples(index), groups = batch_groups(index);
  const auto [first, last] = groups_of(index);
  const int64_t before = first * samples / groups;  // of the batch, that are not here
  for (int64_t g = first; g < last; ++g)
    augment::mix(batch, g * samples / groups - before, (g + 1) * samples / groups - before, dataset_->num_classes(),
                 options_.mixing, rng.at(static_cast<uint64_t>(g)));
}

Batch Loader::batch(int64_t epoch, int64_t index) {
  check(epoch >= 0 && index >= 0 && index < batches(), ErrorKind::kValue, "loader", "there is no batch ", index, " in epoch ",
        epoch, ": an epoch has ", batches());
  const std::vector<ExampleRange> next = options_.workers > 0 ? following(epoch, index) : std::vector<ExampleRange>{};
  std::vector<Example> examples = prefetcher_->take(range_of(epoch, index), next);
  if (examples.empty()) return {};  // a short batch may have nothing for this process
  Batch batch = collate_(std::move(examples));
  mix(batch, epoch, index);
  return batch;
}

}  // namespace vitrail
