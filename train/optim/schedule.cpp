#include "train/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/text.h"
#include "train/printable.h"

namespace vitrail {

namespace {

struct KindName {
  ScheduleKind kind;
  const char* name;
};
constexpr KindName kKinds[] = {{ScheduleKind::kConstant, "constant"},   {ScheduleKind::kLinear, "linear"},
                               {ScheduleKind::kCosine, "cosine"},       {ScheduleKind::kStep, "step"},
                               {ScheduleKind::kMultistep, "multistep"}, {ScheduleKind::kPolynomial, "polynomial"}};

template <class... Parts>
void require(bool rule, const Parts&... parts) {
  check(rule, ErrorKind::kValue, "schedule", parts...);
}

bool is_rate(double value) { return std::isfinite(value) && value >= 0; }

// How much of the way from the end of warm-up to the last step is done.
double part_done(const Schedule& s, int64_t step) {
  // LAB 5.4 BEGIN  t: 0 at step = warmup_steps, 1 at total_steps and behind it; 1 where there is nothing between them
  const double span = static_cast<double>(s.total_steps - s.warmup_steps);
  return span > 0 ? std::clamp(static_cast<double>(step - s.warmup_steps) / span, 0.0, 1.0) : 1.0;
  // LAB 5.4 END
}

double cosine(const Schedule& s, double t) {
  // LAB 5.4 BEGIN  from base_lr at t = 0 down to min_lr at t = 1, along half a cosine
  return s.min_lr + (s.base_lr - s.min_lr) * 0.5 * (1 + std::cos(std::numbers::pi * t));
  // LAB 5.4 END
}

// The curve after warm-up.
double main_curve(const Schedule& s, int64_t step) {
  const double t = part_done(s, step), range = s.base_lr - s.min_lr;
  switch (s.kind) {
    case ScheduleKind::kConstant: return s.base_lr;
    case ScheduleKind::kLinear: return s.min_lr + range * (1 - t);
    case ScheduleKind::kCosine: return cosine(s, t);
    case ScheduleKind::kPolynomial: return s.min_lr + range * std::pow(1 - t, s.power);
    case ScheduleKind::kStep:
      return std::max(s.min_lr, s.base_lr * std::pow(s.gamma, static_cast<double>((step - s.warmup_steps) / s.step_size)));
    case ScheduleKind::kMultistep: {
      const auto passed = std::upper_bound(s.milestones.begin(), s.milestones.end(), step) - s.milestones.begin();
      return std::max(s.min_lr, s.base_lr * std::pow(s.gamma, static_cast<double>(passed)));
    }
  }
  return s.base_lr;
}

}  // namespace

const char* name_of(ScheduleKind kind) {
  for (const KindName& entry : kKinds)
    if (entry.kind == kind) return entry.name;
  return "?";
}

ScheduleKind schedule_kind(const std::string& name) {
  std::string names;
  for (const KindName& entry : kKinds) {
    if (name == entry.name) return entry.kind;
    names += cat(names.empty() ? "" : ", ", entry.name);
  }
  fail(ErrorKind::kValue, "schedule", "unknown schedule: it is ", quote(name), ". Hint: one of ", names, ".");
}

void validate(const Schedule& s) {
  require(is_rate(s.base_lr), "base_lr must be finite and at least 0: it is ", s.base_lr, ".");
  require(is_rate(s.min_lr) && s.min_lr <= s.base_lr, "min_lr must be between 0 and base_lr: min_lr is ", s.min_lr,
          ", base_lr is ", s.base_lr, ".");
  require(is_rate(s.head_lr), "head_lr must be finite and at least 0: it is ", s.head_lr, ".");
  require(s.head_steps >= 0, "head_steps must be at least 0: it is ", s.head_steps, ".");
  require(s.warmup_steps >= 0, "warmup_steps must be at least 0: it is ", s.warmup_steps, ".");
  require(s.total_steps >= 1, "total_steps must be at least 1: it is ", s.total_steps, ".");
  require(s.step_size >= 1, "step_size must be at least 1: it is ", s.step_size, ".");
  require(s.gamma > 0 && s.gamma <= 1, "gamma must be in (0, 1]: it is ", s.gamma, ".");
  require(s.power > 0 && std::isfinite(s.power), "power must be above 0: it is ", s.power, ".");
  for (size_t i = 1; i < s.milestones.size(); ++i)
    require(s.milestones[i - 1] < s.milestones[i], "milestones must ascend: ", s.milestones[i], " follows ",
            s.milestones[i - 1], ".");
}

double learning_rate(const Schedule& s, int64_t step) {
  require(step >= 0, "step must be at least 0: it is ", step, ".");
  if (step < s.head_steps) return s.head_lr;
  step -= s.head_steps;
  // LAB 5.4 BEGIN  in equal steps up to base_lr at step = warmup_steps, none of them 0; from there on main_curve(s, step)
  if (step < s.warmup_steps) return s.base_lr * static_cast<double>(step + 1) / static_cast<double>(s.warmup_steps + 1);
  return main_curve(s, step);
  // LAB 5.4 END
}

double Plateau::update(double metric) {
  check(std::isfinite(metric), ErrorKind::kNumeric, "plateau", "the metric is not finite: it is ", printable(metric),
        ". Hint: the run has diverged; lower the learning rate.");
  const double sign = larger_is_better ? 1 : -1;
  if (bad_updates < 0 || sign * metric > sign * best + threshold) {
    best = metric;
    bad_updates = 0;
  } else if (++bad_updates > patience) {
    scale = std::max(min_scale, scale * factor);
    bad_updates = 0;
  }
  return scale;
}

}  // namespace vitrail
