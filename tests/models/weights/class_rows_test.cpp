// Which rows of a head survive a change of classes.
#include "models/weights/class_rows.h"

#include "tensor/view.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

const std::vector<std::string> kAnimals{"cat", "dog", "crane", "owl", "crane"};

// Row i is 10 i + 1, 10 i + 2, 10 i + 3.
Tensor animal_weight(Dtype dtype = Dtype::f32) {
  Tensor weight = zeros({5, 3}, dtype);
  for (int64_t i = 0; i < 5; ++i)
    copy_(select(weight, 0, i), arange(static_cast<double>(10 * i + 1), static_cast<double>(10 * i + 4)));
  return weight;
}

Tensor animal_bias(Dtype dtype = Dtype::f32) { return arange(5, 10, 1, dtype); }

}  // namespace

TEST_CASE("rows of classes that both heads know are copied, the others are zeros") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const ClassRows head = keep_class_rows(animal_weight(dtype), animal_bias(dtype), kAnimals, {"ant", "owl", "Cat", "cat"});
    CHECK(head.from == std::vector<int64_t>{-1, 3, -1, 0});
    CHECK(head.kept() == 2);
    CHECK(head.weight.dtype() == dtype);
    CHECK(head.weight.shape() == Shape{4, 3});
    CHECK(to_vector<double>(head.weight) == std::vector<double>{0, 0, 0, 31, 32, 33, 0, 0, 0, 1, 2, 3});
    CHECK(to_vector<double>(head.bias) == std::vector<double>{0, 8, 0, 5});
  }
}

TEST_CASE("the head of the same classes keeps its bits, in their new order too") {
  const std::vector<std::string> names{"cat", "dog", "owl"}, turned{"owl", "cat", "dog"};
  const Tensor weight = rand_normal({3, 4}, 0, 1, Rng(1)), bias = rand_normal({3}, 0, 1, Rng(2));
  const ClassRows same = keep_class_rows(weight, bias, names, names);
  CHECK(same.kept() == 3);
  CHECK(bit_equal(same.weight, weight));
  CHECK(bit_equal(same.bias, bias));
  const ClassRows there = keep_class_rows(weight, bias, names, turned);
  const ClassRows back = keep_class_rows(there.weight, there.bias, turned, names);
  CHECK(bit_equal(select(there.weight, 0, 0), contiguous(select(weight, 0, 2))));
  CHECK(bit_equal(back.weight, weight));
}

TEST_CASE("the new head has memory of its own, and no bias where the old one has none") {
  Tensor weight = animal_weight();
  const ClassRows head = keep_class_rows(weight, {}, kAnimals, {"cat", "lion"});
  CHECK(!head.bias.defined());
  fill_(weight, 7);
  CHECK(head.weight.at({0, 0}) == 1);
  // A view with strides of its own, as a head that is a part of a larger tensor.
  const Tensor turned = transpose(from_vector(std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2}));
  CHECK(to_vector<float>(keep_class_rows(turned, {}, {"a", "b"}, {"b"}).weight) == std::vector<float>{2, 4, 6});
}

TEST_CASE("a name that is not one class is refused, by name and places") {
  const Tensor weight = animal_weight(), bias = animal_bias();
  const auto message = [&](const std::vector<std::string>& names) {
    return refusal(ErrorKind::kValue, [&] { keep_class_rows(weight, bias, kAnimals, names); });
  };
  CHECK_SAYS(message({"cat", "ant", "cat"}), "the names of the new classes must differ: \"cat\" is the name of 0 and 2");
  CHECK_SAYS(message({"cat", "crane"}),
             "the old head has two rows for \"crane\": 2 and 4. Hint: give the new class another name");
  CHECK_SAYS(message({"a\x1b[31m", "a\x1b[31m"}), "\"a\\x1b[31m\" is the name of 0 and 1");
  CHECK_SAYS(message({}), "at least one class: new_names is empty");
}

TEST_CASE("a head that does not fit its names is refused") {
  const auto message = [](const Tensor& weight, const Tensor& bias) {
    return refusal(ErrorKind::kShape, [&] { keep_class_rows(weight, bias, kAnimals, {"cat"}); });
  };
  CHECK_SAYS(message(zeros({4, 3}), zeros({4})), "one row per class: weight is [4, 3], there are 5 names");
  CHECK_SAYS(message(zeros({5}), zeros({5})), "one row per class: weight is [5]");
  CHECK_SAYS(message(zeros({5, 3}), zeros({4})), "one bias per class: bias is [4], there are 5 names");
}
