#include "models/weights/formats/torch_parts.h"

#include <algorithm>
#include <unordered_set>

#include "base/error.h"
#include "base/text.h"
#include "models/weights/formats/torch_names.h"

namespace vitrail {
namespace {

using Kind = PickleNode::Kind;
using Names = std::vector<std::string>;

constexpr int kMaxDepth = 3;

const Names& model_names() {
  static const Names names{"model",  "state_dict", "model_state_dict", "network",    "module",
                           "params", "net",        "weights",          "model_state"};
  return names;
}
const Names& ema_names() {
  static const Names names{"model_ema", "state_dict_ema",       "ema",       "ema_state_dict",
                           "ema_model", "model_ema_state_dict", "params_ema"};
  return names;
}
const Names& teacher_names() {
  static const Names names{"teacher", "teacher_state_dict"};
  return names;
}
const Names& student_names() {
  static const Names names{"student", "student_state_dict"};
  return names;
}

struct Candidate {
  std::string name;
  const PickleNode* dict;
};

class Search {
 public:
  Search(const Pickle& pickle, const PickleNode& root) : pickle_(pickle) { visit(root, "", 0); }
  std::vector<Candidate> found;

 private:
  bool holds_tensors(const PickleNode& dict) const {
    for (size_t i = 1; i < dict.items.size(); i += 2)
      if (is_torch_tensor(pickle_, pickle_[dict.items[i]])) return true;
    return false;
  }
  void visit(const PickleNode& dict, const std::string& name, int depth) {
    if (dict.kind != Kind::kDict || !seen_.insert(&dict).second) return;  // a pickle may hold an object twice, or itself
    if (holds_tensors(dict)) found.push_back({name, &dict});
    for (size_t i = 0; depth < kMaxDepth && i + 1 < dict.items.size(); i += 2) {
      const PickleNode& key = pickle_[dict.items[i]];
      if (key.kind != Kind::kText) continue;
      visit(pickle_[dict.items[i + 1]], name.empty() ? key.text : name + "." + key.text, depth + 1);
    }
  }

  const Pickle& pickle_;
  std::unordered_set<const PickleNode*> seen_;
};

// The candidate with the first of these names, as its whole name before as its last part ("checkpoint.model"); null if none.
const Candidate* named(const std::vector<Candidate>& candidates, const Names& names) {
  for (const bool whole : {true, false})
    for (const std::string& name : names)
      for (const Candidate& candidate : candidates)
        if (whole ? candidate.name == name : candidate.name.ends_with("." + name)) return &candidate;
  return nullptr;
}

const Candidate* default_choice(const std::vector<Candidate>& candidates) {
  for (const Names& names : {model_names(), teacher_names(), Names{""}, ema_names()})
    if (const Candidate* candidate = named(candidates, names)) return candidate;
  return candidates.size() == 1 ? &candidates[0] : nullptr;
}

// Single tensors beside the parts, as a best accuracy, make no part of the top.
Names names_of(const std::vector<Candidate>& candidates, const Candidate* without = nullptr) {
  Names names;
  for (const Candidate& candidate : candidates)
    if (&candidate != without && !candidate.name.empty()) names.push_back(candidate.name);
  return names;
}

}  // namespace

bool is_torch_tensor(const Pickle& pickle, const PickleNode& node) {
  if (node.kind != Kind::kCall) return false;
  const std::string& callable = pickle[node.items[0]].text;
  return rebuilds_tensor(callable) || wraps_tensor(callable);
}

TorchPart choose_torch_part(const Pickle& pickle, const std::string& file, const std::string& weights) {
  const PickleNode& root = pickle[pickle.root];
  check(!is_torch_tensor(pickle, root), ErrorKind::kData, "torch", file,
        ": holds one tensor without a name. Hint: save a dictionary, as model.state_dict().");
  const std::vector<Candidate> candidates = Search(pickle, root).found;
  check(!candidates.empty(), ErrorKind::kData, "torch", file,
        ": holds no dictionary of tensors. Hint: torch.save(model.state_dict(), PATH) writes one.");
  const Candidate* choice = nullptr;
  if (weights.empty() || weights == "model")
    choice = default_choice(candidates);
  else if (weights == "ema")
    choice = named(candidates, ema_names());
  else if (weights == "teacher")
    choice = named(candidates, teacher_names());
  else if (weights == "student")
    choice = named(candidates, student_names());
  else
    choice = named(candidates, {weights});
  const Names there = names_of(candidates);
  check(choice != nullptr, ErrorKind::kValue, "torch", file, ": has no weights ", quote(weights.empty() ? "model" : weights),
        there.empty() ? ", only one unnamed set" : ", but " + listed(there, 6), ". Hint: choose what is there.");
  return {choice->dict, choice->name, names_of(candidates, choice)};
}

}  // namespace vitrail
