#include "train/run_state.h"

#include <bit>
#include <limits>
#include <string_view>
#include <tuple>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"

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
  std::vector<std::string> names;
  std::vector<double> sums;
  for (const auto& [name, sum] : state.sums) names.push_back(name), sums.push_back(sum);
  json.field("sum_names", names).field("sums", sums);
  if (state.best) json.field("best", *state.best).field("best_step", state.best_step);
  json.field("grad_norm", state.grad_norm).field("test_due", state.test_due);
  if (state.early.best) json.field("early_best", *state.early.best).field("early_epoch", state.early.epoch);
  if (state.early.stopped) json.field("early_stopped", true);
  return json.key("config").raw(recipe_json(state.config)).end_object().text();
}

RunState run_state_from_json(const std::string& text, const std::string& where) {
  constexpr int64_t kMost = int64_t{1} << 62;
  constexpr double kAny = std::numeric_limits<double>::max();
  const JsonDocument document(text, where);
  JsonObject json(document.root(), where, "state", ErrorKind::kData);
  RunState s;
  s.task = json.text("task");
  s.step = json.integer("step", 0, kMost);
  s.epoch = json.integer("epoch", 0, kMost);
  s.batch = json.integer("batch", 0, kMost);
  s.average_updates = json.integer("average_updates", 0, kMost);
  const std::vector<std::string> names = json.texts_or("sum_names", {});
  const std::vector<double> sums = json.numbers("sums", -kAny, kAny);
  if (names.size() != sums.size())
    json.refuse("sums", cat("must be as many as sum_names: ", sums.size(), " of ", names.size()));
  for (size_t i = 0; i < sums.size(); ++i) s.sums.emplace_back(names[i], sums[i]);
  if (json.has("best")) s.best = json.number("best", -kAny, kAny), s.best_step = json.integer("best_step", 0, kMost);
  s.grad_norm = json.number("grad_norm", 0, kAny);
  s.test_due = json.boolean_or("test_due", false);
  if (json.has("early_best"))
    s.early.best = json.number("early_best", -kAny, kAny), s.early.epoch = json.integer("early_epoch", 1, kMost);
  s.early.stopped = json.boolean_or("early_stopped", false);
  s.config = train_config_from_json(json.json_text("config"), {}, where);
  json.finish();
  return s;
}

void set_tensors(RunState& state, const nn::StateDict& tensors, const std::string& where) {
  const std::pair<const char*, nn::StateDict*> parts[] = {
      {"weights.", &state.weights}, {"optimizer.", &state.optimizer}, {"average.", &state.average}};
  for (const auto& [name, tensor] : tensors) {
    nn::StateDict* place = nullptr;
    size_t prefix = 0;
    for (const auto& [start, part] : parts)
      if (name.starts_with(start)) place = part, prefix = std::string_view(start).size();
    check(place != nullptr, ErrorKind::kData, "checkpoint", escaped_path(where), ": tensor ", escaped(name),
          " is of no part of a run's state: weights, optimizer, average.");
    place->emplace_back(name.substr(prefix), tensor);
  }
}

void check_fits(const RunState& given, const RunState& own) {
  const auto require = [](bool rule, const auto&... parts) { check(rule, ErrorKind::kValue, "restore", parts...); };
  require(given.task == own.task, "the state is of another task: it is ", escaped(given.task), ", this run's is ", own.task,
          ".");
  require(recipe_json(given.config) == recipe_json(own.config),
          "the state is of another configuration: ", listed(recipe_differences(given.config, own.config)), ".");
  for (const auto& [theirs, mine, what] :
       {std::tuple(&given.weights, &own.weights, "weights"), {&given.average, &own.average, "average"}}) {
    require(theirs->size() == mine->size(), what, " has ", theirs->size(), " tensors, this run has ", mine->size(), ".");
    for (size_t i = 0; i < mine->size(); ++i) {
      const auto& [name, tensor] = (*theirs)[i];
      const auto& [own_name, own_tensor] = (*mine)[i];
      require(name == own_name && tensor.shape() == own_tensor.shape() && tensor.dtype() == own_tensor.dtype(), what,
              ": given is ", escaped(name), " ", tensor.shape(), ", this run has ", own_name, " ", own_tensor.shape(), ".");
    }
  }
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
  compare("grad_norm", same_bits(a.grad_norm, b.grad_norm));
  compare("test_due", a.test_due == b.test_due);
  compare("early", a.early == b.early);
  const nn::StateDict x = tensors_of(a), y = tensors_of(b);
  compare("tensors", x.size() == y.size());
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i)
    if (x[i].first != y[i].first || !bit_equal(x[i].second, y[i].second)) result.push_back(x[i].first);
  return result;
}

}  // namespace vitrail
