#include "models/weights/families/translate.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "models/weights/families/names.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace vitrail::weights {

namespace {

constexpr const char* kScanned = "Transformer/encoderblock/";

// What stands before `anchor` in `name`; nullopt if it does not end so at the border of two parts.
std::optional<std::string> before(const std::string& name, const std::string& anchor) {
  if (!name.ends_with(anchor)) return std::nullopt;
  const std::string prefix = name.substr(0, name.size() - anchor.size());
  if (prefix.empty() || prefix.back() == '.' || prefix.back() == '/') return prefix;
  return std::nullopt;
}

struct Tower {
  const FamilyNames* family = nullptr;
  std::string prefix, outer;  // "module.vit.", "module."
};

// "module.vit." -> "module."; what has one part -> ""
std::string outer_of(const std::string& prefix) {
  if (prefix.empty()) return "";
  const size_t border = prefix.find_last_of("./", prefix.size() - 2);
  return border == std::string::npos ? "" : prefix.substr(0, border + 1);
}

[[noreturn]] void no_family(const nn::StateDict& tensors, const std::string& source) {
  std::vector<std::string> names;
  for (const auto& entry : tensors) names.push_back(entry.first);
  fail(ErrorKind::kData, "weights", escaped_path(source), ": not a ViT whose names are known: ", tensors.size(), " tensors, ",
       listed(names),
       ". Hint: known are timm, Hugging Face, torchvision, Google, open_clip and lucidrains; a config.json beside it describes "
       "others: "
       "{\"model\": {\"architecture\": \"vit\", \"img_size\": 224, ...}}.");
}

Tower find_tower(const nn::StateDict& tensors, const std::string& source) {
  for (const FamilyNames& family : all_family_names()) {
    std::vector<std::string> prefixes;
    for (const auto& entry : tensors)
      if (const auto prefix = before(entry.first, family.anchor)) prefixes.push_back(*prefix);
    if (prefixes.empty()) continue;
    check(prefixes.size() == 1, ErrorKind::kData, "weights", escaped_path(source), ": holds ", prefixes.size(),
          " image towers: ", listed(prefixes), ". Hint: store the one that is meant alone.");
    return {&family, prefixes[0], outer_of(prefixes[0])};
  }
  no_family(tensors, source);
}

// big_vision's scanned files hold all blocks in one tensor, [depth, ...].
nn::StateDict taken_apart(const nn::StateDict& tensors) {
  nn::StateDict apart;
  for (const auto& [name, tensor] : tensors) {
    const size_t at = name.find(kScanned);
    if (at == std::string::npos) {
      apart.emplace_back(name, tensor);
      continue;
    }
    check(tensor.dim() >= 1 && tensor.size(0) <= models::kMaxDepth, ErrorKind::kData, "weights", escaped(name),
          " must be [depth, ...]: it is ", tensor.shape());
    const std::string start = name.substr(0, at), end = name.substr(at + std::string(kScanned).size());
    for (int64_t i = 0; i < tensor.size(0); ++i)
      apart.emplace_back(cat(start, "Transformer/encoderblock_", i, "/", end), contiguous(select(tensor, 0, i)));
  }
  return apart;
}

// Whether the tower's head reads pre_logits. One of zeros, as in Google's ImageNet-21k files, is none: that is to be said.
bool head_reads_pre_logits(const nn::StateDict& tensors, const Tower& tower) {
  bool layer = false, head = false;
  for (const auto& [name, tensor] : tensors) {
    std::string rest = name;
    for (const std::string& prefix : {tower.prefix, tower.outer})
      if (rest.size() == name.size() && name.starts_with(prefix)) rest = name.substr(prefix.size());
    for (const char* start : {"pre_logits.", "pre_logits/", "heads.pre_logits."}) layer = layer || rest.starts_with(start);
    if (rest != "head.weight" && rest != "heads.head.weight" && rest != "head/kernel") continue;
    head = head || (is_float(tensor.dtype()) && tensor.numel() > 0 && max(abs(tensor)).item() > 0);
  }
  return layer && head;
}

class Translator {
 public:
  Translator(const Tower& tower, bool pre_logits, const std::string& source) : tower_(tower), source_(source) {
    result_.family = tower.family->family, result_.prefix = tower.prefix, result_.pre_logits = pre_logits;
  }

