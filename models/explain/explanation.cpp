#include "models/explain/explanation.h"

#include <algorithm>

#include "base/text.h"
#include "models/explain/structure.h"
#include "tensor/ops.h"

namespace vitrail::models::explain {
namespace {

Tensor relation_of(Method method, const AttentionRecord& record, const RolloutOptions& options) {
  switch (method) {
    case Method::kGradient: return gradient_rollout(record.relevance);
    case Method::kAttention: return last_attention(record.attention);
    case Method::kRollout: break;
  }
  return rollout(record.attention, options);
}

}  // namespace

const char* name_of(Method method) {
  switch (method) {
    case Method::kGradient: return "gradient";
    case Method::kAttention: return "attention";
    case Method::kRollout: break;
  }
  return "rollout";
}

const char* describe(Method method) {
  switch (method) {
    case Method::kGradient: return "attention that raises the score of this class, through all layers";
    case Method::kAttention: return "attention of the last layer, mean of its heads";
    case Method::kRollout: break;
  }
  return "attention through all layers, whatever the class";
}

Method method_from_name(const std::string& name) {
  for (const Method method : kMethods)
    if (name == name_of(method)) return method;
  fail(ErrorKind::kValue, "explain", "there is no method ", escaped(name), ". Hint: one of rollout, gradient, attention.");
}

Explanation explain(const Encoder& encoder, const Tensor& picture, const Preprocessing& preprocessing,
                    const ExplainOptions& options) {
  check(options.steps >= 0 && options.steps <= 1000, ErrorKind::kValue, "explain", "steps must be in [0, 1000]: it is ",
        options.steps, ".");
  const Tensor image = unsqueeze(finish(picture, preprocessing), 0);
  Explanation e;
  e.record = record_attention(encoder, image, options.target);
  e.probabilities = to_vector<double>(class_probabilities(encoder, unsqueeze(e.record.logits, 0)));
  e.distances = attention_distance(e.record.attention, encoder.prefix(), encoder.grid, encoder.image);
  for (const Method method : options.methods) {
    const Tensor relation = relation_of(method, e.record, options.rollout);
    e.maps.push_back({method, patch_map(relation, e.record.shares, encoder.prefix(), encoder.grid), std::nullopt});
  }
  if (options.steps == 0) return e;
  const PerturbationTest test(encoder, picture, preprocessing, e.record.target, options.steps);
  for (ExplainedMap& map : e.maps) map.scores = test.run(order_of(map.map));
  e.random = random_orders(test, encoder.grid.h * encoder.grid.w);
  return e;
}

std::string verdict(const Perturbation& scores, const RandomOrders& random) {
  const auto& deletions = random.deletion_areas;
  const auto& insertions = random.insertion_areas;
  const bool deletion = scores.deletion.area < *std::min_element(deletions.begin(), deletions.end());
  const bool insertion = scores.insertion.area > *std::max_element(insertions.begin(), insertions.end());
  if (deletion && insertion) return cat("better than all ", deletions.size(), " random orders");
  if (deletion || insertion) return cat("better in ", deletion ? "deletion" : "insertion", " only");
  return "no better than random orders";
}

}  // namespace vitrail::models::explain
