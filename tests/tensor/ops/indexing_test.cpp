#include "tensor/ops/indexing.h"

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <string>

#include "tensor/machine/parallel.h"
#include "tensor/rng.h"
#include "tensor/view.h"

using namespace vitrail;

namespace {

std::string message_of(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

constexpr Dtype kAll[] = {Dtype::f32, Dtype::f64, Dtype::i64, Dtype::u8};

// A small tensor of distinct-ish integers, stored transposed every other time so that strides matter.
Tensor sample(const Shape& shape, Dtype dtype, uint64_t seed) {
  Tensor x = to(rand_int(shape, 0, 100, Rng(seed)), dtype);
  return seed % 2 && x.dim() >= 2 ? transpose(contiguous(transpose(x, 0, -1)), 0, -1) : x;
}

// Calls fn for every index of a shape.
void for_each_index(const Shape& shape, const std::function<void(const std::vector<int64_t>&)>& fn) {
  std::vector<int64_t> index(shape.size(), 0);
  for (int64_t n = checked_numel(shape), i = 0; i < n; ++i) {
    int64_t rest = i;
    for (int a = shape.size() - 1; a >= 0; --a) index[a] = rest % shape[a], rest /= shape[a];
    fn(index);
  }
}

Shape random_shape(uint64_t seed, int rank) {
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push_back(1 + static_cast<int64_t>(Rng(seed, 77).below(i, 4)));
  return shape;
}

}  // namespace

TEST_CASE("index_select picks slices as a plain loop does, for every dtype, axis and layout") {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const int rank = 1 + seed % 4, axis = static_cast<int>(seed / 2) % rank;
    const Tensor x = sample(random_shape(seed, rank), kAll[seed % 4], seed);
    const Tensor index = rand_int({2, 3}, -x.size(axis), x.size(axis), Rng(seed, 5));
    const Tensor y = index_select(x, axis - rank, index);
    REQUIRE(y.dim() == rank + 1);
    for_each_index(y.shape(), [&](const std::vector<int64_t>& at) {
      std::vector<int64_t> from(at.begin(), at.begin() + axis);
      from.push_back(static_cast<int64_t>(index.at({at[axis], at[axis + 1]})));
      from.insert(from.end(), at.begin() + axis + 2, at.end());
      CHECK(y.at(at) == x.at(from));
    });
  }
}

TEST_CASE("gather reads and scatter_add writes the cells that a plain loop does") {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const int rank = 1 + seed % 4, axis = static_cast<int>(seed / 2) % rank;
    const Tensor x = sample(random_shape(seed, rank), kAll[seed % 4], seed);
    Shape shape = x.shape();
    shape[axis] = 5;
    if (rank > 1) shape[(axis + 1) % rank] = 1;  // shorter than x off the axis
    const Tensor index = rand_int(shape, -x.size(axis), x.size(axis), Rng(seed, 6));
    const Tensor y = gather(x, axis, index), src = sample(shape, x.dtype(), seed + 1);
    Tensor expected = clone(x);
    for_each_index(shape, [&](std::vector<int64_t> at) {
      const double picked = y.at(at), added = src.at(at);
      at[axis] = static_cast<int64_t>(index.at(at));
      CHECK(picked == x.at(at));
      Tensor cell = expected;
      for (int64_t i : at) cell = select(cell, 0, i);
      fill_(cell, cell.item() + added - (x.dtype() == Dtype::u8 && cell.item() + added > 255 ? 256 : 0));
    });
    CHECK(bit_equal(scatter_add(x, axis, index, src), expected));
  }
}

TEST_CASE("index_add is the transpose of index_select: <index_add(dy), x> = <dy, index_select(x)>") {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const int rank = 1 + seed % 3, axis = static_cast<int>(seed) % rank;
    const Tensor x = sample(random_shape(seed, rank), Dtype::f64, seed);
    const Tensor index = rand_int({7}, 0, x.size(axis), Rng(seed, 8));
    const Tensor y = index_select(x, axis, index), dy = sample(y.shape(), Dtype::f64, seed + 1);
    const auto dot = [](const Tensor& a, const Tensor& b) {
      const auto u = to_vector<double>(a), v = to_vector<double>(b);
      double total = 0;
      for (size_t i = 0; i < u.size(); ++i) total += u[i] * v[i];
      return total;
    };
    CHECK(dot(index_add(x.shape(), axis, index, dy), x) == dot(dy, y));
  }
}

