// Exercises 1.5 to 1.7; part of tests.cpp, whose helpers it uses.
#pragma once

namespace {

// The strides that new_shape must have, if any: read off the places of its unit steps, then proven on every element.
std::optional<Shape> forced_strides(const Shape& shape, const Shape& strides, const Shape& new_shape) {
  std::vector<int64_t> places;
  for (const Index& index : indices_of(shape)) places.push_back(place(index, strides));
  Shape result = new_shape;
  int64_t below = 1;
  for (int i = new_shape.size() - 1; i >= 0; --i) {
    result[i] = new_shape[i] > 1 ? places[static_cast<size_t>(below)] - places[0] : 0;
    below *= new_shape[i];
  }
  size_t n = 0;
  for (const Index& index : indices_of(new_shape)) {
    if (places[0] + place(index, result) != places[n++]) return std::nullopt;
  }
  return result;
}

// A random shape with this number of elements.
Shape regrouped(lab::Dice& dice, int64_t numel) {
  Shape shape;
  while (numel > 1 && shape.size() < 5) {
    int64_t factor = dice.roll(1, numel);
    while (numel % factor != 0) --factor;
    shape.push_back(factor);
    numel /= factor;
  }
  shape.push_back(numel);
  return shape;
}

// "" if view_strides() is right about these three; else what is wrong.
std::string wrong_reshape(const Shape& shape, const Shape& strides, const Shape& new_shape) {
  const std::optional<Shape> wanted = forced_strides(shape, strides, new_shape);
  Shape given;
  const bool is_view = view_strides(shape, strides, new_shape, &given);
  if (is_view && !wanted)
    return cat("it gives strides ", given, ", but no strides show the elements in this shape: it should return false");
  if (!is_view && wanted) return cat("it returns false, but strides ", *wanted, " show the elements in this shape");
  if (!is_view) return "";
  if (given.size() != new_shape.size()) return cat("it gives ", given.size(), " strides for ", new_shape.size(), " axes");
  for (int i = 0; i < new_shape.size(); ++i) {
    if (new_shape[i] > 1 && given[i] != (*wanted)[i])
      return cat("it gives strides ", given, ", they should be ", *wanted, " (those of axes of extent 1 do not matter)");
  }
  return "";
}

void check_reshape(const Shape& shape, const Shape& strides, const Shape& new_shape) {
  CAPTURE(shape);
  CAPTURE(strides);
  CAPTURE(new_shape);
  CHECK(wrong_reshape(shape, strides, new_shape) == "");
}

}  // namespace

LAB_PROBE("1.5") {
  std::string text;
  for (const auto& [shape, strides, wanted] : std::vector<std::tuple<Shape, Shape, Shape>>{{{2, 3, 4}, {12, 4, 1}, {6, 4}},
                                                                                           {{3, 4}, {1, 3}, {12}},
                                                                                           {{3, 4}, {1, 3}, {3, 2, 2}},
                                                                                           {{2, 1, 3}, {3, 77, 1}, {6}},
                                                                                           {{4, 3}, {0, 1}, {2, 2, 3}},
                                                                                           {{3, 4}, {5, 1}, {2, 6}}}) {
    Shape given;
    text += view_strides(shape, strides, wanted, &given) ? cat(given) : "no ";
  }
  return text;
}

