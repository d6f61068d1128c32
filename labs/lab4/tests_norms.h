// Suites 4.5 to 4.7: layer norm, dropout, initialisation. Included by tests.cpp.
#pragma once

// ---- 4.5 ----

namespace {

struct Normed {
  Tensor y, mean, rstd;
};

Normed layer_normed(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  Shape of_rows;
  for (int i = 0; i + 1 < x.dim(); ++i) of_rows.push_back(x.size(i));
  const Normed n{fresh(x.shape(), x.dtype()), fresh(of_rows), fresh(of_rows)};
  reference::layer_norm(x, weight, bias, eps, n.y, n.mean, n.rstd);
  return n;
}

struct NormSlopes {
  Tensor dx, dweight, dbias;
};

NormSlopes layer_norm_slopes(const Tensor& dy, const Tensor& x, const Tensor& weight, const Normed& n) {
  const NormSlopes d{fresh(x.shape()), fresh({x.size(-1)}), fresh({x.size(-1)})};
  reference::layer_norm_backward(dy, x, weight, n.mean, n.rstd, d.dx, d.dweight, d.dbias);
  return d;
}

// (x - mean) / sqrt(var + eps) w + b by tensor functions: what the gradient is checked against needs nothing of the student's.
Tensor layer_norm_formula(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  const Tensor centred = sub(x, mean(x, {-1}, true)), variance = mean(square(centred), {-1}, true);
  return add(mul(div(centred, sqrt(add(variance, eps))), weight), bias);
}

Tensor rms_norm_formula(const Tensor& x, const Tensor& weight, double eps) {
  return mul(div(x, sqrt(add(mean(square(x), {-1}, true), eps))), weight);
}

Normed statistics_of(const Tensor& x, double eps) {
  const Tensor centre = mean(x, {-1}), variance = mean(square(sub(x, mean(x, {-1}, true))), {-1});
  return {{}, centre, div(ones_like(variance), sqrt(add(variance, eps)))};
}

std::string norm_text(const Normed& n) { return lab::digits(n.y, 4) + lab::digits(n.mean, 4) + lab::digits(n.rstd, 4); }
std::string norm_text(const NormSlopes& d) {
  return lab::digits(d.dx, 4) + lab::digits(d.dweight, 4) + lab::digits(d.dbias, 4);
}

}  // namespace

LAB_PROBE("4.5") { return norm_text(layer_normed(rows({1, 2, 6, 4, 4, 10}, 3), vec({1, 10, 100}), vec({5, 6, 7}), 0.5)); }
LAB_PROBE("4.5") { return norm_text(layer_normed(rows({1, 2, 6, 4, 4, 10}, 3), {}, {}, 0)); }
LAB_PROBE("4.5") { return norm_text(layer_normed(add(rows({1, 2, 6, 4, 4, 10}, 3), 1e8), {}, {}, 0)); }
LAB_PROBE("4.5") { return norm_text(layer_normed(rows({3, 3, 3, 2, 2, 2}, 3), vec({1, 10, 100}), vec({5, 6, 7}), 0)); }
LAB_PROBE("4.5") {
  const Tensor x = rows({1, 2, 6, 4, 4, 10}, 3);
  return norm_text(layer_norm_slopes(rows({1, -1, 2, 3, 0, 1}, 3), x, vec({1, 2, 3}), statistics_of(x, 0)));
}
LAB_PROBE("4.5") {
  const Tensor x = rows({1, 2, 6, 4, 4, 10}, 3), dx = fresh({2, 3}), dw = fresh({3});
  reference::rms_norm_backward(rows({1, -1, 2, 3, 0, 1}, 3), x, vec({1, 2, 3}), vec({0.25, 0.125}), dx, dw, {});
  return lab::digits(dx, 4) + lab::digits(dw, 4);
}

