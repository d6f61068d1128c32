#include "models/explain/attention.h"

#include "autograd/ops/shape.h"
#include "tensor/ops.h"

namespace vitrail::models::explain {
namespace {

// Makes every block keep its attention and the gradient of it, for the length of a scope.
class KeepGuard {
 public:
  explicit KeepGuard(const Encoder& encoder) : encoder_(encoder) { set(true); }
  ~KeepGuard() { set(false); }
  KeepGuard(const KeepGuard&) = delete;
  KeepGuard& operator=(const KeepGuard&) = delete;

 private:
  void set(bool on) {
    // LAB 9.3 BEGIN  Both keep_ flags of every block's attn on or off; off: let go of what it has kept, too.
    for (nn::EncoderBlock* block : encoder_.blocks) {
      block->attn.keep_attention_map = block->attn.keep_attention_gradient = on;
      if (!on) block->attn.attention_map = {}, block->attn.attention_offset = {};
    }
    // LAB 9.3 END
  }
  const Encoder& encoder_;
};

// No parameter of a model requires a gradient, for the length of a scope. Module::freeze() would forget which did before.
class FixedParameters {
 public:
  explicit FixedParameters(nn::Module& model) {
    // LAB 9.3 BEGIN  Every parameter that requires a gradient is remembered in before_ and requires none.
    for (const nn::NamedParameter& p : model.named_parameters()) {
      if (!p.parameter->requires_grad()) continue;
      before_.push_back(p.parameter);
      p.parameter->set_requires_grad(false);
    }
    // LAB 9.3 END
  }
  ~FixedParameters() {
    for (Variable* parameter : before_) parameter->set_requires_grad(true);
  }
  FixedParameters(const FixedParameters&) = delete;
  FixedParameters& operator=(const FixedParameters&) = delete;

 private:
  std::vector<Variable*> before_;
};

// The mean over heads of max(0, dA A): [1, H, T, T] twice -> [T, T]
Tensor positive_part(const Tensor& gradient, const Tensor& attention) {
  // LAB 9.3 BEGIN  max(0, gradient times attention), averaged over the heads.
  return mean(relu(gradient * attention), {0, 1});
  // LAB 9.3 END
}

}  // namespace

AttentionRecord record_attention(const Encoder& encoder, const Tensor& image, std::optional<int64_t> target) {
  const nn::EvalGuard evaluation(*encoder.model);
  const FixedParameters fixed(*encoder.model);
  const EnableGradGuard gradients;
  const KeepGuard keep(encoder);
  const Encoder::Output output = encoder.run(image);

  AttentionRecord record;
  record.logits = select(output.logits.value(), 0, 0), record.shares = output.shares;
  check(min(isfinite(record.logits)).item() == 1, ErrorKind::kNumeric, "explain",
        "the model's answer is not finite. Hint: look at its weights and at mean and std of its preprocessing.");
  const int64_t classes = record.logits.numel();
  record.target = target.value_or(static_cast<int64_t>(argmax(record.logits).item()));
  check(record.target >= 0 && record.target < classes, ErrorKind::kValue, "explain", "there is no class ", record.target,
        ": the model has ", classes, ", counted from 0.");
  // LAB 9.3 BEGIN  Backward from the target's logit; then every block's map, and positive_part() of its gradient and map.
  slice(output.logits, 1, record.target, record.target + 1).backward();

  std::vector<Tensor> attention, relevance;
  for (const nn::EncoderBlock* block : encoder.blocks) {
    const Tensor& map = block->attn.attention_map;
    const Tensor& gradient = block->attn.attention_offset.grad();
    attention.push_back(select(map, 0, 0));
    relevance.push_back(positive_part(gradient.defined() ? gradient : zeros_like(map), map));
  }
  record.attention = stack(attention, 0), record.relevance = stack(relevance, 0);
  // LAB 9.3 END
  return record;
}

}  // namespace vitrail::models::explain
