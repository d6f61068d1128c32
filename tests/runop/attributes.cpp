#include "tests/runop/attributes.h"

#include <algorithm>
#include <stdexcept>

#include "base/file.h"

namespace vitrail::onnx {

Attributes::Attributes(const std::string& text, const std::string& source)
    : source_(source),
      document_(std::make_shared<JsonDocument>(text.empty() ? "{}" : text, source)),
      object_(std::make_shared<JsonObject>(document_->root(), source, "attrs", ErrorKind::kData)) {}

void Attributes::allow(const std::vector<std::string>& names) const {
  known_ = {names.begin(), names.end()};
  for (const std::string& name : names) {  // either call marks the key as known to finish()
    if (object_->has(name))
      object_->value(name);
    else
      object_->boolean_or(name, false);
  }
  object_->finish();
}

JsonObject& Attributes::object(const std::string& name) const {
  if (!known_.count(name)) throw std::logic_error("the operator does not name its attribute " + name);
  return *object_;
}

bool Attributes::given(const std::string& name) const { return object(name).has(name); }

bool Attributes::flag(const std::string& name, bool otherwise) const {
  JsonObject& o = object(name);
  if (!o.has(name)) return otherwise;
  const std::string value = o.json_text(name);
  if (value == "true" || value == "false") return value == "true";
  return o.integer(name, 0, 1) != 0;
}

int64_t Attributes::integer(const std::string& name, int64_t low, int64_t high, int64_t otherwise) const {
  return object(name).integer_or(name, low, high, otherwise);
}

int Attributes::axis(const std::string& name, int otherwise, int rank) const {
  const int64_t extent = std::max(rank, 1);
  const JsonObject& o = object(name);
  return checked_axis(o.has(name) ? integer(name, -extent, extent - 1, 0) : otherwise, rank, name);
}

Axes Attributes::axes(const std::string& name, int rank) const {
  const int64_t extent = std::max(rank, 1);
  return checked_axes(object(name).integers_or(name, -extent, extent - 1, {}), rank, "attrs." + name);
}

std::vector<int64_t> Attributes::integers(const std::string& name, size_t count, int64_t low, int64_t high,
                                          const std::vector<int64_t>& otherwise) const {
  std::vector<int64_t> values = object(name).integers_or(name, low, high, otherwise);
  if (values.size() != count) object_->refuse(name, cat("must have ", count, " entries: it has ", values.size()));
  return values;
}

std::vector<int64_t> Attributes::list(const std::string& name, int64_t low, int64_t high) const {
  return object(name).integers_or(name, low, high, {});
}

double Attributes::number(const std::string& name, double otherwise, double low, double high) const {
  return object(name).number_or(name, low, high, otherwise);
}

std::string Attributes::text(const std::string& name, const std::string& otherwise) const {
  return object(name).text_or(name, otherwise);
}

int checked_axis(int64_t axis, int rank, const std::string& what) {
  const int64_t extent = std::max(rank, 1);
  check(axis >= -extent && axis < extent, ErrorKind::kData, "runop", what, ": axis ", axis, " is outside [", -extent, ", ",
        extent, ")");
  return static_cast<int>(axis < 0 ? axis + extent : axis);
}

Axes checked_axes(const std::vector<int64_t>& axes, int rank, const std::string& what) {
  Axes result;
  for (int64_t axis : axes) {
    result.push_back(checked_axis(axis, rank, what));
    check(std::count(result.begin(), result.end(), result.back()) == 1, ErrorKind::kData, "runop", what, ": axis ", axis,
          " stands twice");
  }
  return result;
}

}  // namespace vitrail::onnx
