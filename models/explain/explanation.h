// Everything that can be said of one answer of a model about one picture.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/explain/attention.h"
#include "models/explain/overlay.h"
#include "models/explain/perturbation.h"
#include "models/explain/relevance.h"

namespace vitrail::models::explain {

enum class Method {
  kRollout,    // rollout()
  kGradient,   // gradient_rollout(): the only one that depends on the class
  kAttention,  // last_attention()
};
constexpr Method kMethods[] = {Method::kRollout, Method::kGradient, Method::kAttention};
const char* name_of(Method method);                // "rollout", "gradient", "attention"
const char* describe(Method method);               // one line for people
Method method_from_name(const std::string& name);  // Error(kValue) naming the methods

struct ExplainOptions {
  std::vector<Method> methods{std::begin(kMethods), std::end(kMethods)};
  RolloutOptions rollout{};
  std::optional<int64_t> target = std::nullopt;  // the class; none: the most probable one
  int64_t steps = 20;                            // of the deletion and insertion curves; 0: none
};

struct ExplainedMap {
  Method method;
  Tensor map;  // f64 [grid.h, grid.w], as the method gives it
  std::optional<Perturbation> scores;
};

struct Explanation {
  AttentionRecord record;
  std::vector<double> probabilities;  // of all classes
  std::vector<ExplainedMap> maps;
  std::optional<RandomOrders> random;
  Tensor distances;  // f64 [L, H], attention_distance()
};

// `picture` u8 [C, H, W] at the model's size, as fit() gives it.
Explanation explain(const Encoder& encoder, const Tensor& picture, const Preprocessing& preprocessing,
                    const ExplainOptions& options = {});

// Of the two areas of a map how they stand to those of the random orders: "better than all 4 random orders" where both are,
// "better in deletion only", "better in insertion only", "no better than random orders".
std::string verdict(const Perturbation& scores, const RandomOrders& random);

}  // namespace vitrail::models::explain