TEST_CASE("scatter_add and index_add give the same bits for 1, 2 and 4 threads") {
  const Tensor dy = rand_normal({3000, 40}, 0, 1, Rng(1)), index = rand_int({3000}, 0, 17, Rng(2));
  const Tensor wide = expand(unsqueeze(index, 1), {3000, 40});
  const int before = num_threads();
  set_num_threads(1);
  const Tensor a = index_add({17, 40}, 0, index, dy), b = scatter_add(zeros({17, 40}), 0, wide, dy);
  for (int threads : {2, 4}) {
    set_num_threads(threads);
    CHECK(bit_equal(index_add({17, 40}, 0, index, dy), a));
    CHECK(bit_equal(scatter_add(zeros({17, 40}), 0, wide, dy), b));
  }
  set_num_threads(before);
  CHECK(bit_equal(a, b));
}

TEST_CASE("embedding takes rows and one_hot marks the class") {
  const Tensor weight = from_vector(std::vector<float>{0, 1, 10, 11, 20, 21}, {3, 2});
  const Tensor index = from_vector(std::vector<int64_t>{2, 0}, {1, 2});
  CHECK(to_vector<float>(embedding(weight, index)) == std::vector<float>{20, 21, 0, 1});
  CHECK(embedding(weight, index).shape() == Shape{1, 2, 2});
  CHECK(to_vector<int64_t>(one_hot(index, 3)) == std::vector<int64_t>{0, 0, 1, 1, 0, 0});
  CHECK(one_hot(index, 3, Dtype::u8).dtype() == Dtype::u8);
  CHECK(contains(message_of([&] { one_hot(index, 2); }), "[one_hot] index out of range: 2 is not in [0, 2)"));
  CHECK(contains(message_of([&] { embedding(weight, full({1}, -1, Dtype::i64)); }), "-1 is not in [0, 3)"));
}

TEST_CASE("an index out of range or of another dtype is refused by name") {
  const Tensor x = zeros({2, 3});
  CHECK(contains(message_of([&] { index_select(x, 1, full({1}, 3, Dtype::i64)); }), "[index_select] index out of range: 3"));
  CHECK(contains(message_of([&] { gather(x, 1, full({2, 1}, -4, Dtype::i64)); }), "-4 is not in [-3, 3)"));
  CHECK(contains(message_of([&] { gather(x, 1, zeros({3, 1}, Dtype::i64)); }), "longer than x off the axis"));
  CHECK(contains(message_of([&] { index_select(x, 1, zeros({1})); }), "indices must be i64: index is f32"));
  CHECK(contains(message_of([&] { index_select(zeros({0, 3}), 0, zeros({1}, Dtype::i64)); }), "extent 0"));
  CHECK(contains(message_of([&] { scatter_add(x, 0, zeros({1, 3}, Dtype::i64), zeros({3})); }), "must have one shape"));
}

TEST_CASE("concat joins parts of any layout, and split gives them back") {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const int rank = 1 + seed % 4, axis = static_cast<int>(seed / 2) % rank;
    std::vector<Tensor> parts;
    std::vector<int64_t> lengths;
    for (uint64_t p = 0; p < 3; ++p) {
      Shape shape = random_shape(seed, rank);
      shape[axis] = static_cast<int64_t>((seed + p * 2) % 4);
      lengths.push_back(shape[axis]);
      parts.push_back(sample(shape, kAll[seed % 4], seed + p));
    }
    const Tensor joined = concat(parts, axis - rank);
    const std::vector<Tensor> back = split(joined, lengths, axis);
    for (size_t p = 0; p < 3; ++p) CHECK(bit_equal(back[p], parts[p]));
  }
}

TEST_CASE("a class token expanded over the batch joins the tokens along axis 1") {
  const Tensor token = rand_normal({1, 1, 8}, 0, 1, Rng(1)), x = rand_normal({64, 5, 8}, 0, 1, Rng(2));
  const Tensor y = concat({expand(token, {64, 1, 8}), x}, 1);
  for (int64_t b : {0, 31, 63}) CHECK(bit_equal(select(select(y, 0, b), 0, 0), reshape(token, {8})));
  CHECK(bit_equal(slice(y, 1, 1, 6), x));
}

TEST_CASE("split and chunk are views") {
  Tensor x = zeros({5, 2});
  auto parts = chunk(x, 2, 0);
  CHECK(parts[0].shape() == Shape{3, 2});
  CHECK(parts[1].shape() == Shape{2, 2});
  fill_(parts[1], 7);
  CHECK(x.at({3, 0}) == 7);
  CHECK(x.at({2, 1}) == 0);
}

