// Lab 11, exercise 11.3: ranks with unequally many images.
#pragma once

#include <string>
#include <vector>

#include "labs/lab11/tests_common.h"
#include "labs/lab11/uneven.h"
#include "tensor/ops.h"

namespace {

using namespace vitrail;

const std::vector<Shape> kShapes{{2, 3}, {4}, {1}};

// The gradient of one image: of parameter p, of image `number`.
Tensor gradient_of_image(size_t p, int64_t number, uint64_t stream) {
  return contiguous(lab::random(kShapes[p], stream + 100 * static_cast<uint64_t>(number) + p, 0, 1, Dtype::f32));
}
Tensor mean_gradient(size_t p, int64_t first, int64_t last, uint64_t stream) {
  Tensor sum = zeros(kShapes[p], Dtype::f32);
  for (int64_t i = first; i < last; ++i) sum = add(sum, gradient_of_image(p, i, stream));
  return mul(sum, 1.0 / static_cast<double>(last - first));
}

// A rank's parameters. `has(rank, p)`: whether the rank has a gradient of parameter p.
using Has = std::function<bool(int, size_t)>;
struct Parameters {
  std::vector<Variable> variables;
  std::vector<nn::NamedParameter> named;
  Parameters() {
    for (const Shape& shape : kShapes) variables.emplace_back(zeros(shape, Dtype::f32), true);
    for (size_t p = 0; p < variables.size(); ++p) named.push_back({cat("p", p), &variables[p]});
  }
  // All gradients in one list; -1000 stands for one that is undefined.
  std::vector<double> gradients() const {
    std::vector<double> all;
    for (const Variable& v : variables) {
      if (!v.grad().defined()) {
        all.push_back(-1000);
        continue;
      }
      for (const float x : to_vector<float>(contiguous(v.grad()))) all.push_back(static_cast<double>(x));
    }
    return all;
  }
};

// images[r]: of rank r. Images are numbered over all ranks.
AfterRun after_average(const std::vector<int64_t>& images, uint64_t stream, const Has& has, const lab::Weather& weather) {
  std::vector<int64_t> first{0};
  for (const int64_t n : images) first.push_back(first.back() + n);
  return on_ranks(OfRanks(images.size()), weather, [&](Communicator& comm, std::vector<double>& list) {
    const auto r = static_cast<size_t>(comm.rank());
    Parameters parameters;
    for (size_t p = 0; p < kShapes.size(); ++p)
      if (images[r] > 0 && has(comm.rank(), p))
        parameters.variables[p].set_grad(mean_gradient(p, first[r], first[r + 1], stream));
    lab::average_gradients(comm, parameters.named, images[r]);
    list = parameters.gradients();
  });
}

bool everybody(int, size_t) { return true; }

// The mean over all images, of those that have a gradient (the others add 0).
OfRanks wanted_average(const std::vector<int64_t>& images, uint64_t stream, const Has& has) {
  Parameters parameters;
  int64_t all = 0;
  for (const int64_t n : images) all += n;
  for (size_t p = 0; p < kShapes.size(); ++p) {
    int64_t image = 0;
    bool any = false;
    Tensor sum = zeros(kShapes[p], Dtype::f32);
    for (size_t r = 0; r < images.size(); ++r)
      for (int64_t i = 0; i < images[r]; ++i, ++image)
        if (has(static_cast<int>(r), p)) sum = add(sum, gradient_of_image(p, image, stream)), any = true;
    if (any) parameters.variables[p].set_grad(mul(sum, 1.0 / static_cast<double>(all)));
  }
  return OfRanks(images.size(), parameters.gradients());
}

// Fixed numbers: rank r's gradients are all r + 1.
AfterRun simple_average(const std::vector<int64_t>& images, const Has& has) {
  return on_ranks(OfRanks(images.size()), {}, [&](Communicator& comm, std::vector<double>& list) {
    Parameters parameters;
    for (size_t p = 0; p < kShapes.size(); ++p)
      if (images[static_cast<size_t>(comm.rank())] > 0 && has(comm.rank(), p))
        parameters.variables[p].set_grad(full(kShapes[p], comm.rank() + 1, Dtype::f32));
    lab::average_gradients(comm, parameters.named, images[static_cast<size_t>(comm.rank())]);
    list = parameters.gradients();
  });
}

// On two ranks with 1 and 3 images: the gradient of one parameter is the transpose of a tensor, that of another one is a
// tensor; the numbers of both tensors afterwards stand behind the gradients.
AfterRun average_of_views() {
  return on_ranks(OfRanks(2), {}, [](Communicator& comm, std::vector<double>& list) {
    Parameters parameters;
    const float own = static_cast<float>(10 * comm.rank());
    const Tensor turned = from_vector(std::vector<float>{own, own + 1, own + 2, own + 3, own + 4, own + 5}, {3, 2}),
                 plain = from_vector(std::vector<float>{own, own + 2, own + 4, own + 6}, {4});
    parameters.variables[0].set_grad(transpose(turned));
    parameters.variables[1].set_grad(plain);
    lab::average_gradients(comm, parameters.named, comm.rank() == 0 ? 1 : 3);
    list = parameters.gradients();
    for (const Tensor& tensor : {turned, plain})
      for (const float x : to_vector<float>(tensor)) list.push_back(static_cast<double>(x - own));
  });
}

}  // namespace