TEST_SUITE("1.5") {
  TEST_CASE("a contiguous tensor takes any shape") {
    check_reshape({2, 3, 4}, {12, 4, 1}, {6, 4});
    check_reshape({2, 3, 4}, {12, 4, 1}, {24});
    check_reshape({24}, {1}, {2, 2, 2, 3});
    check_reshape({}, {}, {1, 1});
    check_reshape({1}, {1}, {});
  }
  TEST_CASE("a transposed one keeps its axes but cannot merge them") {
    check_reshape({3, 4}, {1, 3}, {12});
    check_reshape({3, 4}, {1, 3}, {3, 2, 2});
    check_reshape({3, 4}, {1, 3}, {3, 1, 4});
  }
  TEST_CASE("axes of extent one with odd strides stand in nobody's way") {
    check_reshape({2, 1, 3}, {3, 77, 1}, {6});
    check_reshape({1, 6}, {99, 2}, {2, 3});
  }
  TEST_CASE("a repeated axis (stride 0) merges with nothing but itself") {
    check_reshape({4, 3}, {0, 1}, {12});
    check_reshape({4, 3}, {0, 1}, {2, 2, 3});
    check_reshape({2, 2}, {0, 0}, {4});
  }
  TEST_CASE("any layout, any shape") {
    lab::Dice dice(17);
    for (int round = 0; round < 400; ++round) {
      const Shape shape = random_shape(dice, static_cast<int>(dice.roll(0, 4)), 1, 4);
      Shape strides(shape);
      int64_t stride = dice.roll(1, 2);
      std::vector<int> order;
      for (int i = 0; i < shape.size(); ++i) order.insert(order.begin() + dice.roll(0, i), i);
      for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
        strides[*axis] = shape[*axis] == 1 ? dice.roll(0, 50) : stride;
        stride *= shape[*axis] + (dice.roll(0, 3) == 0 ? 1 : 0);
      }
      check_reshape(shape, strides, regrouped(dice, product(shape)));
    }
  }
}

namespace {

// Copies into fresh memory of another layout and tells the first element that differs; gaps must stay untouched.
std::string copied(const Tensor& from, const Tensor& to) {
  auto* memory = static_cast<int64_t*>(to.storage()->data());
  const int64_t n = static_cast<int64_t>(to.storage()->bytes() / 8);
  std::fill(memory, memory + n, -7);
  reference::copy(to, from);
  const std::string wrong = wrong_elements(to, [&](const Index& index) { return element(from, index); });
  if (!wrong.empty()) return wrong;
  int64_t touched = 0;
  for (int64_t i = 0; i < n; ++i) touched += memory[i] != -7;
  return touched == product(from.shape()) ? "" : cat(touched, " places were written for ", product(from.shape()), " elements");
}

}  // namespace

LAB_PROBE("1.6") {
  // Inside a large memory, so that a walk that goes astray reads what is known.
  const Tensor x(counted({4000}).storage(), {2, 3, 2}, {1, 4, 13}, 2000, Dtype::i64);
  const Tensor y(counted({4000}).storage(), {2, 3, 2}, {6, 2, 1}, 1000, Dtype::i64);
  reference::copy(y, x);
  std::string text;
  for (int64_t i = -4; i < 20; ++i) text += cat(y.data<int64_t>()[i], " ");
  return text;
}
LAB_PROBE("1.6") {
  const Tensor y(counted({400}).storage(), {2, 3}, {3, 9}, 200, Dtype::i64);
  reference::copy(y, Tensor(counted({400}).storage(), {2, 3}, {3, 1}, 100, Dtype::i64));
  std::string text;
  for (int64_t i = -4; i < 40; ++i) text += cat(y.data<int64_t>()[i], " ");
  return text;
}

TEST_SUITE("1.6") {
  TEST_CASE("from any layout to any layout") {
    lab::Dice dice(19);
    for (int round = 0; round < 40; ++round) {
      const Shape shape = random_shape(dice, round % 5, 1, 4);
      const Tensor from = scattered(dice, shape, 40000), to = scattered(dice, shape, 40000);
      CAPTURE(shape);
      CAPTURE(from.strides());
      CAPTURE(to.strides());
      CHECK(copied(from, to) == "");
    }
  }
  TEST_CASE("a repeated axis is read again and again") {
    const Tensor from(counted({4000}).storage(), {4, 3}, {0, 1}, 2000, Dtype::i64);
    CHECK(copied(from, roomy({4, 3})) == "");
  }
  TEST_CASE("numbers become the other type by convert(): cut off, and kept in its range") {
    const Tensor from(std::make_shared<Storage>(24), {3}, {1}, 0, Dtype::f64),
        to(std::make_shared<Storage>(3), {3}, {1}, 0, Dtype::u8);
    auto* x = static_cast<double*>(from.storage()->data());
    x[0] = 3.99, x[1] = 300, x[2] = -5;
    reference::copy(to, from);
    const uint8_t* y = to.data<uint8_t>();
    CHECK(std::vector<int>{y[0], y[1], y[2]} == std::vector<int>{3, 255, 0});
    const Tensor large = counted({2}), back = counted({2});
    static_cast<int64_t*>(large.storage()->data())[1] = (int64_t{1} << 53) + 1;  // no float holds it
    reference::copy(back, large);
    CHECK(element(back, {1}) == (int64_t{1} << 53) + 1);
  }
  TEST_CASE("nothing is copied where an extent is 0") {
    const Tensor to = counted({5});
    reference::copy(Tensor(to.storage(), {2, 0}, {1, 1}, 0, Dtype::i64), Tensor(to.storage(), {2, 0}, {1, 1}, 0, Dtype::i64));
    CHECK(copied(counted({1}), counted({1})) == "");
    CHECK(element(to, {0}) == 0);
  }
}

