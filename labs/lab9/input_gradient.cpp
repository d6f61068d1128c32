#include "labs/lab9/input_gradient.h"

#include "autograd/ops.h"
#include "tensor/ops.h"

namespace lab {

using namespace vitrail;

namespace {

// No parameter requires a gradient, for the length of a scope; those that did before do again afterwards.
class RestingParameters {
 public:
  explicit RestingParameters(nn::Module& model) {
    for (const nn::NamedParameter& p : model.named_parameters())
      if (p.parameter->requires_grad()) resting_.push_back(p.parameter);
    set(false);
  }
  ~RestingParameters() { set(true); }
  RestingParameters(const RestingParameters&) = delete;
  RestingParameters& operator=(const RestingParameters&) = delete;

 private:
  // set_requires_grad() leaves the gradients that there are.
  void set(bool on) {
    for (Variable* parameter : resting_) parameter->set_requires_grad(on);
  }
  std::vector<Variable*> resting_;
};

}  // namespace

Tensor input_gradient(models::Classifier& model, const Tensor& image, int64_t target) {
  check(target >= 0 && target < model.num_classes(), ErrorKind::kValue, "input_gradient", "there is no class ", target,
        ": the model has ", model.num_classes(), ", counted from 0.");
  // LAB 9.6 BEGIN  d logit / d image: an EvalGuard, RestingParameters, and a leaf that holds the image.
  const nn::EvalGuard evaluation(model);
  const RestingParameters resting(model);
  const EnableGradGuard gradients;
  const Variable leaf(image, true);
  slice(model(leaf), 1, target, target + 1).backward();
  return leaf.grad();
  // LAB 9.6 END
}

Tensor saliency(const Tensor& gradient) {
  check(gradient.dim() == 4 && gradient.size(0) == 1, ErrorKind::kShape, "saliency", "gradient is [1, C, H, W]: it is ",
        gradient.shape());
  // LAB 9.6 BEGIN  [H, W]: the largest absolute value over the channels.
  return max(abs(select(gradient, 0, 0)), {0});
  // LAB 9.6 END
}

}  // namespace lab
