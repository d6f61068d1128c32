#include "train/memory.h"

#include <algorithm>
#include <bit>

#include "data/loader.h"
#include "tensor/precision.h"
#include "tensor/storage.h"
#include "train/batch_groups.h"
#include "train/finetune/trained_part.h"
#include "train/keep_buffers.h"

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

// Numbers that the optimiser keeps for each weight. Of Muon the hidden matrices count, which are most.
int64_t moments_per_weight(const TrainConfig& c) {
  return c.optimizer == "sgd" || c.optimizer == "lars"    ? c.momentum > 0
         : c.optimizer == "lion" || c.optimizer == "muon" ? 1
                                                          : 2;
}

// Bytes of the pictures that workers have ready at most: of two batches (data/loader.h).
int64_t prefetched(const Task& task, const TrainConfig& config, int64_t batch_size) {
  if (config.workers == 0) return 0;
  const Preprocessing p = task.card().preprocessing;
  return std::min(LoaderOptions{}.prefetch_bytes, 2 * batch_size * p.channels * p.height * p.width * size_of(Dtype::f32));
}

// Gradients that are held at a time beside those of the present group (train/group_gradients.h).
int64_t sums_of(int64_t groups) { return groups > 1 ? std::bit_width(static_cast<uint64_t>(groups)) : 0; }

// The images of the whole batch are there while its groups are computed.
int64_t bytes_of_image(Task& task, const DatasetPtr& train) {
  const Tensor image = task.prepare(train->sample(0), nullptr).image;
  return image.numel() * size_of(image.dtype());
}

}  // namespace

MemoryEstimate estimate_memory(Task& task, const DatasetPtr& train, const TrainConfig& config, const MemoryOfRanks& ranks) {
  const PrecisionGuard precision(precision_from_name(config.precision));
  choose_trained(task.model(), config);
  if (config.grad_checkpointing) use_grad_checkpointing(task.model());
  const KeepBuffers buffers(task.model());
  const int64_t whole = std::min(config.batch_size, train->size()), groups = count_groups(whole, config.groups, task.model());
  const int64_t largest = (whole + groups - 1) / groups;  // of the groups
  const int64_t few = std::min<int64_t>(4, largest), more = std::min<int64_t>(8, largest);
  peak_of_step(task, train, few);  // what is made once, such as packed weights, is there from now on
  const int64_t peak_few = peak_of_step(task, train, few), peak_more = more > few ? peak_of_step(task, train, more) : peak_few;
  MemoryEstimate estimate;
  estimate.batch_size = largest;
  estimate.per_image = more > few ? std::max<int64_t>(0, (peak_more - peak_few) / (more - few)) : 0;
  const int64_t own_groups = (groups + ranks.ranks - 1) / ranks.ranks, own_images = std::min(whole, own_groups * largest);
  estimate.fixed = peak_few - few * estimate.per_image + prefetched(task, config, own_images);
  for (const nn::NamedParameter& entry : task.model().named_parameters()) {
    if (!entry.parameter->requires_grad()) continue;
    const int64_t bytes = entry.parameter->numel() * size_of(entry.parameter->dtype());
    estimate.fixed += moments_per_weight(config) * bytes / (ranks.shard ? ranks.ranks : 1);
    // The average, the groups' sums, and the array of all ranks' gradients.
    estimate.fixed += ((config.ema_decay > 0) + sums_of(own_groups) + (ranks.ranks > 1)) * bytes;
  }
  if (groups > 1) estimate.fixed += (own_images - largest) * bytes_of_image(task, train);
  return estimate;
}

MemoryEstimate check_memory(Task& task, const DatasetPtr& train, const TrainConfig& config, int64_t limit,
                            const MemoryOfRanks& ranks) {
  if (limit <= 0) return {};
  const MemoryEstimate e = estimate_memory(task, train, config, ranks);
  check(static_cast<double>(e.total()) <= 1.1 * static_cast<double>(limit), ErrorKind::kMemory, "train",
        "training needs more memory than there is: about ", e.total(), " bytes (", e.fixed, ", and ", e.per_image,
        " for each of the ", e.batch_size, " images of a pass), the limit is ", limit,
        ". Hint: a smaller batch (--batch-size), more --groups of it, or a smaller model.");
  return e;
}

}  // namespace vitrail
