#include "train/run_state.h"

#include <bit>

#include "base/json_writer.h"

namespace vitrail {

namespace {

void append(nn::StateDict& all, const char* prefix, const nn::StateDict& part) {
  for (const auto& [name, tensor] : part) all.emplace_back(cat(prefix, ".", name), tensor);
}

// Also equal if both are the same NaN.
bool same_bits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

bool same_sums(const RunState& a, const RunState& b) {
  bool same = a.sums.size() == b.sums.size();
  for (size_t i = 0; same && i < a.sums.size(); ++i)
    same = a.sums[i].first == b.sums[i].first && same_bits(a.sums[i].second, b.sums[i].second);
  return same;
}

}  // namespace

nn::StateDict tensors_of(const RunState& state) {
  nn::StateDict all;
  append(all, "weights", state.weights);
  append(all, "optimizer", state.optimizer);
  append(all, "average", state.average);
  return all;
}

std::string to_json(const RunState& state) {
  JsonWriter json(2);
  json.begin_object().field("task", state.task).field("step", state.step).field("epoch", state.epoch);
  json.field("batch", state.batch).field("average_updates", state.average_updates);
  json.key("sums").begin_object();
  for (const auto& [name, sum] : state.sums) json.field(name, sum);
  json.end_object();
  if (state.best) json.field("best", *state.best).field("best_step", state.best_step);
  return json.key("config").raw(recipe_json(state.config)).end_object().text();
}

std::vector<std::string> differences(const RunState& a, const RunState& b) {
  std::vector<std::string> result;
  const auto compare = [&](const char* name, bool same) {
    if (!same) result.emplace_back(name);
  };
  compare("task", a.task == b.task);
  compare("config", recipe_json(a.config) == recipe_json(b.config));
  compare("step", a.step == b.step);
  compare("epoch", a.epoch == b.epoch);
  compare("batch", a.batch == b.batch);
  compare("average_updates", a.average_updates == b.average_updates);
  compare("sums", same_sums(a, b));
  compare("best", a.best.has_value() == b.best.has_value() && (!a.best || same_bits(*a.best, *b.best)));
  compare("best_step", a.best_step == b.best_step);
  const nn::StateDict x = tensors_of(a), y = tensors_of(b);
  compare("tensors", x.size() == y.size());
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i)
    if (x[i].first != y[i].first || !bit_equal(x[i].second, y[i].second)) result.push_back(x[i].first);
  return result;
}

}  // namespace vitrail