TEST_CASE("stack makes a new axis, first, last or between") {
  const Tensor a = from_vector(std::vector<float>{1, 2}, {2}), b = from_vector(std::vector<float>{3, 4}, {2});
  CHECK(to_vector<float>(stack({a, b}, 0)) == std::vector<float>{1, 2, 3, 4});
  CHECK(to_vector<float>(stack({a, b}, -1)) == std::vector<float>{1, 3, 2, 4});
  CHECK(stack({scalar(1), scalar(2)}, 0).shape() == Shape{2});
}

TEST_CASE("concat, stack, split and chunk say what does not fit") {
  CHECK(contains(message_of([] { concat({}, 0); }), "at least one part"));
  CHECK(contains(message_of([] { concat({zeros({2, 3}), zeros({2, 4})}, 0); }), "the first part is [2, 3], another is [2, 4]"));
  CHECK(contains(message_of([] { concat({zeros({2}), zeros({2}, Dtype::f64)}, 0); }), "the first part is f32, another is f64"));
  CHECK(contains(message_of([] { stack({zeros({2}), zeros({3})}, 0); }), "[stack] shapes differ"));
  CHECK(contains(message_of([] { split(zeros({5}), {2, 2}, 0); }), "leave 1 of axis 0 of [5] over"));
  CHECK(contains(message_of([] { split(zeros({5}), {4, 2}, 0); }), "more than axis 0"));
  CHECK(contains(message_of([] { chunk(zeros({5}), 6, 0); }), "1 to 5 parts"));
}

TEST_CASE("pad fills, mirrors or repeats the border, and crops with negative numbers") {
  const Tensor x = from_vector(std::vector<float>{1, 2, 3}, {3});
  CHECK(to_vector<float>(pad(x, {1}, {2}, PadMode::kConstant, 9)) == std::vector<float>{9, 1, 2, 3, 9, 9});
  CHECK(to_vector<float>(pad(x, {-1}, {1})) == std::vector<float>{2, 3, 0});
  CHECK(to_vector<float>(pad(x, {2}, {2}, PadMode::kReflect)) == std::vector<float>{3, 2, 1, 2, 3, 2, 1});
  CHECK(to_vector<float>(pad(x, {2}, {1}, PadMode::kEdge)) == std::vector<float>{1, 1, 1, 2, 3, 3});
  CHECK(contains(message_of([&] { pad(x, {3}, {0}, PadMode::kReflect); }), "nothing to reflect: x is [3]"));
  CHECK(contains(message_of([&] { pad(x, {-2}, {-2}); }), "negative or too large extent"));
  CHECK(pad(zeros({0, 2}), {1, 0}, {1, 0}).shape() == Shape{2, 2});
}

TEST_CASE("pad checks the size of its result before it asks for memory, and survives any numbers") {
  const Tensor x = from_vector(std::vector<float>{1, 2, 3}, {3});
  constexpr int64_t kHigh = std::numeric_limits<int64_t>::max(), kLow = std::numeric_limits<int64_t>::min();
  for (const PadMode mode : {PadMode::kConstant, PadMode::kEdge}) {
    for (const auto& [before, after] : {std::pair{kHigh, int64_t{0}}, {kHigh / 2, kHigh / 2}, {int64_t{1} << 61, int64_t{0}}}) {
      CHECK(message_of([&, b = before, a = after] { pad(x, {b}, {a}, mode); }) != "");
    }
    const Tensor wide = zeros({1, 1});
    CHECK(contains(message_of([&] { pad(wide, {int64_t{1} << 32, int64_t{1} << 32}, {0, 0}, mode); }), "[pad] too many"));
  }
  CHECK(contains(message_of([&] { pad(x, {kLow}, {0}); }), "negative or too large extent"));
  CHECK(to_vector<float>(pad(x, {kLow}, {kHigh})) == std::vector<float>{0, 0});  // all of x is cropped
  CHECK(to_vector<float>(pad(x, {-4}, {3})) == std::vector<float>{0, 0});
  CHECK(contains(message_of([&] { pad(x, {-1}, {2}, PadMode::kEdge); }), "only constant padding may crop"));
  CHECK(contains(message_of([&] { pad(zeros({0}), {1}, {0}, PadMode::kEdge); }), "nothing to repeat"));
  const Tensor grid = reshape(arange(0, 12), {3, 4});
  const Tensor mirrored = pad(transpose(grid), {1, 2}, {3, 0}, PadMode::kReflect);
  CHECK(mirrored.shape() == Shape{8, 5});
  CHECK(mirrored.at({0, 0}) == grid.at({2, 1}));
  CHECK(mirrored.at({7, 4}) == grid.at({2, 0}));
}

