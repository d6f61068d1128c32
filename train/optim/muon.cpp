#include "train/optim/muon.h"

#include <algorithm>
#include <cmath>

#include "tensor/ops.h"
#include "tensor/view.h"
#include "train/optim/adam_update.h"
#include "train/optim/layer_decay.h"

namespace vitrail {

namespace {

Tensor as_matrix(const Tensor& x) { return reshape(x, {x.size(0), x.size(0) == 0 ? 0 : x.numel() / x.size(0)}); }

}  // namespace

Tensor orthogonalized(const Tensor& g) {
  check(g.dim() == 2 && is_float(g.dtype()), ErrorKind::kShape, "orthogonalized", "g is a float matrix: it is ", g.shape());
  constexpr double a = 3.4445, b = -4.7750, c = 2.0315;
  constexpr int kSteps = 5;
  // The norm in two steps: squares of f32 gradients would be 0 or infinite long before the gradients are.
  const double largest = g.numel() == 0 ? 0 : max(abs(g)).item();
  if (largest == 0 || !std::isfinite(largest)) return g;
  const bool tall = g.size(0) > g.size(1);  // A is the smaller of the two products
  Tensor x = mul(tall ? transpose(g) : g, 1 / largest);
  x = div(x, std::sqrt(sum(square(x)).item()));
  for (int step = 0; step < kSteps; ++step) {
    const Tensor gram = matmul(x, transpose(x));
    const Tensor polynomial = add(mul(gram, b), mul(matmul(gram, gram), c));
    x = add(mul(x, a), matmul(polynomial, x));
  }
  return tall ? transpose(x) : x;
}

Muon::Muon(std::vector<ParamGroup> groups, const MuonOptions& options)
    : Optimizer(std::move(groups), {"exp_avg", "exp_avg_sq"}), options_(options) {
  check(options.momentum >= 0 && options.momentum < 1, ErrorKind::kValue, "muon", "momentum must be in [0, 1): it is ",
        options.momentum, ".");
  check_adam_options("muon", options.adam);
  for (const ParamGroup& group : this->groups()) {
    for (const auto& [path, parameter] : group.parameters) {
      check(!group.orthogonal || parameter.dim() >= 2, ErrorKind::kValue, "muon", "only matrices can be made orthogonal: ", path,
            " is ", parameter.shape(), ". Hint: make_muon_groups() sorts the parameters of a model.");
    }
  }
}

void Muon::update(const Chunk<float>& c) const { adam_update(adam_stretch<float>(c), options_.adam, true); }
void Muon::update(const Chunk<double>& c) const { adam_update(adam_stretch<double>(c), options_.adam, true); }

void Muon::update_whole(const Whole& w) const {
  const double mu = options_.momentum;
  const Tensor g = mul(as_matrix(w.grad), (1 - mu) * w.grad_scale);
  Tensor value = w.value, momentum = w.state;  // handles: they share memory with the parameter and the slot
  copy_(momentum, reshape(add(mul(as_matrix(momentum), mu), g), momentum.shape()));
  const Tensor m = as_matrix(momentum);
  const Tensor u = orthogonalized(options_.nesterov ? add(mul(m, mu), g) : m);
  const double rate = 0.2 * std::sqrt(static_cast<double>(std::max(u.size(0), u.size(1)))) * w.lr;
  const Tensor moved = sub(mul(as_matrix(value), 1 - w.lr * w.weight_decay), mul(u, rate));
  copy_(value, reshape(moved, value.shape()));
}

std::vector<ParamGroup> make_muon_groups(nn::Module& module, double weight_decay) {
  std::vector<ParamGroup> groups = make_param_groups(module, weight_decay);
  if (groups.empty() || groups.front().label != "decay") return groups;
  ParamGroup hidden{"hidden matrices, orthogonal", {}, 1, weight_decay, true}, rest{"decay", {}, 1, weight_decay};
  bool first = true;
  for (const auto& entry : groups.front().parameters) {
    const Shape& shape = entry.second.shape();
    const bool is_matrix = shape.size() >= 2 && shape[0] > 1 && entry.second.numel() > shape[0];
    // The output layers are not hidden: a head's rows are classes, and its rate is AdamW's.
    const bool is_hidden = !first && !is_head(entry.first) && is_matrix;
    (is_hidden ? hidden : rest).parameters.push_back(entry);
    first = false;
  }
  groups.erase(groups.begin());
  for (ParamGroup* group : {&rest, &hidden})
    if (!group->parameters.empty()) groups.insert(groups.begin(), std::move(*group));
  return groups;
}

}  // namespace vitrail
