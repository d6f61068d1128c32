// The gradients of one update, added up over all processes: those of each process over its own groups first
// (train/group_gradients.h), then these over the ranks, in one tree (comm/all_reduce.h).
//
// Communication is hidden behind the backward pass: the gradients lie in one array in the order in which they become whole, cut
// into buckets; a bucket is on its way as soon as its last gradient is there. The order is that of rank 0's first update.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "comm/all_reduce.h"
#include "nn/module.h"
#include "train/optim/element_range.h"
#include "train/task/scores.h"

namespace vitrail {

struct GradientSumOptions {
  bool overlap = true;       // false: all at once after the backward pass
  int64_t bucket_bytes = 0;  // at least so many in a bucket; 0: as bucket_size.h measures
  bool compress = false;     // messages in bf16: half the bytes, other bits for each number of ranks
  // Each rank gets the sums of its own parts of the parameters alone, updates these, and gets the other weights from their
  // ranks.
  bool shard = false;
  // How a bucket is added up over the ranks where nothing is sharded; null: all_reduce(), or all_reduce_bf16().
  void (*reduce)(Communicator&, std::span<float>) = nullptr;
};

class Lane;

class GradientSum {
 public:
  GradientSum(Communicator& comm, const GradientSumOptions& options = {});
  ~GradientSum();

  // With `shard`: whether a parameter must not be cut, by its number among the named_parameters(). Before the first update.
  void keep_whole(std::function<bool(size_t)> whole) { whole_ = std::move(whole); }

  // A new update. Parameters that require no gradient take no part.
  void begin(const std::vector<nn::NamedParameter>& parameters);
  // The sum over this rank's groups of parameter i is whole; undefined if it has none. Not called at all where the rank has no
  // group.
  void ready(size_t i, const Tensor& gradient);
  // Whatever was not ready() comes from `gradients`. All become the sums over the ranks; undefined where no rank has a
  // gradient. They lie in memory that the next update takes again. Error(kValue) naming a parameter that has a gradient for the
  // first time after the first update with these parameters, Error(kIo) if a rank does not answer.
  void finish(std::vector<Tensor>& gradients);

  // With `shard`: the part of parameter i that a rank updates; empty where it has no gradient. It changes with the parameters
  // that are trained: then layouts() does.
  ElementRange part(size_t i, int rank) const;
  int64_t layouts() const { return layouts_; }
  // After the update of each rank's parts: the whole weights on all ranks.
  void gather_weights();

  // Sums over the ranks of the loss and of the task's scores; a rank without groups adds nothing, and gets the scores' names.
  void add_up(bool has_groups, double& loss, std::vector<double>& values, Scores& scores);
  // Numbers of which add_up() makes the sums over the ranks on the same way; as many on each rank.
  std::vector<double>& beside() { return beside_; }
  // Values of each of a rank's groups, as many of each: those of all groups, in their order.
  std::vector<double> all_groups(const std::vector<double>& own);

  // Seconds that this rank waited in finish() and gather_weights(): what the backward pass did not hide.
  double exposed_seconds() const { return exposed_; }

 private:
  struct Place {
    int64_t begin = -1, end = -1;  // in flat_; -1: no gradient
    size_t bucket = 0;
    bool there = false;
  };
  void lay_out(const std::vector<int64_t>& order);
  void take(Place& place, const Tensor& gradient);
  void send_whole_buckets();
  void cut_buckets();
  std::string name(size_t i) const { return parameters_[i].name; }

  Communicator& comm_;
  const GradientSumOptions options_;
  std::vector<nn::NamedParameter> parameters_;
  std::vector<bool> trained_;  // that the layout is for
  bool laid_out_ = false;
  int64_t bucket_bytes_ = options_.bucket_bytes;  // or as measured
  std::vector<int64_t> seen_;  // parameters in the order in which they became whole, of an update without a layout
  std::vector<Tensor> kept_;   // and their gradients
  std::vector<Place> places_;  // of each parameter
  struct Bucket {
    int64_t begin, end, missing;
    int64_t gradients;
    Slices slices{};  // with `shard`
  };
  std::vector<Bucket> buckets_;
  std::function<bool(size_t)> whole_ = [](size_t) { return false; };
  int64_t layouts_ = 0;
  size_t next_ = 0;  // bucket to be sent
  Tensor flat_;
  bool named_ = false;
  Scores names_;  // of the task's scores
  std::vector<double> beside_;
  double exposed_ = 0;
  std::unique_ptr<Lane> lane_;  // the last: whatever is on its way writes into the memory above, and ends before that does
};

}  // namespace vitrail
