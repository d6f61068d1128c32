// The attributes of one call, read from a JSON object. An operator names those that it knows; the rest is refused before the
// operator runs. Each value is asked for with its type and its range, so that no operator sees one that it cannot use.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "tensor/ops/reduce.h"

namespace vitrail::onnx {

// Bounds that keep sums of extents and paddings, and products of two steps (strides, dilations, kernels), from overflowing.
constexpr int64_t kMaxExtent = int64_t{1} << 40;
constexpr int64_t kMaxStep = int64_t{1} << 30;

// Errors: Error(kData) naming the source, the attribute, its rule and its value. A mistake of the table itself (asking for an
// attribute that the operator did not name) is a std::logic_error.
class Attributes {
 public:
  // `text` is a JSON object, "" an empty one.
  explicit Attributes(const std::string& text = "", const std::string& source = "attributes");

  // From here on only `names` are known; Error(kData) for any other key in the object.
  void allow(const std::vector<std::string>& names) const;

  bool given(const std::string& name) const;
  // true, false, 1 or 0.
  bool flag(const std::string& name, bool otherwise) const;
  // JSON integers only: 1.0 is none.
  int64_t integer(const std::string& name, int64_t low, int64_t high, int64_t otherwise) const;
  // In [-rank, rank), returned in [0, rank).
  int axis(const std::string& name, int otherwise, int rank) const;
  // Distinct axes, each as above; empty if absent.
  Axes axes(const std::string& name, int rank) const;
  // Exactly `count` integers.
  std::vector<int64_t> integers(const std::string& name, size_t count, int64_t low, int64_t high,
                                const std::vector<int64_t>& otherwise) const;
  // Any number of integers; empty if absent.
  std::vector<int64_t> list(const std::string& name, int64_t low, int64_t high) const;
  double number(const std::string& name, double otherwise, double low = -std::numeric_limits<double>::max(),
                double high = std::numeric_limits<double>::max()) const;
  std::string text(const std::string& name, const std::string& otherwise) const;

 private:
  JsonObject& object(const std::string& name) const;

  std::string source_;
  std::shared_ptr<JsonDocument> document_;
  std::shared_ptr<JsonObject> object_;
  mutable std::set<std::string> known_;
};

// axis in [-rank, rank) as [0, rank), a scalar having one axis; Error(kData) naming `what`.
int checked_axis(int64_t axis, int rank, const std::string& what);
// The same for a list of distinct axes.
Axes checked_axes(const std::vector<int64_t>& axes, int rank, const std::string& what);

}  // namespace vitrail::onnx
