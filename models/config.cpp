#include "models/config.h"

#include "base/file.h"

namespace vitrail::models {

void in_range(const char* key, int64_t value, int64_t low, int64_t high) {
  require(value >= low && value <= high, key, " must be from ", low, " to ", high, ": it is ", value);
}

void in_range(const char* key, double value, double low, double high) {
  require(value >= low && value <= high, key, " must be from ", low, " to ", high, ": it is ", value);
}

void is_rate(const char* key, double value) {
  require(value >= 0 && value < 1, key, " must be at least 0 and below 1: it is ", value);
}

void one_of(const char* key, const std::string& value, std::initializer_list<const char*> choices) {
  std::string list;
  for (const char* choice : choices) {
    if (value == choice) return;
    if (*choice != '\0') list += list.empty() ? choice : cat(", ", choice);
  }
  require(false, key, " must be one of ", list, ": it is ", escaped(value, 60));
}

void check_image(Size2d size, int64_t in_chans, int64_t num_classes, int64_t fewest_classes) {
  in_range("img_size", size.h, 1, kMaxSide);
  in_range("img_size", size.w, 1, kMaxSide);
  in_range("in_chans", in_chans, 1, kMaxChannels);
  in_range("num_classes", num_classes, fewest_classes, kMaxClasses);
}

int64_t hidden_width(int64_t embed_dim, double mlp_ratio) {
  in_range("mlp_ratio", mlp_ratio, 0, 64);
  return static_cast<int64_t>(static_cast<double>(embed_dim) * mlp_ratio);
}

void check_encoder(int64_t embed_dim, int64_t depth, int64_t num_heads, int64_t head_dim, int64_t hidden, double norm_eps) {
  in_range("embed_dim", embed_dim, 1, kMaxWidth);
  in_range("depth", depth, 0, kMaxDepth);
  in_range("num_heads", num_heads, 1, kMaxWidth);
  in_range("head_dim", head_dim, 0, kMaxWidth);
  require(head_dim > 0 || embed_dim % num_heads == 0, "embed_dim must be a multiple of num_heads: embed_dim is ", embed_dim,
          ", num_heads is ", num_heads, " (remainder ", embed_dim % num_heads, ")");
  require(hidden >= 1, "mlp_ratio leaves no hidden unit: embed_dim is ", embed_dim, ", hidden width is ", hidden);
  in_range("hidden width of the MLP", hidden, 1, 64 * kMaxWidth);
  require(norm_eps > 0 && norm_eps <= 1, "norm_eps must be above 0 and at most 1: it is ", norm_eps);
}

void check_weight_bytes(int64_t parameters, int64_t max_bytes) {
  // Within the bounds of all fields `parameters` is below 2^62, but 4 * parameters might overflow: so max_bytes is divided
  // instead.
  require(parameters <= max_bytes / 4, "the weights would take more than the limit: ", parameters,
          " parameters of 4 bytes, limit is ", max_bytes, " bytes. Hint: lower embed_dim, depth, img_size or num_classes.");
}

int64_t linear_count(int64_t in, int64_t out, bool bias) { return in * out + (bias ? out : 0); }

int64_t block_count(int64_t dim, int64_t attention, int64_t hidden, bool qkv_bias, bool proj_bias) {
  return 4 * dim + linear_count(dim, 3 * attention, qkv_bias) + linear_count(attention, dim, proj_bias) +
         linear_count(dim, hidden, proj_bias) + linear_count(hidden, dim, proj_bias);
}

double drop_path_of_block(double rate, int64_t i, int64_t depth) {
  return depth > 1 ? rate * static_cast<double>(i) / static_cast<double>(depth - 1) : 0;
}

}  // namespace vitrail::models
