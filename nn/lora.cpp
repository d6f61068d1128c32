#include "nn/lora.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/ops/fused.h"
#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "base/path_pattern.h"
#include "base/text.h"
#include "nn/init.h"
#include "nn/linear.h"
#include "tensor/ops.h"

namespace vitrail::nn {
namespace {

constexpr int64_t kMostRank = 4096;

// The rows [first, last) of a weight with s B A added, and their lengths, [last - first, 1].
Tensor updated_rows(const Tensor& weight, const LowRank& u, Dtype dtype) {
  // LAB 8.5 BEGIN  W[first:last] + s B A, in this dtype.
  const Tensor rows = to(slice(weight, 0, u.first, u.last), dtype);
  return add(rows, mul(matmul(to(u.b.value(), dtype), to(u.a.value(), dtype)), lora_scale(u.options)));
  // LAB 8.5 END
}
Tensor lengths(const Tensor& rows) { return sqrt(sum(square(rows), {1}, /*keepdim=*/true)); }

// magnitude / length - 1 of the rows of one update, [last - first].
Variable stretch(const Variable& weight, const LowRank& u) {
  const Tensor length = lengths(updated_rows(weight.value(), u, weight.dtype()));
  return u.magnitude / Variable(reshape(length, {length.size(0)})) - 1.0;
}

// x in the rows [first, last) of a matrix, or a vector, that is zero elsewhere.
Variable in_rows(const Variable& x, const LowRank& u, int64_t rows) {
  if (u.first == 0 && u.last == rows) return x;
  std::vector<int64_t> before(static_cast<size_t>(x.dim()), 0), after = before;
  before[0] = u.first, after[0] = rows - u.last;
  return pad(x, before, after);
}

Variable total(const std::vector<Variable>& terms) {
  return std::accumulate(terms.begin() + 1, terms.end(), terms.front(),
                         [](const Variable& a, const Variable& b) { return a + b; });
}

}  // namespace

double lora_scale(const LoraOptions& o) {
  // LAB 8.5 BEGIN  alpha / r, or alpha / sqrt(r) where rank_stabilized.
  const auto rank = static_cast<double>(o.rank);
  return o.alpha / (o.rank_stabilized ? std::sqrt(rank) : rank);
  // LAB 8.5 END
}

void validate(const LoraOptions& o) {
  check(o.rank >= 1 && o.rank <= kMostRank, ErrorKind::kValue, "lora", "rank must be in [1, ", kMostRank, "]: it is ", o.rank,
        ".");
  check(std::isfinite(o.alpha) && o.alpha > 0, ErrorKind::kValue, "lora", "alpha must be a finite number above 0: it is ",
        o.alpha, ".");
  check(o.dropout >= 0 && o.dropout < 1, ErrorKind::kValue, "lora", "dropout must be in [0, 1): it is ", o.dropout, ".");
  check(!path_patterns(o.targets, "lora").empty(), ErrorKind::kValue, "lora",
        "targets name no layer. Hint: attn.qkv, or attn.q,attn.v, or attn.*,mlp.*.");
}

LowRank::LowRank(const Tensor& weight, int64_t from, int64_t to_row, const LoraOptions& o, Rng& rng)
    : options(o), first(from), last(to_row), drop(o.dropout) {
  const Dtype dtype = weight.dtype();
  // LAB 8.5 BEGIN  Trained factors A [r, K], by fan_in_uniform, and B [last - first, r]: s B A changes nothing at first.
  a = Variable(vitrail::to(fan_in_uniform({o.rank, weight.size(1)}, weight.size(1), rng), dtype), true);
  b = Variable(zeros({last - first, o.rank}, dtype), true);
  // LAB 8.5 END
  register_parameter("A", a);
  register_parameter("B", b);
  register_module("drop", drop);
  if (!o.dora) return;
  magnitude = Variable(reshape(lengths(updated_rows(weight, *this, dtype)), {last - first}), true);
  register_parameter("magnitude", magnitude);
}

Variable lora_inner(const Variable& x, const LowRankList& updates) {
  // LAB 8.5 BEGIN  drop(x) A^T of every update, side by side: [..., K] -> [..., R]. Without active dropout: one product.
  const bool dropped = updates.front()->drop.active();
  std::vector<Variable> parts;
  for (const auto& u : updates) parts.push_back(dropped ? linear(u->drop(x), u->a) : u->a);
  if (dropped) return parts.size() == 1 ? parts.front() : concat(parts, -1);
  return linear(x, parts.size() == 1 ? parts.front() : concat(parts, 0));
  // LAB 8.5 END
}

Variable lora_outer(int64_t rows, const LowRankList& updates) {
  // LAB 8.5 BEGIN  s B of every update in its own rows (in_rows), side by side: [N, R].
  const double scale = lora_scale(updates.front()->options);
  std::vector<Variable> columns;
  for (const auto& u : updates) columns.push_back(in_rows(u->b * scale, *u, rows));
  return columns.size() == 1 ? columns.front() : concat(columns, 1);
  // LAB 8.5 END
}

Variable lora_output(const Variable& y, const Variable& x, const Variable& weight, const Variable& bias,
                     const LowRankList& updates) {
  const int64_t rows = y.size(-1);
  const Variable inner = lora_inner(x, updates), outer = lora_outer(rows, updates);
  if (!updates.front()->options.dora) return linear_add(inner, outer, {}, y);
  std::vector<Variable> factors;
  for (const auto& u : updates) factors.push_back(in_rows(stretch(weight, *u), *u, rows));
  const Variable sum = linear_add(inner, outer, {}, y);
  return sum + (bias.defined() ? sum - bias : sum) * total(factors);
}

Variable lora_weight(const Variable& weight, const LowRankList& updates) {
  const int64_t rows = weight.size(0);
  std::vector<Variable> terms{weight};
  for (const auto& u : updates) terms.push_back(in_rows(matmul(u->b, u->a) * lora_scale(u->options), *u, rows));
  const Variable sum = total(terms);
  if (!updates.front()->options.dora) return sum;
  std::vector<Variable> factors;
  for (const auto& u : updates) factors.push_back(in_rows(stretch(weight, *u), *u, rows));
  return sum + sum * unsqueeze(total(factors), 1);
}

Tensor merged_weight(const Tensor& weight, const LowRankList& updates) {
  Tensor merged = clone(to(weight, Dtype::f64));
  for (const auto& u : updates) {
    Tensor rows = updated_rows(weight, *u, Dtype::f64);
    if (u->options.dora) rows = mul(rows, div(reshape(to(u->magnitude.value(), Dtype::f64), {rows.size(0), 1}), lengths(rows)));
    copy_(slice(merged, 0, u->first, u->last), rows);
  }
  return to(merged, weight.dtype());
}

namespace {

// Where an update goes.
struct Place {
  Linear* layer;
  std::string name;  // of the update in the layer
  int64_t first, last;
};

// X.qkv -> X.q; empty if the path is none of three layers in one.
std::string part_of_qkv(const std::string& path, char part) {
  const bool fused = path == "qkv" || path.ends_with(".qkv");
  return fused ? path.substr(0, path.size() - 3) + part : "";
}

class Places {
 public:
  Places(Module& module, const LoraOptions& options)
      : patterns_(path_patterns(options.targets, "lora")), used_(patterns_.size(), false) {
    for (const auto& [path, part] : module.named_modules()) {
      auto* layer = dynamic_cast<Linear*>(part);
      if (layer == nullptr || layer->weight.size(0) == 0) continue;
      layers_.push_back(path);
      add(path, *layer);
    }
    for (size_t i = 0; i < used_.size(); ++i)
      check(used_[i], ErrorKind::kValue, "lora", "no linear layer is named by ", quote(patterns_[i].text()),
            ". Hint: there are ", listed(layers_, 8), "; of a layer X.qkv also X.q, X.k, X.v.");
  }
  const std::vector<Place>& all() const { return places_; }

