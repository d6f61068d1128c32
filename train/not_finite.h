// Where NaN or infinity came from: the failing step is computed again, slowly, with every layer and every op watched.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/rng.h"
#include "train/group_gradients.h"
#include "train/task/task.h"

namespace vitrail {

// The loss or the gradient norm of a step was not finite.
struct NotFinite {
  int64_t step = 0;  // updates done before it
  double loss = 0, grad_norm = 0;
  std::string where{};            // "op softmax in layer blocks.1.attn", "the images", ...; empty if it was not found again
  std::vector<int64_t> images{};  // of the group in which it was found, or of the batch: indices in the data set
};

// Computes forward and backward pass of the batch again from the present weights, as backward_in_groups() does, and fills in
// `where` and `images`. The gradients of the model are lost; its buffers are left as they are.
//   images or weights   are named if they are not finite themselves
//   forward             the first layer whose output is not finite though its input is, and the op in it
//   backward            the op whose gradient is the first that is not finite, and the first weight whose gradient is not
// Layers run one by one meanwhile, not fused: what only the fused form makes is not found.
void find_not_finite(Task& task, const SharedBatch& batch, const Rng& rng, NotFinite& found);

// One sentence of an error message: "loss is not finite at step 12: loss is nan, gradient norm is 3.1; first: op softmax in
// layer blocks.1.attn; images 17, 4, 9 and 29 more. Hint: ..."
std::string describe(const NotFinite& found);
// With all images.
std::string to_json(const NotFinite& found);

}  // namespace vitrail
