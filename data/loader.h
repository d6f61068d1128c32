// Batches in a shuffled order that is a function of (seed, epoch) alone: no state to save, so a resumed run goes on with
// the batch it would have had.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "data/augment/mixing.h"
#include "data/batch.h"
#include "data/dataset.h"
#include "data/prefetch.h"
#include "data/sampling.h"

namespace vitrail {

struct LoaderOptions {
  int64_t batch_size = 64;
  uint64_t seed = 0;
  bool train = true;       // shuffled and augmented; false: in order, as they are
  bool balanced = false;   // of training: each class equally often (data/sampling.h), where others show each sample once
  bool drop_last = false;  // leave out the last batch of an epoch if it is short
  // A last batch of one sample joins the batch before it: batch norm cannot train on one value a channel.
  bool join_last_one = false;

  // Of training. Each sample of an epoch is shown so many times, one after another, each time augmented anew, and only a part 1 /
  // repeats of the samples: an epoch stays as long (Hoffer et al., "Augment your batch", CVPR 2020; Berman et al., "MultiGrain",
  // arXiv:1902.05509, section 3.2).
  int64_t repeats = 1;
  augment::Mixing mixing{};
  int64_t mixup_off_epoch = 0;  // epochs, counted from 0, from which on nothing is mixed; 0: never
  // Pictures are mixed within the groups that a batch is cut into: group g of G has [g B / G, (g + 1) B / G), fewer groups where
  // they would have fewer than `least_in_group` pictures.
  int64_t groups = 1, least_in_group = 1;
  // Batches hold the pictures of groups [first_group, last_group) alone, no others are read: the part of one of several processes.
  // A short batch has fewer groups, so a part may be empty. last_group -1: all.
  int64_t first_group = 0, last_group = -1;

  // Threads that make the examples of the next two batches ahead (data/prefetch.h); 0: all threads make a batch when it is asked
  // for. No effect on the result.
  int64_t workers = 0;
  int64_t prefetch_bytes = int64_t{256} << 20;  // workers begin nothing while so much is ready
};

// The batches that an epoch of `samples` samples has.
int64_t count_batches(int64_t samples, const LoaderOptions& options);

// Thread safety: one Loader per thread that asks for batches. A batch itself is put together by all threads.
// Randomness: augmentation by (seed, epoch, sample, repeat), mixing by (seed, epoch * batches + index, group).
class Loader {
 public:
  // Error(kValue) unless 1 <= batch_size <= 2^20, the data set is not empty, and an epoch has at least one batch; for workers
  // outside [0, 256] and repeats outside [1, 1000]. Error(kMemory) if the system refuses a worker.
  Loader(DatasetPtr dataset, Prepare prepare, Collate collate, LoaderOptions options);
  Loader(DatasetPtr dataset, Transform transform, LoaderOptions options);
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int64_t batches() const;  // in an epoch
  int64_t samples() const;  // in an epoch
  // Of batch `index`: its samples, whatever part of them this loader reads, and its groups.
  int64_t batch_samples(int64_t index) const;
  int64_t batch_groups(int64_t index) const;
  // Batch `index` of `epoch`: the same tensors to the bit for any number of threads and workers, in any order of asking; asking in
  // order is what workers are ready for. Error(kValue) if out of range; errors of the data set and of prepare: those of the first
  // sample of the batch that has one.
  Batch batch(int64_t epoch, int64_t index);

  const Dataset& dataset() const { return *dataset_; }
  const LoaderOptions& options() const { return options_; }

 private:
  using Order = std::shared_ptr<const SampleOrder>;

  Order order_of(int64_t epoch);
  // The groups of batch `index` that this loader reads, and where they are in the order of the epoch.
  std::pair<int64_t, int64_t> groups_of(int64_t index) const;
  ExampleRange range_of(int64_t epoch, int64_t index) const;
  std::vector<ExampleRange> following(int64_t epoch, int64_t index) const;
  Example make(int64_t epoch, int64_t position);
  void mix(Batch& batch, int64_t epoch, int64_t index) const;

  DatasetPtr dataset_;
  Prepare prepare_;
  Collate collate_;
  LoaderOptions options_;
  std::mutex orders_mutex_;
  std::vector<std::pair<int64_t, Order>> orders_;  // of the last epochs
  std::optional<BalancedSampling> balanced_;
  std::unique_ptr<Prefetcher> prefetcher_;         // last: its threads use the members above
};

}  // namespace vitrail