TEST_CASE("roll takes any shift and checks its axis") {
  const Tensor x = from_vector(std::vector<int64_t>{1, 2, 3}, {3});
  constexpr int64_t kHigh = std::numeric_limits<int64_t>::max(), kLow = std::numeric_limits<int64_t>::min();
  CHECK(to_vector<int64_t>(roll(x, kHigh, 0)) == to_vector<int64_t>(roll(x, kHigh % 3, 0)));
  CHECK(to_vector<int64_t>(roll(x, kLow, -1)) == to_vector<int64_t>(roll(x, kLow % 3, 0)));
  CHECK(to_vector<int64_t>(roll(x, -1, 0)) == std::vector<int64_t>{2, 3, 1});
  CHECK(roll(scalar(2), 5, 0).item() == 2);
  CHECK(roll(zeros({0}), 5, 0).numel() == 0);
  CHECK(contains(message_of([&] { roll(x, 1, 1); }), "[roll] axis out of range: axis is 1, rank is 1"));
  CHECK(contains(message_of([&] { roll(scalar(2), 1, 1); }), "[roll] axis out of range"));
  CHECK(message_of([&] { roll(Tensor(), 1, 0); }) != "");
}

TEST_CASE("tile, flip and roll agree with index arithmetic") {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Tensor x = sample(random_shape(seed, 3), kAll[seed % 4], seed);
    const Tensor tiled = tile(x, {2, 1, 3}), flipped = flip(x, {0, -1}), rolled = roll(x, 5 - static_cast<int64_t>(seed), 1);
    const int64_t a = x.size(0), b = x.size(1), c = x.size(2);
    for_each_index(tiled.shape(), [&](const std::vector<int64_t>& i) {
      CHECK(tiled.at(i) == x.at({i[0] % a, i[1], i[2] % c}));
    });
    for_each_index(x.shape(), [&](const std::vector<int64_t>& i) {
      CHECK(flipped.at(i) == x.at({a - 1 - i[0], i[1], c - 1 - i[2]}));
      const int64_t target = ((i[1] + 5 - static_cast<int64_t>(seed)) % b + b) % b;
      CHECK(rolled.at({i[0], target, i[2]}) == x.at(i));
    });
  }
}

TEST_CASE("tril and triu keep the parts on either side of a diagonal") {
  const Tensor x = sample({2, 3, 4}, Dtype::f32, 3);
  for (int64_t k : {-5, -1, 0, 2, 9}) {
    const Tensor low = tril(x, k), high = triu(x, k);
    for_each_index(x.shape(), [&](const std::vector<int64_t>& i) {
      CHECK(low.at(i) == (i[2] - i[1] <= k ? x.at(i) : 0));
      CHECK(high.at(i) == (i[2] - i[1] >= k ? x.at(i) : 0));
    });
  }
  CHECK(contains(message_of([] { tril(zeros({3})); }), "[tril] needs at least two axes"));
}

TEST_CASE("zero-size tensors pass through every arrangement") {
  const Tensor none = zeros({0, 3});
  CHECK(flip(none, {0}).shape() == Shape{0, 3});
  CHECK(roll(none, 1, 0).shape() == Shape{0, 3});
  CHECK(tril(none).shape() == Shape{0, 3});
  CHECK(tile(none, {2, 2}).shape() == Shape{0, 6});
  CHECK(tile(zeros({2, 3}), {0, 1}).shape() == Shape{0, 3});
  CHECK(concat({none, none}, 0).shape() == Shape{0, 3});
  CHECK(index_select(zeros({2, 3}), 0, zeros({0}, Dtype::i64)).shape() == Shape{0, 3});
  CHECK(scatter_add(zeros({2}), 0, zeros({0}, Dtype::i64), zeros({0})).shape() == Shape{2});
}

TEST_CASE("results never share memory with their input, even where nothing changes") {
  const Tensor x = ones({2, 2});
  for (const Tensor& y : {flip(x, {}), roll(x, 0, 0), tile(x, {1, 1}), pad(x, {0, 0}, {0, 0}, PadMode::kEdge), tril(x, 5)}) {
    CHECK(y.storage() != x.storage());
    CHECK(bit_equal(x, y));
  }
}
