// Low-rank updates of a linear layer: added, folded into the weight, taken out again.
#include "nn/linear.h"
#include "nn/lora.h"
#include "tensor/view.h"

namespace vitrail::nn {

void Linear::add_update(const std::string& name, std::unique_ptr<LowRank> update) {
  check(!merged(), ErrorKind::kValue, "lora", "a merged layer takes no further update. Hint: unmerge_lora() first.");
  register_module(name, *update);
  updates_.push_back(std::move(update));
  // LAB 8.5 BEGIN  From now on the layer's own weight and bias (if it has one) are not trained, and have no gradient.
  for (Variable* own : {&weight, &bias}) {
    if (!own->defined()) continue;
    own->zero_grad();
    own->set_requires_grad(false);
  }
  // LAB 8.5 END
}

bool Linear::stretched() const { return updated() && updates_.front()->options.dora; }

Variable Linear::add_updates(const Variable& y, const Variable& x, const Branch& branch) const {
  return updated() ? linear_add(lora_inner(x, updates_), lora_outer(weight.size(0), updates_), {}, y, branch) : y;
}

void Linear::merge() {
  // LAB 8.5 BEGIN  Put merged_weight() in the place of the weight, in its shape; keep the old tensor in before_merge_.
  const Tensor own = weight.value();
  weight.set_value(reshape(merged_weight(own_matrix().value(), updates_), own.shape()));
  before_merge_ = own;
  // LAB 8.5 END
  merged_version_ = weight.value().version();
}

void Linear::check_unmerge() const {
  check(merged(), ErrorKind::kValue, "lora", "the low-rank updates are not merged.");
  check(weight.value().version() == merged_version_ && weight.dtype() == before_merge_.dtype(), ErrorKind::kValue, "lora",
        "a merged weight was changed since: ", weight.shape(),
        ". Hint: unmerge_lora() before loading, training or converting.");
}

void Linear::unmerge() {
  check_unmerge();
  // LAB 8.5 BEGIN  The kept weight comes back, to the bit, and the layer is not merged any more.
  weight.set_value(before_merge_);
  before_merge_ = {};
  // LAB 8.5 END
}

}  // namespace vitrail::nn
