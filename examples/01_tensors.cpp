// 01: tensors. A tensor is a block of memory seen through a shape and strides.
//
// What it teaches: views cost nothing (the program counts bytes to prove it), broadcasting, reductions, matrix products.
// What to expect: six short experiments, under a second.
#include <iostream>

#include "tensor/ops.h"
#include "tensor/print.h"
#include "tensor/rng.h"

using namespace vitrail;

int main() {
  // 1. Twelve numbers in a row, seen as a matrix, and as its transpose. Shape and strides change, the memory does not.
  const Tensor x = arange(0, 12);
  const Tensor matrix = reshape(x, {3, 4});
  const Tensor turned = transpose(matrix);
  std::cout << "matrix, strides " << matrix.strides() << ":\n" << matrix << "\n";
  std::cout << "its transpose, strides " << turned.strides() << ":\n" << turned << "\n";
  std::cout << "same memory: " << std::boolalpha << (matrix.storage() == turned.storage()) << "\n\n";

  // 2. Cutting an image into patches is six axes and no copy: [H, W] -> [H/2, W/2, 2, 2].
  const int64_t before = memory_stats().allocations;
  const Tensor image = reshape(arange(0, 16), {4, 4});
  const Tensor patches = permute(reshape(image, {2, 2, 2, 2}), {0, 2, 1, 3});
  std::cout << "a 4 x 4 image as four 2 x 2 patches, " << memory_stats().allocations - before
            << " allocation (the image itself):\n"
            << patches << "\n\n";

  // 3. Broadcasting aligns shapes from the right; extents of one are repeated without being stored.
  const Tensor row = from_vector(std::vector<float>{10, 20, 30, 40}, {4});
  const Tensor column = from_vector(std::vector<float>{100, 200, 300}, {3, 1});
  std::cout << "matrix + row + column:\n" << matrix + row + column << "\n\n";

  // 4. Reductions over any axes, accumulated in double.
  std::cout << "sum over rows " << sum(matrix, {0}) << ", mean of all " << mean(matrix).item() << "\n\n";

  // 5. Random numbers are a function of (seed, stream, index): this prints the same everywhere, with any number of threads.
  const Tensor noise = rand_normal({2, 3}, 0, 1, Rng(42));
  std::cout << "normal numbers of seed 42:\n" << noise << "\n";
  std::cout << "their softmax, rows add up to one:\n" << softmax(noise) << "\n\n";

  // 6. A mistake is answered with the rule, the shapes, and what to do.
  try {
    matmul(matrix, matrix);
  } catch (const Error& error) {
    std::cout << "matmul(matrix, matrix) says:\n  " << error.what() << "\n";
  }
}