namespace {

double inner(const Tensor& a, const Tensor& b) {  // <a, b>, element by element
  double sum = 0;
  for (const Index& index : indices_of(a.shape()))
    sum += a.data<double>()[place(index, a.strides())] * b.data<double>()[place(index, b.strides())];
  return sum;
}

Tensor noise(lab::Dice& dice, const Shape& shape) {
  const Tensor x(std::make_shared<Storage>(product(shape) * 8), shape, row_major(shape), 0, Dtype::f64);
  for (int64_t i = 0; i < product(shape); ++i) static_cast<double*>(x.storage()->data())[i] = dice.uniform(-1, 1);
  return x;
}

}  // namespace

namespace {

// Shape and elements in row-major order.
std::string shown(const Tensor& x) {
  std::string text = cat(x.shape());
  for (const Index& index : indices_of(x.shape())) text += cat(" ", x.data<double>()[place(index, x.strides())]);
  return text;
}

}  // namespace

LAB_PROBE("1.7") { return shown(sum_to(numbers({2, 3, 4}), {3, 1})); }
LAB_PROBE("1.7") { return shown(sum_to(numbers({2, 3}), {3})); }
LAB_PROBE("1.7") { return shown(sum_to(numbers({2, 3}), {2, 1})); }
LAB_PROBE("1.7") { return shown(sum_to(numbers({2, 3}), {})); }
LAB_PROBE("1.7") { return shown(sum_to(numbers({3, 3}), {3})); }
LAB_PROBE("1.7") { return shown(sum_to(numbers({3, 3, 3}), {1, 3})); }

TEST_SUITE("1.7") {
  TEST_CASE("added axes and repeated axes are summed") {
    const Tensor x = counted({2, 3, 4});
    const Tensor y = sum_to(x, {3, 1});
    REQUIRE(y.shape() == Shape{3, 1});
    for (int64_t j = 0; j < 3; ++j) {
      int64_t wanted = 0;
      for (int64_t i = 0; i < 2; ++i) {
        for (int64_t k = 0; k < 4; ++k) wanted += element(x, {i, j, k});
      }
      CHECK(element(y, {j, 0}) == wanted);
    }
    CHECK(sum_to(x, {}).numel() == 1);
    CHECK(sum_to(x, {1, 1, 1}).shape() == Shape{1, 1, 1});
  }
  TEST_CASE("<expand(a), g> = <a, sum_to(g)> for random shapes") {
    lab::Dice dice(23);
    for (int round = 0; round < 40; ++round) {
      const Shape wide = random_shape(dice, 1 + round % 4, 1, 4);
      Shape narrow;
      for (int axis = static_cast<int>(dice.roll(0, wide.size() - 1)); axis < wide.size(); ++axis)
        narrow.push_back(dice.roll(0, 1) ? wide[axis] : 1);
      CAPTURE(wide);
      CAPTURE(narrow);
      const Tensor a = noise(dice, narrow), g = noise(dice, wide), back = sum_to(g, narrow);
      REQUIRE(back.shape() == narrow);
      CHECK(inner(expand(a, wide), g) == doctest::Approx(inner(a, back)));
    }
  }
}
