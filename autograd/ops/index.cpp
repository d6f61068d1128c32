// Elements chosen by an index tensor, by rank or by order. The gradients of an element that was chosen several times are added
// in the order of the indices; an element that was not chosen gets 0. Indices have no gradient.
#include "autograd/ops/shape.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace vitrail {

// y = one index of an axis, which disappears; dx = dy at that index, 0 elsewhere
Variable select(const Variable& x, int axis, int64_t index) {
  return record("select", select(x.value(), axis, index), {x}, [from = x.shape(), axis, index](const Tensor& dy, Grads& d) {
    d[0] = zeros(from, dy.dtype());
    copy_(select(d[0], axis, index), dy);
  });
}

// y = x[..., index[j], ...] along an axis; dx[..., index[j], ...] += dy[..., j, ...]
Variable index_select(const Variable& x, int axis, const Tensor& index) {
  return record(
      "index_select", index_select(x.value(), axis, index), {x},
      [from = x.shape(), axis, at = Saved(index)](const Tensor& dy, Grads& d) { d[0] = index_add(from, axis, *at, dy); });
}

// y[i, j] = x[index[i, j], j] (for axis 0); dx[index[i, j], j] += dy[i, j]
Variable gather(const Variable& x, int axis, const Tensor& index) {
  return record("gather", gather(x.value(), axis, index), {x},
                [from = x.shape(), axis, at = Saved(index)](const Tensor& dy, Grads& d) {
                  d[0] = scatter_add(zeros(from, dy.dtype()), axis, *at, dy);
                });
}

// y = x, with y[index[i, j], j] += src[i, j] (for axis 0); dx = dy, dsrc[i, j] = dy[index[i, j], j]
Variable scatter_add(const Variable& x, int axis, const Tensor& index, const Variable& src) {
  return record("scatter_add", scatter_add(x.value(), axis, index, src.value()), {x, src},
                [axis, at = Saved(index)](const Tensor& dy, Grads& d) {
                  d[0] = dy;
                  if (d.needs(1)) d[1] = gather(dy, axis, *at);
                });
}

// y[i] = weight[index[i]], rows of a table; dweight[index[i]] += dy[i]
Variable embedding(const Variable& weight, const Tensor& index) {
  return record("embedding", embedding(weight.value(), index), {weight},
                [from = weight.shape(), at = Saved(index)](const Tensor& dy, Grads& d) { d[0] = index_add(from, 0, *at, dy); });
}

// y = the k largest (smallest) elements along an axis, best first; dx = dy at the positions that they came from.
// Of equal elements the first are chosen; NaN is chosen last.
TopkResult topk(const Variable& x, int64_t k, int axis, bool largest) {
  const auto [values, indices] = topk(x.value(), k, axis, largest);
  Variable chosen = record("topk", values, {x}, [from = x.shape(), axis, at = Saved(indices)](const Tensor& dy, Grads& d) {
    d[0] = scatter_add(zeros(from, dy.dtype()), axis, *at, dy);
  });
  return {chosen, indices};
}

// y = x sorted along an axis, equal elements in their order, NaN last; dx = dy at the positions that the values came from
TopkResult sort(const Variable& x, int axis, bool descending) {
  const auto [values, indices] = sort(x.value(), axis, descending);
  Variable sorted = record("sort", values, {x}, [axis, at = Saved(indices)](const Tensor& dy, Grads& d) {
    d[0] = scatter_add(zeros(dy.shape(), dy.dtype()), axis, *at, dy);
  });
  return {sorted, indices};
}

}  // namespace vitrail