TEST_SUITE("4.5") {
  TEST_CASE("by hand: (1, 2, 6) has mean 3 and variance 14 / 3") {
    const Normed n = layer_normed(rows({1, 2, 6}, 3), vec({1, 2, 3}), vec({10, 20, 30}), 0);
    const double r = std::sqrt(3.0 / 14);
    CHECK(lab::difference(n.y, rows({10 - 2 * r, 20 - 2 * r, 30 + 9 * r}, 3), 1e-12) == "");
    CHECK(lab::difference(n.mean, vec({3}), 1e-12) == "");
    CHECK(lab::difference(n.rstd, vec({r}), 1e-12) == "");
  }
  TEST_CASE("each row has mean 0 and variance 1 afterwards, whatever its strides") {
    const Tensor x = lab::random({2, 3, 40}, 60, 5, 3), y = layer_normed(x, {}, {}, 0).y;
    CHECK(lab::difference(mean(y, {-1}), zeros({2, 3}, Dtype::f64), 1e-10) == "");
    CHECK(lab::difference(mean(square(y), {-1}), ones({2, 3}, Dtype::f64), 1e-10) == "");
  }
  TEST_CASE("eps stands inside the root") {
    const Tensor x = lab::random({3, 8}, 61), w = lab::random({8}, 62), b = lab::random({8}, 63);
    CHECK(lab::difference(layer_normed(x, w, b, 0.7).y, layer_norm_formula(x, w, b, 0.7), 1e-10) == "");
  }
  TEST_CASE("a mean of a hundred million does not drown the differences") {
    const Tensor x = lab::random({3, 8}, 64), far = add(x, 1e8);
    CHECK(lab::difference(layer_normed(far, {}, {}, 0).y, layer_normed(sub(far, 1e8), {}, {}, 0).y, 1e-6) == "");
  }
  TEST_CASE("a row of equal numbers has no deviation: it gives the bias, also without eps") {
    for (const double eps : {0.0, 1e-6}) {
      CAPTURE(eps);
      CHECK(lab::difference(layer_normed(full({2, 3}, 2, Dtype::f64), vec({1, 2, 3}), vec({5, 6, 7}), eps).y,
                            expand(vec({5, 6, 7}), {2, 3}), 0) == "");
    }
  }
  TEST_CASE("the gradients of x, weight and bias agree with central differences") {
    const Tensor x = lab::random({2, 3, 5}, 65), w = lab::random({5}, 66), b = lab::random({5}, 67),
                 dy = lab::random({2, 3, 5}, 68);
    const NormSlopes d = layer_norm_slopes(dy, x, w, statistics_of(x, 0.1));
    const Tensor dx = slope_of([&](const Tensor& at) { return inner(layer_norm_formula(at, w, b, 0.1), dy); }, x);
    const Tensor dw = slope_of([&](const Tensor& at) { return inner(layer_norm_formula(x, at, b, 0.1), dy); }, w);
    const Tensor db = slope_of([&](const Tensor& at) { return inner(layer_norm_formula(x, w, at, 0.1), dy); }, b);
    CHECK(of("gradient of x", lab::difference(d.dx, dx, 1e-7)) == "");
    CHECK(of("gradient of the weight", lab::difference(d.dweight, dw, 1e-7)) == "");
    CHECK(of("gradient of the bias", lab::difference(d.dbias, db, 1e-7)) == "");
  }
  TEST_CASE("dx has no part along 1 and, for eps = 0, none along x: these directions do not change y") {
    const Tensor x = lab::random({4, 6}, 69), dy = lab::random({4, 6}, 70), w = lab::random({6}, 71);
    const Tensor dx = layer_norm_slopes(dy, x, w, statistics_of(x, 0)).dx;
    CHECK(lab::difference(sum(dx, {1}), zeros({4}, Dtype::f64), 1e-10) == "");
    CHECK(lab::difference(sum(mul(dx, x), {1}), zeros({4}, Dtype::f64), 1e-9) == "");
  }
  TEST_CASE("without a mean the same lines are the gradient of RMS normalisation") {
    const Tensor x = lab::random({4, 6}, 72), w = lab::random({6}, 73), dy = lab::random({4, 6}, 74);
    const Tensor rrms = div(ones({4}, Dtype::f64), sqrt(add(mean(square(x), {1}), 0.1))), dx = fresh({4, 6}), dw = fresh({6});
    reference::rms_norm_backward(dy, x, w, rrms, dx, dw, {});
    CHECK(lab::difference(dx, slope_of([&](const Tensor& at) { return inner(rms_norm_formula(at, w, 0.1), dy); }, x), 1e-7) ==
          "");
    CHECK(lab::difference(dw, slope_of([&](const Tensor& at) { return inner(rms_norm_formula(x, at, 0.1), dy); }, w), 1e-7) ==
          "");
  }
}