  void add(const std::string& name, const Tensor& tensor) {
    const bool inside = name.starts_with(tower_.prefix), beside = !inside && name.starts_with(tower_.outer);
    if (inside && take(name, name.substr(tower_.prefix.size()), tensor, false)) return;
    if ((inside || beside) && take(name, name.substr(tower_.outer.size()), tensor, true)) return;
    const std::string rest = name.substr(inside ? tower_.prefix.size() : beside ? tower_.outer.size() : 0);
    // What timm's names do not need to change, the model itself knows or does not know.
    if (inside && tower_.family->family == "timm" && !is_unused(*tower_.family, rest) && !left_out(rest)) {
      put(rest, name, tensor, -1, 1);
      ++result_.same;
      return;
    }
    const bool unused = !inside || (is_unused(*tower_.family, rest) && !is_computed(*tower_.family, rest));
    (unused ? result_.unused : result_.unexpected).push_back(name);
  }

  Translation finished() {
    for (const std::string& ours : order_) {
      const Parts& parts = parts_.at(ours);
      for (size_t i = 0; i < parts.tensors.size(); ++i)
        check(parts.tensors[i].defined(), ErrorKind::kData, "weights", escaped_path(source_), ": part ", i + 1, " of ",
              parts.tensors.size(), " of ", ours, " is missing: there is ", escaped(parts.name), ".");
      Tensor whole = parts.tensors.size() == 1 ? parts.tensors[0] : concat(parts.tensors, 0);
      if (whole.dtype() == Dtype::f64) whole = to(whole, Dtype::f32);
      result_.weights.emplace_back(ours, whole);
    }
    return std::move(result_);
  }

 private:
  struct Parts {
    std::vector<Tensor> tensors;
    std::string name;  // of one of them, in the file
  };

  // A head that reads pre_logits is no use without them.
  bool left_out(const std::string& ours) const { return result_.pre_logits && ours.starts_with("head."); }

  bool take(const std::string& name, const std::string& theirs, const Tensor& tensor, bool outside) {
    const auto match = match_name(*tower_.family, theirs, outside);
    if (!match || left_out(match->ours)) return false;
    // No class token where vit-pytorch pools the mean, no registers where their number is 0.
    if ((match->ours == "cls_token" || match->ours == "reg_token") && tensor.numel() == 0) {
      ++result_.renamed;
      return true;
    }
    const NameRow& row = *match->row;
    if (row.change == Change::kFlaxIn && match->ours.starts_with("blocks.") && tensor.dim() == 3)
      result_.num_heads = tensor.size(1);
    put(match->ours, name, changed(tensor, row.change, name), row.part, row.parts);
    ++(row.change != Change::kNone ? result_.rearranged : theirs == match->ours ? result_.same : result_.renamed);
    return true;
  }

  void put(const std::string& ours, const std::string& name, const Tensor& tensor, int part, int parts) {
    check(is_float(tensor.dtype()), ErrorKind::kData, "weights", escaped_path(source_), ": weights are floats: ", escaped(name),
          " is ", name_of(tensor.dtype()), ".");
    auto [found, is_new] = parts_.try_emplace(ours);
    Parts& all = found->second;
    if (is_new) order_.push_back(ours), all.tensors.resize(static_cast<size_t>(parts)), all.name = name;
    const size_t at = part < 0 ? 0 : static_cast<size_t>(part);
    check(all.tensors.size() == static_cast<size_t>(parts) && !all.tensors[at].defined(), ErrorKind::kData, "weights",
          escaped_path(source_), ": two tensors are ", ours, ": ", escaped(all.name), " and ", escaped(name), ".");
    if (parts > 1)
      for (const Tensor& other : all.tensors)
        check(!other.defined() || other.shape() == tensor.shape(), ErrorKind::kData, "weights", escaped_path(source_),
              ": the parts of ", ours, " differ: ", escaped(name), " is ", tensor.shape(), ", another ",
              other.defined() ? other.shape() : Shape{});
    all.tensors[at] = tensor;
  }

  const Tower tower_;
  const std::string source_;
  Translation result_;
  std::map<std::string, Parts> parts_;
  std::vector<std::string> order_;
};

}  // namespace

bool knows_names(const std::vector<std::string>& names) {
  for (const FamilyNames& family : all_family_names())
    for (const std::string& name : names)
      if (before(name, family.anchor)) return true;
  return false;
}

Translation translate(const nn::StateDict& given, const std::string& source) {
  const bool scanned = std::any_of(given.begin(), given.end(),
                                   [](const auto& entry) { return entry.first.find(kScanned) != std::string::npos; });
  const nn::StateDict tensors = scanned ? taken_apart(given) : given;
  const Tower tower = find_tower(tensors, source);
  Translator translator(tower, head_reads_pre_logits(tensors, tower), source);
  for (const auto& [name, tensor] : tensors) translator.add(name, tensor);
  return translator.finished();
}

}  // namespace vitrail::weights
