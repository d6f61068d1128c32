#include "train/optim/adam_update.h"

namespace vitrail {

void check_adam_options(const char* op, const AdamOptions& options) {
  check(options.beta1 >= 0 && options.beta1 < 1, ErrorKind::kValue, op, "beta1 must be in [0, 1): it is ", options.beta1, ".");
  check(options.beta2 >= 0 && options.beta2 < 1, ErrorKind::kValue, op, "beta2 must be in [0, 1): it is ", options.beta2, ".");
  check(options.eps > 0 && std::isfinite(options.eps), ErrorKind::kValue, op, "eps must be above 0: it is ", options.eps, ".");
}

Adam::Adam(std::vector<ParamGroup> groups, const AdamOptions& options, bool decoupled)
    : Optimizer(std::move(groups), {"exp_avg", "exp_avg_sq"}), options_(options), decoupled_(decoupled) {
  check_adam_options(decoupled ? "adamw" : "adam", options);
}

void Adam::update(const Chunk<float>& c) const { adam_update<float>(c, options_, decoupled_); }
void Adam::update(const Chunk<double>& c) const { adam_update<double>(c, options_, decoupled_); }

}  // namespace vitrail