// ---- 4.6 ----

namespace {

// What the definition keeps: the random word of element i is at least p 2^32.
Tensor kept(const Shape& shape, double p, const Rng& rng) {
  Tensor mask = zeros(shape, Dtype::u8);
  auto* out = mask.mutable_data<uint8_t>();
  for (int64_t i = 0; i < mask.numel(); ++i) {
    const auto word = rng.block(static_cast<uint64_t>(i / 4))[static_cast<size_t>(i % 4)];
    out[i] = static_cast<double>(word) >= std::round(std::ldexp(p, 32));
  }
  return mask;
}

// The number of elements i of 16 that are dropped where their word is exactly the threshold.
int64_t dropped_at_the_threshold() {
  const Rng rng(lab::seed(), 8);
  int64_t dropped = 0;
  for (int64_t i = 0; i < 16; ++i) {
    const auto word = rng.block(static_cast<uint64_t>(i / 4))[static_cast<size_t>(i % 4)];
    const Tensor mask = dropout_forward(ones({16}, Dtype::f64), std::ldexp(static_cast<double>(word), -32), rng).mask;
    dropped += mask.at({i}) != 1;
  }
  return dropped;
}

// "" if the gradient passes where the value passed, although the generator has become another one since.
std::string wrong_after_the_generator_changed() {
  const Variable x(lab::random({40, 30}, 86), true);
  Rng rng(lab::seed(), 9);
  const Variable y = dropout(x, 0.35, true, rng);
  rng = Rng(lab::seed(), 10);
  const Tensor cotangent = lab::random({40, 30}, 87);
  y.backward(cotangent);
  return lab::difference(mul(x.grad(), x.value()), mul(y.value(), cotangent), 1e-10);
}

}  // namespace

LAB_PROBE("4.6") {
  const DropoutResult r = dropout_forward(counting({10}), 0.25, Rng(5));
  return lab::digits(r.output, 4) + lab::digits(to(r.mask, Dtype::f64), 2);
}
LAB_PROBE("4.6") { return lab::digits(dropout_forward(full({6}, kNan, Dtype::f64), 0.5, Rng(5)).output, 4); }
LAB_PROBE("4.6") {
  return lab::digits(dropout_backward(counting({4}), from_vector(std::vector<uint8_t>{1, 0, 0, 1}, {4}), 0.25), 4);
}
LAB_PROBE("4.6") { return lab::digits(dropout(counting({10}), 0.25, false, Rng(5)).value(), 4); }
LAB_PROBE("4.6") {
  const Rng rng(5);
  const Variable x(counting({10}), true), y = dropout(x, 0.25, true, rng);
  sum(y).backward();
  return lab::digits(y.value(), 4) + lab::digits(x.grad(), 4);
}
LAB_PROBE("4.6") { return cat(dropped_at_the_threshold()); }
LAB_PROBE("4.6") { return wrong_after_the_generator_changed().empty() ? "the same mask" : "another mask"; }

