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

std::vector<std::string> paths_of(const std::vector<ParamGroup>& groups) {
  std::vector<std::string> paths;
  for (const ParamGroup& group : groups)
    for (const auto& entry : group.parameters) paths.push_back(entry.first);
  return paths;
}

}  // namespace

int64_t count_blocks(const std::vector<std::string>& paths) {
  int64_t blocks = 0;
  for (const std::string& path : paths)
    if (begins(path, kBlocks)) blocks = std::max(blocks, block_of(path) + 1);
  return blocks;
}

bool is_head(const std::string& path) {
  for (const char* head : {"head.", "head_dist.", "fc.", "classifier."})
    if (begins(path, head)) return true;
  return false;
}

bool is_pooling(const std::string& path) {
  for (const char* pooling : {"fc_norm.", "attention_pool.", "attn_pool.", "projection."})
    if (begins(path, pooling)) return true;
  return false;
}

int64_t layer_of(const std::string& path, int64_t blocks) {
  // LAB 8.3 BEGIN  0 before the blocks, i + 1 for block i, `blocks` for norm, blocks + 1 for is_pooling() and is_head().
  if (begins(path, kBlocks)) return block_of(path) + 1;
  if (begins(path, "norm.")) return blocks;
  if (is_pooling(path) || is_head(path)) return blocks + 1;
  return 0;
  // LAB 8.3 END
}

std::vector<ParamGroup> scaled_by_layer(std::vector<ParamGroup> groups, double layer_decay, double head_lr) {
  if (layer_decay == 1 && head_lr == 1) return groups;
  const int64_t blocks = count_blocks(paths_of(groups));
  check(layer_decay == 1 || blocks > 0, ErrorKind::kValue, "layer decay",
        "the model has no blocks whose rates could differ: layer_decay is ", layer_decay, ". Hint: layer_decay 1.");
  std::vector<ParamGroup> split;
  for (const ParamGroup& group : groups) {
    const size_t first = split.size();
    for (const auto& entry : group.parameters) {
      // LAB 8.3 BEGIN  Into the part of this group (split[first], ...) whose lr_scale is the parameter's, or a new part.
      const int64_t depth = blocks + 1 - layer_of(entry.first, blocks);
      const double scale =
          group.lr_scale * std::pow(layer_decay, static_cast<double>(depth)) * (is_head(entry.first) ? head_lr : 1);
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
      // LAB 8.3 END
    }
  }
  return split;
}

}  // namespace vitrail
