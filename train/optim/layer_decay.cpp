#include "train/optim/layer_decay.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "base/error.h"

namespace vitrail {

namespace {

constexpr const char* kBlocks = "blocks.";

bool begins(const std::string& path, const char* with) { return path.rfind(with, 0) == 0; }

int64_t block_of(const std::string& path) { return std::strtoll(path.c_str() + std::string(kBlocks).size(), nullptr, 10); }

int64_t count_blocks(const std::vector<ParamGroup>& groups) {
  int64_t blocks = 0;
  for (const ParamGroup& group : groups)
    for (const auto& entry : group.parameters)
      if (begins(entry.first, kBlocks)) blocks = std::max(blocks, block_of(entry.first) + 1);
  return blocks;
}

}  // namespace

bool is_head(const std::string& path) {
  for (const char* head : {"head.", "head_dist.", "fc.", "classifier."})
    if (begins(path, head)) return true;
  return false;
}

int64_t layer_of(const std::string& path, int64_t blocks) {
  if (begins(path, kBlocks)) return block_of(path) + 1;
  if (begins(path, "norm.")) return blocks;
  if (is_head(path) || begins(path, "fc_norm.") || begins(path, "attention_pool.")) return blocks + 1;
  return 0;
}

std::vector<ParamGroup> scaled_by_layer(std::vector<ParamGroup> groups, double layer_decay, double head_lr) {
  if (layer_decay == 1 && head_lr == 1) return groups;
  const int64_t blocks = count_blocks(groups);
  check(layer_decay == 1 || blocks > 0, ErrorKind::kValue, "layer decay",
        "the model has no blocks whose rates could differ: layer_decay is ", layer_decay, ". Hint: layer_decay 1.");
  std::vector<ParamGroup> split;
  for (const ParamGroup& group : groups) {
    const size_t first = split.size();
    for (const auto& entry : group.parameters) {
      const int64_t depth = blocks + 1 - layer_of(entry.first, blocks);
      const double scale = group.lr_scale * std::pow(layer_decay, static_cast<double>(depth)) * (is_head(entry.first) ? head_lr : 1);
      const auto same = std::find_if(split.begin() + static_cast<std::ptrdiff_t>(first), split.end(),
                                     [&](const ParamGroup& known) { return known.lr_scale == scale; });
      if (same != split.end()) {
        same->parameters.push_back(entry);
        continue;
      }
      ParamGroup part = group;
      part.parameters = {entry};
      part.lr_scale = scale;
      split.push_back(std::move(part));
    }
  }
  return split;
}

void freeze_all_but_head(nn::Module& module) {
  const std::vector<nn::NamedParameter> parameters = module.named_parameters();
  const bool has_head =
      std::any_of(parameters.begin(), parameters.end(), [](const nn::NamedParameter& p) { return is_head(p.name); });
  check(has_head, ErrorKind::kValue, "train config", "the model has no head that could be trained alone. Hint: trainable all.");
  for (const auto& [path, part] : module.named_modules())
    if (!path.empty() && path.find('.') == std::string::npos && !is_head(path + ".")) part->freeze();
  for (const nn::NamedParameter& own : parameters)
    if (!is_head(own.name)) own.parameter->set_requires_grad(false);  // those that the module itself holds
}

}  // namespace vitrail