TEST_SUITE("4.6") {
  TEST_CASE("element i lives by word i % 4 of block i / 4, and is divided by 1 - p") {
    for (const auto& both :
         std::vector<std::pair<Shape, double>>{{{7, 5}, 0.3}, {{13}, 0.5}, {{4}, 0.9}, {{2, 3, 3}, 0.0}, {{1}, 0.1}}) {
      const auto& shape = both.first;
      const auto& p = both.second;
      CAPTURE(shape);
      CAPTURE(p);
      const Tensor x = lab::random(shape, 80), mask = kept(shape, p, Rng(lab::seed(), 3));
      const DropoutResult r = dropout_forward(x, p, Rng(lab::seed(), 3));
      CHECK(lab::difference(r.mask, mask, 0) == "");
      CHECK(bit_equal(r.mask, mask));
      CHECK(lab::difference(r.output, mul(div(x, 1 - p), to(mask, Dtype::f64)), 1e-12) == "");
    }
  }
  TEST_CASE("the mean stays where it was") {
    const Tensor y = dropout_forward(ones({400, 500}, Dtype::f64), 0.4, Rng(lab::seed(), 4)).output;
    CHECK(mean(y).item() == doctest::Approx(1).epsilon(0.01));
    CHECK(min(y).item() == 0);
  }
  TEST_CASE("what is dropped is 0, even if it was NaN") {
    const DropoutResult r = dropout_forward(full({100}, kNan, Dtype::f64), 0.5, Rng(lab::seed(), 5));
    int64_t wrong = 0;
    for (int64_t i = 0; i < 100; ++i) wrong += std::isnan(r.output.at({i})) != (r.mask.at({i}) == 1);
    CHECK(wrong == 0);
  }
  TEST_CASE("the gradient passes where the value passed, with the same factor") {
    const Tensor mask = from_vector(std::vector<uint8_t>{1, 0, 0, 1}, {2, 2}), dy = lab::random({2, 2}, 81);
    CHECK(lab::difference(dropout_backward(dy, mask, 0.2), mul(mul(dy, 1.25), to(mask, Dtype::f64)), 1e-12) == "");
    const Variable x(lab::random({40, 30}, 82), true);
    const Rng rng(lab::seed(), 6);
    const Variable y = dropout(x, 0.35, true, rng);
    const Tensor cotangent = lab::random({40, 30}, 83);
    y.backward(cotangent);
    CHECK(lab::difference(mul(x.grad(), x.value()), mul(y.value(), cotangent), 1e-10) == "");
  }
  TEST_CASE("outside of training x itself comes back") {
    const Variable x(lab::random({3, 4}, 84), true);
    CHECK(dropout(x, 0.5, false, Rng(1)).meta() == x.meta());
    CHECK(dropout(x, 0, true, Rng(1)).meta() == x.meta());
  }
  TEST_CASE("one thread or four: the same elements") {
    const Tensor x = lab::random({123, 77}, 85);
    const int before = num_threads();
    set_num_threads(1);
    const Tensor one = dropout_forward(x, 0.3, Rng(lab::seed(), 7)).output;
    set_num_threads(4);
    const Tensor four = dropout_forward(x, 0.3, Rng(lab::seed(), 7)).output;
    set_num_threads(before);
    CHECK(bit_equal(one, four));
  }
  TEST_CASE("a word that is exactly the threshold keeps its element") { CHECK(dropped_at_the_threshold() == 0); }
  TEST_CASE("the mask is kept, not drawn again: the generator may have gone on since") {
    CHECK(wrong_after_the_generator_changed() == "");
  }
}

// ---- 4.7 ----

namespace {

double deviation(const Tensor& x) { return std::sqrt(var(to(x, Dtype::f64)).item()); }
double largest(const Tensor& x) { return max(abs(x)).item(); }

constexpr int64_t kOut = 60, kIn = 40;  // of a weight [60, 40, 3, 5]: fan in 600, fan out 900
const Shape kKernel{kOut, kIn, 3, 5};

std::string draw_text(Tensor (*scheme)(const Shape&, Rng&)) {
  Rng rng(5);
  const Tensor first = scheme({3, 2, 2, 2}, rng), second = scheme({3, 2, 2, 2}, rng);
  return lab::digits(Values{first.at({0, 0, 0, 0}), first.at({1, 1, 0, 1}), second.at({0, 0, 0, 0})}, 5) +
         cat(name_of(first.dtype()));
}

}  // namespace