 private:
  bool named(const std::string& path) {
    bool any = false;
    for (size_t i = 0; i < patterns_.size() && !path.empty(); ++i)
      if (patterns_[i].matches_end(path)) used_[i] = 1, any = true;
    return any;
  }
  void add(const std::string& path, Linear& layer) {
    const int64_t rows = layer.weight.size(0), third = rows / 3;
    const bool whole = named(path);
    if (whole) places_.push_back({&layer, "lora", 0, rows});
    int64_t at = 0;
    for (const char part : {'q', 'k', 'v'}) {
      if (named(part_of_qkv(path, part)) && !whole)
        places_.push_back({&layer, std::string("lora_") + part, at * third, (at + 1) * third});
      ++at;
    }
  }

  std::vector<PathPattern> patterns_;
  std::vector<char> used_;
  std::vector<std::string> layers_;
  std::vector<Place> places_;
};

std::vector<Linear*> updated_layers(Module& module) {
  std::vector<Linear*> layers;
  for (const auto& entry : module.named_modules())
    if (auto* layer = dynamic_cast<Linear*>(entry.second); layer != nullptr && !layer->updates().empty())
      layers.push_back(layer);
  return layers;
}

}  // namespace

int64_t add_lora(Module& module, const LoraOptions& options, Rng& rng) {
  validate(options);
  check(updated_layers(module).empty(), ErrorKind::kValue, "lora", "the module has low-rank updates already.");
  const Places places(module, options);
  for (const Place& p : places.all())
    p.layer->add_update(p.name, std::make_unique<LowRank>(p.layer->own_matrix().value(), p.first, p.last, options, rng));
  return static_cast<int64_t>(places.all().size());
}

std::optional<LoraOptions> lora_of(Module& module) {
  const std::vector<Linear*> layers = updated_layers(module);
  if (layers.empty()) return std::nullopt;
  return layers.front()->updates().front()->options;
}

bool is_lora(const std::string& path) {
  const size_t last = path.rfind('.');
  if (last == std::string::npos || last == 0) return false;
  const std::string name = path.substr(last + 1);
  if (name != "A" && name != "B" && name != "magnitude") return false;
  const size_t before = path.rfind('.', last - 1), start = before == std::string::npos ? 0 : before + 1;
  const std::string owner = path.substr(start, last - start);
  return owner == "lora" || owner == "lora_q" || owner == "lora_k" || owner == "lora_v";
}

void merge_lora(Module& module) {
  const std::vector<Linear*> layers = updated_layers(module);
  check(!layers.empty(), ErrorKind::kValue, "lora", "there are no low-rank updates to merge.");
  for (const Linear* layer : layers)
    check(!layer->merged(), ErrorKind::kValue, "lora",
          "the low-rank updates are merged already: twice would count them twice.");
  for (Linear* layer : layers) layer->merge();
}

void unmerge_lora(Module& module) {
  const std::vector<Linear*> layers = updated_layers(module);
  check(!layers.empty(), ErrorKind::kValue, "lora", "there are no low-rank updates to take out.");
  for (const Linear* layer : layers) layer->check_unmerge();
  for (Linear* layer : layers) layer->unmerge();
}

StateDict merged_state_dict(Module& module) {
  StateDict state;
  for (const auto& entry : module.state_dict())
    if (!is_lora(entry.first)) state.push_back(entry);
  for (const auto& [path, part] : module.named_modules()) {
    const auto* layer = dynamic_cast<Linear*>(part);
    if (layer == nullptr || !layer->updated()) continue;
    for (auto& [key, value] : state)
      if (key == join_path(path, "weight"))
        value = reshape(merged_weight(layer->own_matrix().value(), layer->updates()), layer->weight.shape());
  }
  return state;
}

}  // namespace vitrail::nn
