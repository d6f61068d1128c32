// Learning rates as pure functions of the step: nothing to save, nothing to advance twice after a resume.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vitrail {

enum class ScheduleKind {
  kConstant,    // base_lr
  kLinear,      // straight from base_lr to min_lr
  kCosine,      // min_lr + (base_lr - min_lr) (1 + cos(pi t)) / 2    (Loshchilov and Hutter, arXiv:1608.03983, equation 5)
  kStep,        // base_lr gamma^floor((step - warmup) / step_size)
  kMultistep,   // base_lr gamma^(number of milestones <= step)
  kPolynomial,  // min_lr + (base_lr - min_lr) (1 - t)^power
};

// "constant", "linear", "cosine", "step", "multistep", "polynomial".
const char* name_of(ScheduleKind kind);
// The inverse. Error(kValue) that lists the names.
ScheduleKind schedule_kind(const std::string& name);

struct Schedule {
  ScheduleKind kind = ScheduleKind::kCosine;
  double base_lr = 1e-3;
  double min_lr = 0;  // linear, cosine, polynomial: the value at total_steps and after; step, multistep: a floor
  int64_t head_steps =
      0;  // before the warm-up: the first so many updates, in which the head is trained alone, have the rate head_lr
  double head_lr = 0;
  int64_t warmup_steps = 0;
  int64_t total_steps = 1;            // linear, cosine, polynomial
  int64_t step_size = 1;              // step
  std::vector<int64_t> milestones{};  // multistep: ascending steps
  double gamma = 0.1;                 // step, multistep
  double power = 1;                   // polynomial
};

// All steps and counts but head_steps are counted from the end of those.
//
// Error(kValue) for negative or non-finite rates, min_lr > base_lr, negative counts, total_steps < 1, step_size < 1,
// milestones that do not ascend, gamma outside (0, 1], power <= 0.
void validate(const Schedule& schedule);

// The learning rate of update number `step` = 0, 1, ... During warm-up base_lr (step + 1) / (warmup_steps + 1): above zero at
// step 0, and on the way to base_lr at step = warmup_steps, where the main curve starts with
// t = (step - warmup_steps) / (total_steps - warmup_steps), held in [0, 1].
double learning_rate(const Schedule& schedule, int64_t step);

// Lowers the rate when a metric no longer improves: the one schedule with a memory, kept apart in plain sight.
struct Plateau {
  double factor = 0.1;      // multiplies scale after `patience` updates in a row without improvement
  int64_t patience = 10;    // updates without improvement that are tolerated
  double threshold = 1e-4;  // an improvement must exceed this much
  bool larger_is_better = false;
  double min_scale = 0;

  // State: save and restore these three to resume.
  double scale = 1;  // multiply the learning rate by this
  double best = 0;
  int64_t bad_updates = -1;  // -1: nothing seen yet

  // Takes the metric of one more epoch; returns the new scale. Error(kNumeric) if it is not finite.
  double update(double metric);
};

}  // namespace vitrail