LAB_PROBE("4.7") {
  return cat(nn::fan_in({3, 4}), " ", nn::fan_out({3, 4}), " ", nn::fan_in({3, 4, 5, 7}), " ", nn::fan_out({3, 4, 5, 7}));
}
LAB_PROBE("4.7") { return draw_text(nn::xavier_uniform); }
LAB_PROBE("4.7") { return draw_text(nn::kaiming_normal); }
LAB_PROBE("4.7") { return draw_text(nn::lecun_normal); }
LAB_PROBE("4.7") {
  Rng rng(5);
  const Tensor x = nn::trunc_normal({100, 100}, 0.5, rng), y = nn::trunc_normal({1000}, 5, rng);
  const double on_the_border = sum(to(greater(abs(x), full({}, 0.9999)), Dtype::f64)).item();
  return cat(largest(x) < 1.0001, largest(x) > 0.99, std::abs(deviation(x) - 0.44) < 0.02,
             on_the_border<20, " ", largest(y) < 2.0001, largest(y) < 10.001, largest(y)> 9);
}

TEST_SUITE("4.7") {
  TEST_CASE("fans: what an output reads, and what reads an input") {
    CHECK(nn::fan_in({3, 4}) == 4);
    CHECK(nn::fan_out({3, 4}) == 3);
    CHECK(nn::fan_in({3, 4, 5, 7}) == 140);
    CHECK(nn::fan_out({3, 4, 5, 7}) == 105);
  }
  TEST_CASE("each scheme has its variance, on a weight whose fans differ") {
    Rng rng(lab::seed());
    CHECK(deviation(nn::trunc_normal(kKernel, 0.02, rng)) == doctest::Approx(0.02 * 0.8796).epsilon(0.02).scale(0));
    CHECK(deviation(nn::xavier_uniform(kKernel, rng)) == doctest::Approx(std::sqrt(2.0 / 1500)).epsilon(0.02).scale(0));
    CHECK(deviation(nn::kaiming_normal(kKernel, rng)) == doctest::Approx(std::sqrt(2.0 / 600)).epsilon(0.02).scale(0));
    CHECK(deviation(nn::lecun_normal(kKernel, rng)) == doctest::Approx(std::sqrt(1.0 / 600)).epsilon(0.02).scale(0));
  }
  TEST_CASE("uniform numbers fill their range and stay inside; normal ones do not stop there") {
    Rng rng(lab::seed());
    const double bound = std::sqrt(6.0 / 1500);
    const double reach = largest(nn::xavier_uniform(kKernel, rng));
    CHECK(reach <= bound * 1.000001);
    CHECK(reach > bound * 0.999);
    CHECK(largest(nn::kaiming_normal(kKernel, rng)) > 3 * std::sqrt(2.0 / 600));
  }
  TEST_CASE("cut at two deviations, redrawn and not clamped") {
    Rng rng(lab::seed());
    const Tensor x = nn::trunc_normal({200, 300}, 3, rng);
    CHECK(x.dtype() == Dtype::f32);
    CHECK(largest(x) <= 6.00001);
    CHECK(largest(x) > 5.9);
    CHECK(sum(to(greater(abs(x), full({}, 5.9999)), Dtype::f64)).item() < 20);  // clamping would leave 2730 there
    CHECK(largest(nn::lecun_normal(kKernel, rng)) <= 2.00001 / std::sqrt(600.0) / 0.87962566103423978);
  }
  TEST_CASE("two weights of one generator differ, and a seed gives the same weights again") {
    for (const auto scheme : {static_cast<Tensor (*)(const Shape&, Rng&)>(nn::xavier_uniform),
                              static_cast<Tensor (*)(const Shape&, Rng&)>(nn::kaiming_normal),
                              static_cast<Tensor (*)(const Shape&, Rng&)>(nn::lecun_normal)}) {
      Rng rng(lab::seed()), again(lab::seed());
      const Tensor first = scheme({30, 20}, rng), second = scheme({30, 20}, rng);
      CHECK_FALSE(bit_equal(first, second));
      CHECK(bit_equal(first, scheme({30, 20}, again)));
    }
    Rng rng(lab::seed());
    CHECK_FALSE(bit_equal(nn::trunc_normal({30}, 1, rng), nn::trunc_normal({30}, 1, rng)));
  }
}
