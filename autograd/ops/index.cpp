// Elements chosen by an index tensor, by rank or by order.
#include "autograd/ops.h"

namespace vitrail {

// A slice that was picked several times sums its gradients.
Variable index_select(const Variable& x, int axis, const Tensor& index) {
  return record(
      "index_select", index_select(x.value(), axis, index), {x},
      [from = x.shape(), axis, at = Saved(index)](const Tensor& dy, Grads& d) { d[0] = index_add(from, axis, *at, dy); });
}

// An element that was picked several times sums its gradients.
Variable gather(const Variable& x, int axis, const Tensor& index) {
  return record("gather", gather(x.value(), axis, index), {x},
                [from = x.shape(), axis, at = Saved(index)](const Tensor& dy, Grads& d) {
                  d[0] = scatter_add(zeros(from, dy.dtype()), axis, *at, dy);
                });
}

// x passes dy on; src picks it up where it was added.
Variable scatter_add(const Variable& x, int axis, const Tensor& index, const Variable& src) {
  return record("scatter_add", scatter_add(x.value(), axis, index, src.value()), {x, src},
                [axis, at = Saved(index)](const Tensor& dy, Grads& d) {
                  d[0] = dy;
                  if (d.needs(1)) d[1] = gather(dy, axis, *at);
                });
}

// A row that was looked up several times sums its gradients.
Variable embedding(const Variable& weight, const Tensor& index) {
  return record("embedding", embedding(weight.value(), index), {weight},
                [from = weight.shape(), at = Saved(index)](const Tensor& dy, Grads& d) { d[0] = index_add(from, 0, *at, dy); });
}

// The chosen elements get the gradient, the others none.
TopkResult topk(const Variable& x, int64_t k, int axis, bool largest) {
  const auto [values, indices] = topk(x.value(), k, axis, largest);
  Variable chosen = record("topk", values, {x}, [from = x.shape(), axis, at = Saved(indices)](const Tensor& dy, Grads& d) {
    d[0] = scatter_add(zeros(from, dy.dtype()), axis, *at, dy);
  });
  return {chosen, indices};
}

// Each gradient goes back to the place that its value came from.
TopkResult sort(const Variable& x, int axis, bool descending) {
  const auto [values, indices] = sort(x.value(), axis, descending);
  Variable sorted = record("sort", values, {x}, [axis, at = Saved(indices)](const Tensor& dy, Grads& d) {
    d[0] = scatter_add(zeros(dy.shape(), dy.dtype()), axis, *at, dy);
  });
  return {sorted, indices};
}

}  // namespace vitrail
