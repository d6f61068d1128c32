// The optimiser of a run in parts: each rank keeps moments of its own parts of the parameters alone, updates these, and gets
// the other weights from their ranks. The bits are those of one process. Rajbhandari et al., "ZeRO", arXiv:1910.02054, stage 1.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "train/optim/optim.h"
#include "train/ranks/gradient_sum.h"
#include "train/ranks/ranks.h"
#include "train/run_state.h"

namespace vitrail {

class ShardedUpdate {
 public:
  // All must outlive it. `sum` has the option `shard`, and has not seen an update yet.
  ShardedUpdate(Communicator& comm, GradientSum& sum, Optimizer& optimizer, nn::Module& model);

  // The norm of the whole gradient, after GradientSum::finish(): chunk sums of all ranks, added as grad_norm() does.
  double grad_norm();
  // The whole state of the optimiser (Optimizer::state()), on rank 0; elsewhere this rank's parts. The same call on all ranks.
  nn::StateDict state();

  // Calls write(), if there is one, on rank 0 with a state whose entries of the optimiser come there one by one, when they are
  // asked for (RunState::optimizer_entry): no rank holds all of them. The same call on all ranks.
  void write(Ranks& ranks, RunState state, const std::function<void(const RunState&)>& write);

 private:
  nn::StateDict outline();
  Tensor entry(size_t i);
  void serve();
  void use_layout();
  const ElementRange& own_part(size_t parameter) const { return parts_[parameter][static_cast<size_t>(comm_.rank())]; }
  std::map<std::string, size_t>::const_iterator number_of(const std::string& state, const Tensor& tensor) const;
  Tensor whole(const Tensor& own, size_t parameter);
  void load_everywhere(nn::StateDict state);

  Communicator& comm_;
  GradientSum& sum_;
  Optimizer& optimizer_;
  std::vector<nn::NamedParameter> parameters_;
  std::map<std::string, size_t> numbers_;  // of the parameters, by path
  int64_t layout_ = 0;
  std::vector<std::vector<ElementRange>> parts_;  // [parameter][rank], of that layout: the states lie so
};

}  // namespace vitrail
