// Optimisers: from gradients to new weights.
//
//   AdamW optimizer(make_param_groups(model, 0.05));
//   loss.backward();
//   optimizer.step(learning_rate(schedule, step));
//   optimizer.zero_grad();
//
// The learning rate is an argument of step(): schedules are pure functions (train/optim/schedule.h), so nothing can get out of
// step with anything. All parameters of a group are updated in one pass over fixed chunks, in parallel; the bits of the
// result do not depend on the number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"
#include "nn/module.h"
#include "train/optim/element_range.h"

namespace vitrail {

// Parameters that are treated alike. The step of a group is lr * lr_scale.
struct ParamGroup {
  std::string label;                                         // "decay", "no decay"
  std::vector<std::pair<std::string, Variable>> parameters;  // dotted path and handle; a handle shares the module's value
  double lr_scale = 1;
  double weight_decay = 0;
  bool orthogonal = false;  // matrices whose update Muon makes orthogonal (train/optim/muon.h); other optimisers ignore it
  bool trust_ratio = true;  // LAMB and LARS scale its steps by norms (train/optim/lamb.h, lars.h); other optimisers ignore it
};

// Two groups: "decay" with `weight_decay`, and "no decay" for what shrinking would only harm: all 1-D parameters (biases and
// the scales of norms), cls_token, pos_embed, reg_token, dist_token wherever they are, and what a module's no_weight_decay()
// names; it has no trust_ratio either. Empty groups are left out. Parameters with requires_grad off are listed too: they are
// skipped by step() for as long as they are frozen.
std::vector<ParamGroup> make_param_groups(nn::Module& module, double weight_decay);
// All parameters in one group.
std::vector<ParamGroup> single_group(nn::Module& module, double weight_decay = 0);
// One compact paragraph on who decays and who does not; blocks.0 ... blocks.11 are written once as blocks.*.
std::string describe(const std::vector<ParamGroup>& groups, bool names = true);

// What one of several processes updates, and how it learns of the others (train/ranks/sharded_update.h).
struct OptimizerParts {
  std::map<std::string, ElementRange> of;  // of each parameter by path; cut between chunks of norm_chunk(), or not at all
  std::function<void(std::vector<double>&)> sum;  // numbers become their sums over the processes
  std::function<void()> gather;                   // after the update: the other parts of the weights
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // One update of every parameter that requires a gradient and has one; the others do not move, do not decay and do not
  // age. grad_scale multiplies the gradients as they are read (clipping without a pass of its own, see clip_scale()).
  // Error(kValue), before anything has changed, for a negative or non-finite lr or grad_scale, if no parameter has a gradient,
  // if one is not contiguous, or if its shape or dtype is no longer that of its gradient or state. Error(kNumeric) naming the
  // parameter if the update made a weight or a state NaN or infinite: then the weights are lost, what was saved is not.
  void step(double lr, double grad_scale = 1);
  // Forgets the gradients of all parameters.
  void zero_grad();

  // From here on step() updates these parts alone, and keeps states of them alone; states that are whole are cut. Empty:
  // everything. Every process calls step() with the same arguments.
  void set_parts(OptimizerParts parts);
  // Whether a parameter's update needs all of it: then its part is all or nothing.
  bool moves_whole(const std::string& path) const;

  std::vector<ParamGroup>& groups() { return groups_; }
  const std::vector<ParamGroup>& groups() const { return groups_; }
  int64_t num_steps() const { return steps_; }  // calls of step() so far
  virtual const char* name() const = 0;

  // Everything that step() depends on beside weights and gradients: "step" (i64), and for each parameter that has moved
  // "<state>.<path>" (e.g. "exp_avg.blocks.0.attn.qkv.weight") and "step.<path>" (i64). The tensors share memory with the
  // optimiser: clone what must outlive the next step. With set_parts() they are the elements of the part, [n].
  nn::StateDict state() const;
  // The inverse. Error(kValue) listing unknown names and shapes or dtypes that differ; then nothing has been changed.
  void load_state(const nn::StateDict& state);

 protected:
  static constexpr int kMaxStates = 3;
  // A stretch of one parameter, and all that a kernel needs to update it.
  template <class T>
  struct Chunk {
    T* p;                          // weights
    const T* g;                    // gradients, to be multiplied by grad_scale
    std::array<T*, kMaxStates> s;  // state, in the order of state_names
    int64_t n;
    int64_t step;  // updates of this parameter, this one included: 1, 2, ...
    double lr, weight_decay, grad_scale;
    double trust = 1;  // of an optimiser that measures(): factor of the step, from norms of the whole parameter
  };

  // state_names: what is kept per element ("exp_avg", "exp_avg_sq"); starts at zero.
  // Error(kValue) if there is no parameter, one is named twice, or weight_decay or lr_scale is negative or not finite.
  Optimizer(std::vector<ParamGroup> groups, std::vector<std::string> state_names);

  virtual void update(const Chunk<float>& c) const = 0;
  virtual void update(const Chunk<double>& c) const = 0;

  // Of a stretch the sums of squares, of a whole parameter their roots.
  struct Norms {
    double weights = 0, direction = 0;
  };
  // A rule that scales its step by norms over whole parameters: its step is two elementwise passes over all stretches. The
  // first calls measure(), which may renew the states and returns sums of squares over the stretch; these are added in double,
  // in the order of the stretches, which are those of norm_chunk() (train/optim/stretches.h): so the norms depend on nothing
  // but the parameter. The second calls update(), with c.trust = trust(norms, weight_decay), or 1 where either norm is 0 or the
  // group has no trust_ratio.
  virtual bool measures() const { return false; }
  virtual Norms measure(const Chunk<float>&) const { return {}; }
  virtual Norms measure(const Chunk<double>&) const { return {}; }
  virtual double trust(const Norms&, double /*weight_decay*/) const { return 1; }

