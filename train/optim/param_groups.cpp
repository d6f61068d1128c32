// Which parameters decay.
#include <algorithm>
#include <cctype>
#include <set>

#include "train/optim/optim.h"

namespace vitrail {

namespace {

// Tables that are looked up or added, not multiplied with: shrinking them fights the data for nothing.
bool is_token(const std::string& path) {
  const std::string last = path.substr(path.rfind('.') + 1);
  for (const char* name : {"cls_token", "pos_embed", "reg_token", "dist_token"})
    if (last == name) return true;
  return false;
}

// What the modules themselves ask to be spared, wherever they stand in the tree. Error(kValue) for a path that is no parameter:
// a misspelt one would decay in silence.
std::set<std::string> spared_paths(nn::Module& module) {
  std::set<std::string> known, spared;
  for (const auto& [path, parameter] : module.named_parameters()) known.insert(path);
  for (const auto& [prefix, part] : module.named_modules()) {
    for (const std::string& name : part->no_weight_decay()) {
      const std::string path = prefix.empty() ? name : prefix + "." + name;
      check(known.count(path) > 0, ErrorKind::kValue, "make_param_groups",
            "no_weight_decay() names what is no parameter: it is ", path);
      spared.insert(path);
    }
  }
  return spared;
}

// blocks.11.norm1.weight -> blocks.*.norm1.weight
std::string with_stars(const std::string& path) {
  std::string result, part;
  for (size_t i = 0; i <= path.size(); ++i) {
    if (i < path.size() && path[i] != '.') {
      part += path[i];
      continue;
    }
    const bool number = !part.empty() && std::all_of(part.begin(), part.end(), [](unsigned char c) { return std::isdigit(c); });
    result += (number ? "*" : part) + (i < path.size() ? "." : "");
    part.clear();
  }
  return result;
}

}  // namespace

std::vector<ParamGroup> make_param_groups(nn::Module& module, double weight_decay) {
  ParamGroup decay{"decay", {}, 1, weight_decay}, none{"no decay", {}, 1, 0};
  none.trust_ratio = false;
  const std::set<std::string> spared = spared_paths(module);
  for (const auto& [path, parameter] : module.named_parameters()) {
    // LAB 5.2 BEGIN  into `none`: rank 1 or 0, what is_token(), what stands in `spared`; all else into `decay`
    const bool exempt = parameter->dim() <= 1 || is_token(path) || spared.count(path) > 0;
    (exempt ? none : decay).parameters.emplace_back(path, *parameter);
    // LAB 5.2 END
  }
  std::vector<ParamGroup> groups;
  for (ParamGroup* group : {&decay, &none})
    if (!group->parameters.empty()) groups.push_back(std::move(*group));
  return groups;
}

std::vector<ParamGroup> single_group(nn::Module& module, double weight_decay) {
  ParamGroup group{"all", {}, 1, weight_decay};
  for (const auto& [path, parameter] : module.named_parameters()) group.parameters.emplace_back(path, *parameter);
  return {group};
}

std::string describe(const std::vector<ParamGroup>& groups, bool with_names) {
  std::string text;
  for (const ParamGroup& group : groups) {
    int64_t elements = 0, frozen = 0;
    std::vector<std::string> names;
    for (const auto& [path, parameter] : group.parameters) {
      elements += parameter.numel();
      frozen += !parameter.requires_grad();
      const std::string starred = with_stars(path);
      if (std::find(names.begin(), names.end(), starred) == names.end()) names.push_back(starred);
    }
    text += cat(group.label, " (weight decay ", group.weight_decay);
    if (group.lr_scale != 1) text += cat(", lr x ", group.lr_scale);
    text += cat(", ", group.parameters.size(), " tensors, ", elements, " numbers");
    if (frozen > 0) text += cat(", ", frozen, " frozen");
    text += ")";
    if (with_names) text += ":";
    for (size_t i = 0; with_names && i < names.size(); ++i) text += " " + names[i];
    text += "\n";
  }
  return text;
}

}  // namespace vitrail
