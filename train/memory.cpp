#include "train/memory.h"

#include <algorithm>

#include "tensor/precision.h"
#include "tensor/storage.h"

namespace vitrail {

namespace {

// Bytes at the peak of one step with this many images, everything that lives already included.
int64_t peak_of_step(Task& task, const DatasetPtr& train, int64_t images) {
  Loader loader = make_loader(task, train, {.batch_size = images, .train = false});
  const Batch batch = loader.batch(0, 0);
  reset_peak_memory();
  task.loss(batch).total.backward();
  task.model().zero_grad();
  return memory_stats().peak_bytes;
}

// Puts the buffers (running statistics) back at the end of a scope.
class KeepBuffers {
 public:
  explicit KeepBuffers(nn::Module& module) : buffers_(module.named_buffers()) {
    for (const nn::NamedBuffer& entry : buffers_) kept_.push_back(entry.buffer->defined() ? clone(*entry.buffer) : Tensor());
  }
  ~KeepBuffers() {
    for (size_t i = 0; i < buffers_.size(); ++i) *buffers_[i].buffer = kept_[i];
  }
  KeepBuffers(const KeepBuffers&) = delete;
  KeepBuffers& operator=(const KeepBuffers&) = delete;

 private:
  std::vector<nn::NamedBuffer> buffers_;
  std::vector<Tensor> kept_;
};

// Numbers that optimiser and average keep for each weight. Of Muon the hidden matrices count, which are most.
int64_t kept_per_weight(const TrainConfig& c) {
  const int64_t moments = c.optimizer == "sgd" ? c.momentum > 0 : c.optimizer == "lion" || c.optimizer == "muon" ? 1 : 2;
  return moments + (c.ema_decay > 0);
}

// Bytes of the pictures that workers have ready at most: of two batches (data/loader.h).
int64_t prefetched(const Task& task, const TrainConfig& config, int64_t batch_size) {
  if (config.workers == 0) return 0;
  const Preprocessing p = task.card().preprocessing;
  return std::min(LoaderOptions{}.prefetch_bytes, 2 * batch_size * p.channels * p.height * p.width * size_of(Dtype::f32));
}

}  // namespace

MemoryEstimate estimate_memory(Task& task, const DatasetPtr& train, const TrainConfig& config) {
  const PrecisionGuard precision(precision_from_name(config.precision));
  const KeepBuffers buffers(task.model());
  const int64_t largest = std::min(config.batch_size, train->size()), few = std::min<int64_t>(4, largest),
                more = std::min<int64_t>(8, largest);
  peak_of_step(task, train, few);  // what is made once, such as packed weights, is there from now on
  const int64_t peak_few = peak_of_step(task, train, few), peak_more = more > few ? peak_of_step(task, train, more) : peak_few;
  MemoryEstimate estimate;
  estimate.batch_size = largest;
  estimate.per_image = more > few ? std::max<int64_t>(0, (peak_more - peak_few) / (more - few)) : 0;
  estimate.fixed = peak_few - few * estimate.per_image + prefetched(task, config, largest);
  for (const nn::NamedParameter& entry : task.model().named_parameters())
    estimate.fixed += kept_per_weight(config) * entry.parameter->numel() * size_of(entry.parameter->dtype());
  return estimate;
}

MemoryEstimate check_memory(Task& task, const DatasetPtr& train, const TrainConfig& config, int64_t limit) {
  if (limit <= 0) return {};
  const MemoryEstimate e = estimate_memory(task, train, config);
  check(static_cast<double>(e.total()) <= 1.1 * static_cast<double>(limit), ErrorKind::kMemory, "train",
        "training needs more memory than there is: about ", e.total(), " bytes (", e.fixed, ", and ", e.per_image,
        " for each of the ", e.batch_size, " images of a batch), the limit is ", limit,
        ". Hint: a smaller batch (--batch-size) or model.");
  return e;
}

}  // namespace vitrail
