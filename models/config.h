// The common rules for the configurations of all models. A configuration is a plain struct with visible defaults, in the header
// of its model (models/vit.h, models/cct.h, ...); names and meanings are timm's where timm has them. It has
//   static constexpr const char* kArchitecture   its name in JSON
//   using Model                                  the Classifier that is built from it
// and three functions:
//   visit_fields(config, visitor)   every field under its JSON name; reading, writing and checking keys all walk this list
//   check_fields(config)            Error(kValue) naming the key, the rule and the numbers if it cannot be built
//   count_parameters(config)        elements of all parameters by formula, before anything is built
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace vitrail::models {

// A height and a width; a single number means a square.
struct Size2d {
  int64_t h = 0, w = 0;
  Size2d() = default;
  Size2d(int64_t side) : h(side), w(side) {}  // NOLINT: 32 is 32 x 32
  Size2d(int64_t height, int64_t width) : h(height), w(width) {}
  friend bool operator==(const Size2d&, const Size2d&) = default;
};

// Reads or writes each field of a configuration. JSON of a Size2d: 224 or [height, width]; of an empty optional: null.
class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  virtual void operator()(const char* key, int64_t& value) = 0;
  virtual void operator()(const char* key, double& value) = 0;
  virtual void operator()(const char* key, bool& value) = 0;
  virtual void operator()(const char* key, std::string& value) = 0;
  virtual void operator()(const char* key, std::vector<int64_t>& value) = 0;
  virtual void operator()(const char* key, Size2d& value) = 0;
  virtual void operator()(const char* key, std::optional<double>& value) = 0;
  virtual void operator()(const char* key, std::optional<bool>& value) = 0;
};
// The JSON object of a configuration: "architecture", then the fields that `visit` visits.
std::string fields_to_json(const char* architecture, const std::function<void(FieldVisitor&)>& visit);

// ---- checks: Error(kValue), naming the key and the number, unless the rule holds ----

constexpr int64_t kMaxSide = 16384, kMaxChannels = 4096, kMaxWidth = 65536, kMaxDepth = 1024;
constexpr int64_t kMaxTokens = int64_t{1} << 20, kMaxClasses = int64_t{1} << 20;
// The most memory that the weights of one model may take, in bytes of f32.
constexpr int64_t kMaxWeightBytes = int64_t{1} << 36;

template <class... Parts>
void require(bool rule, const Parts&... parts) {
  check(rule, ErrorKind::kValue, "config", parts...);
}
void in_range(const char* key, int64_t value, int64_t low, int64_t high);
void in_range(const char* key, double value, double low, double high);  // NaN fails too
void is_rate(const char* key, double value);                            // in [0, 1)
void one_of(const char* key, const std::string& value, std::initializer_list<const char*> choices);
void check_image(Size2d size, int64_t in_chans, int64_t num_classes, int64_t fewest_classes);
// hidden: width of the MLP. head_dim 0: embed_dim / num_heads, which must be whole.
void check_encoder(int64_t embed_dim, int64_t depth, int64_t num_heads, int64_t head_dim, int64_t hidden, double norm_eps);
void check_weight_bytes(int64_t parameters, int64_t max_bytes = kMaxWeightBytes);

template <class Config>
const Config& validated(const Config& config) {
  check_fields(config);
  check_weight_bytes(count_parameters(config));
  return config;
}

// ---- parts of the formulas ----

// Parameters of a linear layer or, with in = channels times kernel size, of a convolution.
int64_t linear_count(int64_t in, int64_t out, bool bias = true);
// int(embed_dim * mlp_ratio), the hidden width of an MLP. Error(kValue) if the ratio is negative or above 64.
int64_t hidden_width(int64_t embed_dim, double mlp_ratio);
// Parameters of an encoder block: norm1, attn (qkv, proj; its heads together `attention` wide), norm2, mlp (fc1, fc2; their
// biases as proj's).
int64_t block_count(int64_t dim, int64_t attention, int64_t hidden, bool qkv_bias, bool proj_bias);
// Stochastic depth of block i of `depth`: rises linearly from 0 to `rate`.
double drop_path_of_block(double rate, int64_t i, int64_t depth);

}  // namespace vitrail::models
