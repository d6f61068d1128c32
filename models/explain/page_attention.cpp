// The attention of a page: what of it fits, and how it is written.
#include <algorithm>
#include <cmath>

#include "models/explain/page.h"
#include "tensor/ops.h"

namespace vitrail::models::explain {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr int64_t kRowHead = 2;  // characters of a row before its values

// Up to `count` of them, evenly spread, the last among them.
std::vector<int64_t> thinned(const std::vector<int64_t>& layers, int64_t count) {
  const auto size = static_cast<int64_t>(layers.size());
  if (count >= size) return layers;
  std::vector<int64_t> kept;
  for (int64_t i = 1; i <= count; ++i) kept.push_back(layers[static_cast<size_t>(i * size / count - 1)]);
  return kept;
}

void encode_row(const float* row, int64_t tokens, std::string& text) {
  const float largest = std::clamp(*std::max_element(row, row + tokens), 0.0f, 1.0f);
  const auto head = static_cast<size_t>(std::lround(4095 * std::sqrt(static_cast<double>(largest))));
  text += kAlphabet[head / 64], text += kAlphabet[head % 64];
  for (int64_t i = 0; i < tokens; ++i) {
    const double part = largest > 0 ? std::clamp(static_cast<double>(row[i] / largest), 0.0, 1.0) : 0;
    text += kAlphabet[std::lround(63 * std::sqrt(part))];
  }
}

}  // namespace

PageSelection select_for_page(const Shape& a, const std::vector<int64_t>& wanted, int64_t most) {
  check(a.size() == 4, ErrorKind::kShape, "explain", "attention is [L, H, T, T]: it is ", a);
  PageSelection result{wanted};
  for (const int64_t layer : wanted)
    check(layer >= 0 && layer < a[0], ErrorKind::kValue, "explain", "there is no layer ", layer + 1, ": the model has ", a[0],
          ".");
  if (wanted.empty())
    for (int64_t i = 0; i < a[0]; ++i) result.layers.push_back(i);
  std::sort(result.layers.begin(), result.layers.end());
  result.layers.erase(std::unique(result.layers.begin(), result.layers.end()), result.layers.end());
  const auto asked = static_cast<int64_t>(result.layers.size());
  // In double: a product of four sizes may be beyond 2^63.
  const double one = static_cast<double>(a[2]) * static_cast<double>(a[2] + kRowHead);
  const auto fitting = [&](double heads) {
    return static_cast<int64_t>(std::min(static_cast<double>(asked), static_cast<double>(most) / (one * heads)));
  };
  if (fitting(static_cast<double>(a[1])) >= 1) {
    result.layers = thinned(result.layers, fitting(static_cast<double>(a[1])));
  } else {
    result.heads = false;
    result.layers = thinned(result.layers, fitting(1));
  }
  const auto kept = static_cast<int64_t>(result.layers.size());
  if (kept == 0)
    result.note = cat("the page shows no attention of single patches: a matrix of ", a[2], " x ", a[2],
                      " tokens is more than it may hold");
  else if (kept < asked || !result.heads)
    result.note = cat("the page holds the attention of ", kept, " of ", asked, " layers",
                      result.heads ? "" : ", heads averaged", ", to stay below 8 MB; --layers chooses which");
  return result;
}

std::string encode_attention(const Tensor& attention, const PageSelection& selection) {
  std::string text;
  for (const int64_t layer : selection.layers) {
    Tensor heads = to(select(attention, 0, layer), Dtype::f32);
    heads = contiguous(selection.heads ? heads : mean(heads, {0}, true));
    const int64_t tokens = heads.size(2), rows = heads.numel() / tokens;
    const float* from = heads.data<float>();
    text.reserve(text.size() + static_cast<size_t>(rows * (tokens + kRowHead)));
    for (int64_t row = 0; row < rows; ++row) encode_row(from + row * tokens, tokens, text);
  }
  return text;
}

}  // namespace vitrail::models::explain
