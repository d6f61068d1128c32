#include "models/weights/class_rows.h"

#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

constexpr const char* kOp = "class_rows";

void check_head(const Tensor& weight, const Tensor& bias, size_t names) {
  const auto classes = static_cast<int64_t>(names);
  check(weight.dim() == 2 && weight.size(0) == classes, ErrorKind::kShape, kOp,
        "the old head has one row per class: weight is ", weight.shape(), ", there are ", classes, " names.");
  check(!bias.defined() || bias.shape() == Shape{classes}, ErrorKind::kShape, kOp,
        "the old head has one bias per class: bias is ", bias.shape(), ", there are ", classes, " names.");
}

struct Rows {
  int64_t first, second;  // -1 if the name occurs once
};

std::unordered_map<std::string, Rows> rows_by_name(const std::vector<std::string>& names) {
  std::unordered_map<std::string, Rows> rows;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    const auto [place, is_new] = rows.try_emplace(names[i], Rows{row, -1});
    if (!is_new && place->second.second < 0) place->second.second = row;
  }
  return rows;
}

std::vector<int64_t> find_rows(const std::vector<std::string>& old_names, const std::vector<std::string>& new_names) {
  check(!new_names.empty(), ErrorKind::kValue, kOp, "a head needs at least one class: new_names is empty.");
  const auto new_rows = rows_by_name(new_names), old_rows = rows_by_name(old_names);
  std::vector<int64_t> from;
  // LAB 8.2 BEGIN  from[i]: the row of new_names[i] in the old head, or -1. A name with two rows, new or old, is refused.
  for (const std::string& name : new_names) {
    const Rows own = new_rows.at(name);
    check(own.second < 0, ErrorKind::kValue, kOp, "the names of the new classes must differ: ", quote(name), " is the name of ",
          own.first, " and ", own.second, ".");
    const auto found = old_rows.find(name);
    if (found != old_rows.end())
      check(found->second.second < 0, ErrorKind::kValue, kOp, "the old head has two rows for ", quote(name), ": ",
            found->second.first, " and ", found->second.second, ". Hint: give the new class another name.");
    from.push_back(found == old_rows.end() ? -1 : found->second.first);
  }
  // LAB 8.2 END
  return from;
}

// Row i of the result is row from[i] of x, or zeros.
Tensor copied_rows(const Tensor& x, const std::vector<int64_t>& from) {
  // LAB 8.2 BEGIN  A new tensor: row i is row from[i] of x, zeros where from[i] is -1. x is [C, D] or [C], of any float dtype.
  Shape shape = x.shape();
  shape[0] = static_cast<int64_t>(from.size());
  Tensor result = zeros(shape, x.dtype());
  for (size_t i = 0; i < from.size(); ++i)
    if (from[i] >= 0) copy_(select(result, 0, static_cast<int64_t>(i)), select(x, 0, from[i]));
  return result;
  // LAB 8.2 END
}

}  // namespace

int64_t ClassRows::kept() const {
  return std::count_if(from.begin(), from.end(), [](int64_t row) { return row >= 0; });
}

ClassRows keep_class_rows(const Tensor& weight, const Tensor& bias, const std::vector<std::string>& old_names,
                          const std::vector<std::string>& new_names) {
  check_head(weight, bias, old_names.size());
  ClassRows result;
  result.from = find_rows(old_names, new_names);
  result.weight = copied_rows(weight, result.from);
  if (bias.defined()) result.bias = copied_rows(bias, result.from);
  return result;
}

}  // namespace vitrail
