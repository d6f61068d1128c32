// Batches in a shuffled order that is a function of (seed, epoch) alone: no state to save, so a resumed run goes on with
// the batch it would have had.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "data/transforms.h"

namespace vitrail {

// A permutation of 0 .. n-1.
std::vector<int64_t> epoch_order(int64_t n, uint64_t seed, int64_t epoch);

struct LoaderOptions {
  int64_t batch_size = 64;
  uint64_t seed = 0;
  bool train = true;       // shuffled and augmented; false: in order, as they are
  bool drop_last = false;  // leave out the last batch of an epoch if it is short
  // A last batch of one sample joins the batch before it: batch norm cannot train on one value a channel.
  bool join_last_one = false;
};

// The batches that an epoch of `samples` samples has.
int64_t count_batches(int64_t samples, const LoaderOptions& options);

// A sample made ready for the model: the picture as the model takes it, and what is true of that picture.
struct Example {
  Tensor image;  // f32 [C, H, W]
  Target target;
  int64_t index = -1;  // in the data set
};

struct Batch {
  Tensor images;                 // f32 [B, C, H, W]
  Tensor labels;                 // i64 [B]: target.label of each
  std::vector<Target> targets;   // B
  std::vector<int64_t> indices;  // B, in the data set

  int64_t size() const { return static_cast<int64_t>(targets.size()); }
};

// From a sample to an example, and from examples to a batch. `rng` belongs to this sample in this epoch; null: evaluation.
// A Prepare is called from several threads at once.
using Prepare = std::function<Example(const Sample& sample, const Rng* rng)>;
using Collate = std::function<Batch(std::vector<Example> examples)>;

// transform.train or transform.eval of the image; the target as it is.
Prepare prepare_with(Transform transform);
// Images of equal size stacked. Error(kShape) naming the two that differ.
Batch collate_examples(std::vector<Example> examples);

// Not thread-safe: one Loader per thread that asks for batches. A batch itself is put together by all threads.
class Loader {
 public:
  // Error(kValue) unless 1 <= batch_size <= 2^20, the data set is not empty, and an epoch has at least one batch.
  Loader(DatasetPtr dataset, Prepare prepare, Collate collate, LoaderOptions options);
  Loader(DatasetPtr dataset, Transform transform, LoaderOptions options);

  int64_t batches() const;  // in an epoch
  int64_t samples() const;  // in an epoch
  // Batch `index` of `epoch`: the same tensors to the bit for any number of threads. Error(kValue) if out of range.
  Batch batch(int64_t epoch, int64_t index);

  const Dataset& dataset() const { return *dataset_; }
  const LoaderOptions& options() const { return options_; }

 private:
  DatasetPtr dataset_;
  Prepare prepare_;
  Collate collate_;
  LoaderOptions options_;
  int64_t order_epoch_ = -1;  // the epoch whose order order_ is
  std::vector<int64_t> order_;
};

}  // namespace vitrail
