#include "nn/layer.h"

#include <utility>

namespace vitrail::nn {
namespace {
thread_local Observer observer;
}

Variable Layer::operator()(const Variable& x) {
  Variable y = forward(x);
  if (observer) observer(*this, x.shape(), y.shape());
  return y;
}

int64_t Layer::macs(const Shape&, const Shape&) const { return 0; }

bool observed() { return static_cast<bool>(observer); }

ObserverGuard::ObserverGuard(Observer watch) : before_(std::exchange(observer, std::move(watch))) {}
ObserverGuard::~ObserverGuard() { observer = std::move(before_); }

}  // namespace vitrail::nn
