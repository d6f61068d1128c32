#include "train/not_finite.h"

#include <cmath>
#include <optional>

#include "autograd/engine.h"
#include "autograd/modes.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "nn/layer.h"
#include "tensor/ops.h"
#include "train/group_gradients.h"
#include "train/keep_buffers.h"
#include "train/printable.h"

namespace vitrail {

namespace {

bool all_finite(const Tensor& x) {
  return !x.defined() || !is_float(x.dtype()) || x.numel() == 0 || min(isfinite(contiguous(x))).item() != 0;
}

// "[softmax] the first value ..." -> "softmax"
std::string op_of(const std::string& message) {
  const size_t end = message.find(']');
  return message.starts_with("[") && end != std::string::npos ? message.substr(1, end - 1) : "";
}

// The op that anomaly mode names when `pass` runs; empty if none does.
template <class Pass>
std::string first_op(const Pass& pass) {
  const AnomalyGuard anomaly;
  try {
    pass();
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::kNumeric) return op_of(e.what());
    throw;
  }
  return "";
}

std::string with_op(const std::string& op, const std::string& place) {
  return op.empty() ? place : place.empty() ? "op " + op : cat("op ", op, " ", place);
}

// One group, with its random numbers.
class Search {
 public:
  Search(Task& task, const Batch& batch, const Rng& rng) : task_(task), batch_(batch), rng_(rng) {}

  std::string where() {
    if (!all_finite(batch_.images)) return "the images themselves";
    for (const auto& [name, tensor] : task_.model().state_dict())
      if (!all_finite(tensor)) return "the weight " + escaped(name);
    const std::string forward = in_forward();
    return forward.empty() ? in_backward() : forward;
  }

 private:
  Loss loss() {
    default_rng() = rng_;
    return task_.loss(batch_);
  }

  std::string in_forward() {
    std::string place;
    bool finite = true;
    {
      const NoGradGuard no_grad;
      const nn::ObserverGuard watch(task_.model(), [&](const nn::Observation& o) {
        if (!finite || all_finite(o.output.value())) return;
        finite = false;
        // An op of the layer above stands between two layers: then this one has been handed the broken value.
        place =
            cat(all_finite(o.input.value()) ? "in layer " : "before layer ", o.path.empty() ? "the model" : escaped(o.path));
      });
      if (std::isfinite(loss().total.item()) && finite) return "";
    }
    if (place.empty()) place = "in the loss";
    return with_op(first_op([&] {
                     const nn::ObserverGuard unfused(task_.model(), [](const nn::Observation&) {});
                     loss();
                   }),
                   place);
  }

  std::string in_backward() {
    const nn::ObserverGuard unfused(task_.model(), [](const nn::Observation&) {});
    std::string weight;
    {
      const GradientObserverGuard watch([&](const Variable& leaf) {
        if (weight.empty() && leaf.grad().defined() && !all_finite(leaf.grad())) weight = name_of_leaf(leaf);
      });
      task_.model().zero_grad();
      loss().total.backward();
    }
    task_.model().zero_grad();
    const std::string op = first_op([&] { loss().total.backward(); });
    task_.model().zero_grad();
    if (op.empty() && weight.empty()) return "";
    return with_op(op, "in the backward pass") + (weight.empty() ? "" : "; the first such gradient is of " + weight);
  }

  std::string name_of_leaf(const Variable& leaf) {
    for (const nn::NamedParameter& entry : task_.model().named_parameters())
      if (entry.parameter->meta() == leaf.meta()) return escaped(entry.name);
    return "an input";
  }

  Task& task_;
  const Batch& batch_;
  Rng rng_;
};

}  // namespace

void find_not_finite(Task& task, const SharedBatch& batch, const Rng& rng, NotFinite& found) {
  const KeepBuffers buffers(task.model());
  found.images = batch.part.indices;
  for (int64_t g = batch.first; g < batch.last && found.where.empty(); ++g) {
    const bool whole = batch.groups == 1;
    const Batch part = whole ? batch.part : part_of(batch.part, batch.begin(g), batch.begin(g + 1));
    found.where = Search(task, part, whole ? rng : rng.at(static_cast<uint64_t>(g))).where();
    if (!found.where.empty()) found.images = part.indices;
  }
  task.model().zero_grad();
}

std::string describe(const NotFinite& found) {
  std::vector<std::string> images;
  for (const int64_t index : found.images) images.push_back(std::to_string(index));
  return cat(std::isfinite(found.loss) ? "gradient norm" : "loss", " is not finite at step ", found.step, ": loss is ",
             printable(found.loss), ", gradient norm is ", printable(found.grad_norm),
             found.where.empty() ? "" : "; first: ", found.where, "; images ", listed(images),
             ". Hint: lower the learning rate or lengthen the warm-up; the weights were not touched.");
}

std::string to_json(const NotFinite& found) {
  const auto text = [](double x) { return std::isnan(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity"; };
  JsonWriter json(2);
  json.begin_object().field("step", found.step);
  for (const auto& [name, value] : {std::pair("loss", found.loss), std::pair("grad_norm", found.grad_norm)}) {
    if (std::isfinite(value))
      json.field(name, value);
    else
      json.field(name, text(value));
  }
  return json.field("first", found.where).field("images", found.images).end_object().text();
}

}  // namespace vitrail
