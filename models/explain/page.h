// An explanation as one self-contained HTML page: pointing at a patch shows what it attends to, in every layer and head.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/explain/explanation.h"

namespace vitrail::models::explain {

// The characters that the attention of a page may take: 12 layers and heads of 197 tokens are 5.6 million. The rest of a page
// is below a million, unless the model's own input is larger than 400 x 400 pixels.
constexpr int64_t kMostPageCharacters = 6'500'000;

struct PageContent {
  std::string title;                     // of the page: the picture's name
  std::string model;                     // the model's place, for people
  std::vector<std::string> class_names;  // of all classes
  Tensor picture;                        // u8 [C, H, W], as decoded
  Tensor fitted;                         // u8 [C, H, W], as the model sees it
  SeenPart seen;
  std::vector<int64_t> layers = {};  // whose attention the page holds; {}: all, or as many as fit, evenly chosen
};

// What of the attention a page holds.
struct PageSelection {
  std::vector<int64_t> layers;  // counted from 0; rising
  bool heads = true;            // false: only the mean over the heads of each layer
  std::string note = "";        // what was left out and why, for the user; "" if nothing was
};
// Fits L x H x T x T attention into the limit: all of it; else the wanted layers, or fewer, evenly chosen and with the last
// one; else without heads; else none. Error(kValue) for a wanted layer that is not there.
PageSelection select_for_page(const Shape& attention, const std::vector<int64_t>& wanted = {},
                              int64_t most_characters = kMostPageCharacters);

// attention [L, H, T, T] of the selected layers as text, row after row. A row is its largest value m in two characters, then
// each value a in one: q = round(63 sqrt(a / m)) of the alphabet of base64, so a = m (q / 63)^2; m = (Q / 4095)^2, Q = 64 first
// + second.
std::string encode_attention(const Tensor& attention, const PageSelection& selection);

std::string explanation_page(const Encoder& encoder, const Explanation& explanation, const PageContent& content);

}  // namespace vitrail::models::explain