LAB_PROBE("11.3") { return text_of(simple_average({1, 3}, everybody)); }
LAB_PROBE("11.3") { return text_of(simple_average({2, 2, 2}, everybody)); }
LAB_PROBE("11.3") { return text_of(simple_average({2, 0, 6}, everybody)); }
LAB_PROBE("11.3") {
  return text_of(simple_average({1, 3}, [](int rank, size_t p) { return p != 1 || rank == 1; })) +
         text_of(simple_average({1, 3}, [](int rank, size_t p) { return p != 1 || rank == 0; }));
}
LAB_PROBE("11.3") {
  return text_of(simple_average({1, 3}, [](int, size_t p) { return p != 2; }));
}
LAB_PROBE("11.3") { return text_of(average_of_views()); }

TEST_SUITE("11.3") {
  TEST_CASE("ranks with equally many images") {
    for (int ranks = 1; ranks <= kRanks; ++ranks) {
      const std::vector<int64_t> images(static_cast<size_t>(ranks), 3);
      for (const lab::Weather& weather : weathers(1121))
        CHECK(problem_of(after_average(images, 1121, everybody, weather), wanted_average(images, 1121, everybody), 1e-5,
                         weather) == "");
    }
  }
  TEST_CASE("ranks with unequally many: every image counts the same") {
    lab::Dice dice(1122);
    for (int ranks = 2; ranks <= kRanks; ++ranks) {
      std::vector<int64_t> images;
      for (int r = 0; r < ranks; ++r) images.push_back(dice.roll(1, 3) + 4 * r);
      for (const lab::Weather& weather : weathers(1122))
        CHECK(problem_of(after_average(images, 1122, everybody, weather), wanted_average(images, 1122, everybody), 1e-5,
                         weather) == "");
    }
  }
  TEST_CASE("a rank without an image takes part") {
    for (const std::vector<int64_t>& images : {std::vector<int64_t>{4, 0}, {0, 3}, {2, 0, 5}, {0, 0, 1, 2}})
      CHECK(problem_of(after_average(images, 1123, everybody, {}), wanted_average(images, 1123, everybody), 1e-5, {}) == "");
  }
  TEST_CASE("a parameter that one rank did not use: the others wait for its sum, and it gets the gradient, too") {
    for (int missing = 0; missing < 3; ++missing) {
      const Has has = [missing](int rank, size_t p) { return p != 1 || rank != missing; };
      const std::vector<int64_t> images{2, 3, 1};
      for (const lab::Weather& weather : weathers(1124))
        CHECK(problem_of(after_average(images, 1124, has, weather), wanted_average(images, 1124, has), 1e-5, weather) == "");
    }
  }
  TEST_CASE("each parameter used by another rank alone") {
    const Has has = [](int rank, size_t p) { return static_cast<size_t>(rank) == p; };
    const std::vector<int64_t> images{1, 2, 4};
    CHECK(problem_of(after_average(images, 1125, has, {}), wanted_average(images, 1125, has), 1e-5, {}) == "");
  }
  TEST_CASE("where no rank has a gradient there is none afterwards: a frozen parameter stays as it is") {
    const Has has = [](int, size_t p) { return p != 0; };
    const std::vector<int64_t> images{2, 1};
    CHECK(problem_of(after_average(images, 1126, has, {}), wanted_average(images, 1126, has), 1e-5, {}) == "");
  }
  TEST_CASE("a gradient that is a view, or another one's memory, is read and stays as it was") {
    const AfterRun after = average_of_views();
    CHECK(after.trouble == "");
    for (const std::vector<double>& list : after.lists)
      CHECK(list ==
            std::vector<double>{7.5, 9.5, 11.5, 8.5, 10.5, 12.5, 7.5, 9.5, 11.5, 13.5, -1000, 0, 1, 2, 3, 4, 5, 0, 2, 4, 6});
  }
}