  // A parameter as a whole, for a rule that does not work element by element. The gradient is to be multiplied by grad_scale.
  struct Whole {
    Tensor value, grad, state;  // state: the first one
    double lr, weight_decay, grad_scale;
  };
  // The groups whose parameters are updated by update_whole(), several at once in different threads; they keep one state.
  virtual bool as_whole(const ParamGroup&) const { return false; }
  virtual void update_whole(const Whole&) const {}

 private:
  struct Slot {
    std::array<Tensor, kMaxStates> state;  // undefined until the parameter's first update
    int64_t steps = 0;
  };
  void check_parameter(const std::string& path, const Variable& parameter, const Slot& slot) const;
  void check_parameters() const;
  ElementRange part_of(const std::string& path, int64_t numel) const;
  void cut_states();
  int states_of(const ParamGroup& group) const { return as_whole(group) ? 1 : static_cast<int>(state_names_.size()); }
  template <class T>
  struct Update;  // one parameter of a group, ready to be stepped
  template <class T>
  void step_group(const ParamGroup& group, std::vector<Slot>& slots, double lr, double grad_scale);
  template <class T>
  Chunk<T> stretch_of(const Chunk<T>& whole, int64_t begin, int64_t end) const;
  template <class T>
  void measure_stretches(const ParamGroup& group, std::vector<Update<T>>& updates) const;
  template <class T>
  void update_stretches(std::vector<Update<T>>& updates) const;
  template <class T>
  void update_wholes(std::vector<Update<T>>& updates) const;
  struct Place {
    Slot* slot = nullptr;
    const Variable* parameter = nullptr;
    size_t states = 0;
  };
  Place find(const std::string& path);

  std::vector<ParamGroup> groups_;
  std::vector<std::vector<Slot>> slots_;  // [group][parameter]
  std::vector<std::string> state_names_;
  int64_t steps_ = 0;
  OptimizerParts parts_;
};

struct SgdOptions {
  double momentum = 0;
  double dampening = 0;
  bool nesterov = false;  // needs momentum > 0 and dampening 0, else Error(kValue)
};
// g += wd p;  b = momentum b + (1 - dampening) g (b = g at first);  p -= lr (nesterov ? g + momentum b : b).
// The weight decay is part of the gradient. Sutskever et al., ICML 2013, in the form that PyTorch uses.
class Sgd final : public Optimizer {
 public:
  explicit Sgd(std::vector<ParamGroup> groups, const SgdOptions& options = {});
  const char* name() const override { return "sgd"; }

 private:
  void update(const Chunk<float>& c) const override;
  void update(const Chunk<double>& c) const override;
  SgdOptions options_;
};

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
};
// m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
// Kingma and Ba, arXiv:1412.6980, algorithm 1. The weight decay is part of the gradient: g += wd p.
class Adam : public Optimizer {
 public:
  explicit Adam(std::vector<ParamGroup> groups, const AdamOptions& options = {}) : Adam(std::move(groups), options, false) {}
  const char* name() const override { return "adam"; }

 protected:
  Adam(std::vector<ParamGroup> groups, const AdamOptions& options, bool decoupled);

 private:
  void update(const Chunk<float>& c) const override;
  void update(const Chunk<double>& c) const override;
  AdamOptions options_;
  bool decoupled_;
};

// Adam with p *= 1 - lr wd before the step instead of a decay in the gradient, so that the decay of a weight does not
// depend on how large its gradients are. Loshchilov and Hutter, arXiv:1711.05101, algorithm 2.
class AdamW final : public Adam {
 public:
  explicit AdamW(std::vector<ParamGroup> groups, const AdamOptions& options = {}) : Adam(std::move(groups), options, true) {}
  const char* name() const override { return "adamw"; }
};

struct LionOptions {
  double beta1 = 0.9;
  double beta2 = 0.99;
};
// p *= 1 - lr wd;  p -= lr sign(b1 m + (1 - b1) g);  m = b2 m + (1 - b2) g. Wants a 3 to 10 times smaller lr, and as much
// larger a weight decay, than AdamW. Chen et al., arXiv:2302.06675, program 1.
class Lion final : public Optimizer {
 public:
  explicit Lion(std::vector<ParamGroup> groups, const LionOptions& options = {});
  const char* name() const override { return "lion"; }

 private:
  void update(const Chunk<float>& c) const override;
  void update(const Chunk<double>& c) const override;
  LionOptions options_;
};

struct RmspropOptions {
  double alpha = 0.99;
  double eps = 1e-8;
  double momentum = 0;
};
// g += wd p;  v = alpha v + (1 - alpha) g^2;  u = g / (sqrt(v) + eps);  b = momentum b + u;  p -= lr b.
// Tieleman and Hinton, lecture 6.5 of "Neural Networks for Machine Learning", 2012.
class Rmsprop final : public Optimizer {
 public:
  explicit Rmsprop(std::vector<ParamGroup> groups, const RmspropOptions& options = {});
  const char* name() const override { return "rmsprop"; }

 private:
  void update(const Chunk<float>& c) const override;
  void update(const Chunk<double>& c) const override;
  RmspropOptions options_;
};

}  // namespace vitrail
