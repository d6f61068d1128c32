// How each family of ViT files names its tensors, and how their layout differs from ours. Ours are timm's names and layouts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/state_dict.h"

namespace vitrail::weights {

// How a tensor of the file becomes ours.
enum class Change {
  kNone,
  kTokens,       // [D] or [T, D] -> [1, T, D]
  kTranspose,    // [in, out] -> [out, in]
  kFlaxPatch,    // [P, P, C, D] -> [D, C, P, P]
  kFlaxIn,       // [D, H, K] -> [H K, D]
  kFlaxInBias,   // [H, K] -> [H K]
  kFlaxOut,      // [H, K, D] -> [D, H K]
  kPatchMatrix,  // [D, P P C] -> [D, C, P, P]
  kPatchVector,  // [P P C] -> [C P P]
};

// "{}" stands for a number (of a block), a final ".*" for "weight" or "bias" (".{s}" of Flax for "scale" or "bias").
struct NameRow {
  enum Place { kInside, kBeside };  // kBeside: not in the image tower, but next to it: classifier.weight, vit.embeddings...

  NameRow(std::string their_name, std::string our_name, Change how = Change::kNone)
      : theirs(std::move(their_name)), ours(std::move(our_name)), change(how) {}
  NameRow(std::string their_name, std::string our_name, Place where)
      : theirs(std::move(their_name)), ours(std::move(our_name)), outside(where == kBeside) {}
  // Part number `index` of `count`, row by row, of ours: q, k, v of qkv.
  NameRow(std::string their_name, std::string our_name, int index, int count, Change how = Change::kNone)
      : theirs(std::move(their_name)), ours(std::move(our_name)), part(index), parts(count), change(how) {}

  std::string theirs, ours;
  int part = -1, parts = 1;
  Change change = Change::kNone;
  bool outside = false;
};

struct FamilyNames {
  std::string family;  // "huggingface"
  std::string anchor;  // a tensor that every file of the family has, behind the prefix of the image tower
  std::vector<NameRow> rows;
  // Tensors that the image tower does not need: text towers, pre-training heads. A name, or the beginning of names if it ends
  // in one of "./_".
  std::vector<std::string> unused;
  // Beginnings of the names of blocks and patch embedding: a tensor there that no row knows takes part in another arithmetic.
  std::vector<std::string> computed;
};

// In the order in which a file is tried.
const std::vector<FamilyNames>& all_family_names();
const FamilyNames& family_names(const std::string& family);

struct NameMatch {
  const NameRow* row = nullptr;
  std::string ours;
};
// The row for a name without its tower's prefix. The first row that fits counts.
std::optional<NameMatch> match_name(const FamilyNames& family, const std::string& theirs, bool outside);
// Their name for ours and the given part; "" if the family has none.
std::string their_name(const FamilyNames& family, const std::string& ours, int part, bool* outside);

bool is_unused(const FamilyNames& family, const std::string& theirs);
bool is_computed(const FamilyNames& family, const std::string& theirs);

// Error(kData) naming `name` and the shape that does not fit.
Tensor changed(const Tensor& tensor, Change change, const std::string& name);

}  // namespace vitrail::weights
