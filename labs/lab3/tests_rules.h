// Suites 3.4 to 3.6: each rule is called as record() stored it, without the engine. Included by tests.cpp.
#pragma once

namespace {

// The gradients of all inputs of the op that made y, by its rule alone.
std::vector<Tensor> gradients(const Variable& y, const Tensor& dy) {
  if (!y.node()) throw std::runtime_error("the result was not recorded: it is a constant");
  Grads d(*y.node());
  y.node()->backward(dy, d);
  std::vector<Tensor> all;
  for (int i = 0; i < d.size(); ++i) all.push_back(d[i]);
  return all;
}

double inner(const Tensor& a, const Tensor& b) { return sum(mul(a, b)).item(); }

// d<dy, fn(inputs)> / d(inputs[which]) by central differences, element by element.
Tensor by_differences(const Function& fn, std::vector<Tensor> inputs, size_t which, const Tensor& dy) {
  const NoGradGuard no_grad;
  const double eps = 1e-6;
  Tensor point = clone(inputs[which]), slope = empty_like(point);
  inputs[which] = point;
  const auto value = [&] { return inner(dy, fn(std::vector<Variable>(inputs.begin(), inputs.end())).value()); };
  for (int64_t i = 0; i < point.numel(); ++i) {
    const double before = point.data<double>()[i];
    point.mutable_data<double>()[i] = before + eps;
    const double high = value();
    point.mutable_data<double>()[i] = before - eps;
    const double low = value();
    point.mutable_data<double>()[i] = before;
    slope.mutable_data<double>()[i] = (high - low) / (2 * eps);
  }
  return slope;
}

// "" if the rule of fn agrees with central differences at these inputs for a random dy; else which input differs, and where.
std::string disagreement(const Function& fn, const std::vector<Tensor>& inputs, uint64_t stream) {
  std::vector<Variable> leaves;
  for (const Tensor& x : inputs) leaves.emplace_back(x, true);
  const Variable y = fn(leaves);
  const Tensor dy = lab::random(y.shape(), stream);
  const std::vector<Tensor> given = gradients(y, dy);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string difference = lab::difference(given.at(i), by_differences(fn, inputs, i, dy), 1e-6);
    if (!difference.empty()) return cat("gradient of input ", i, ": ", difference);
  }
  return "";
}

// The same for a linear op of one input, which needs no differences: <fn(u), dy> = <u, dx> for every u.
std::string not_adjoint(const std::function<Variable(const Variable&)>& fn, const Tensor& x, uint64_t stream) {
  const Variable y = fn(Variable(x, true));
  const Tensor u = lab::random(x.shape(), stream), dy = lab::random(y.shape(), stream + 1);
  const Tensor dx = gradients(y, dy).at(0);
  if (!dx.defined()) return "d[0] was not set";
  if (dx.shape() != x.shape()) return cat("the gradient has shape ", dx.shape(), ", x has ", x.shape());
  const NoGradGuard no_grad;
  const double there = inner(fn(Variable(u)).value(), dy), back = inner(u, dx);
  return std::abs(there - back) <= 1e-9 * (1 + std::abs(there)) ? "" : cat("<f(u), dy> = ", there, ", but <u, dx> = ", back);
}

std::string rule_text(const Variable& y, const Tensor& dy) {
  std::string text;
  for (const Tensor& d : gradients(y, dy)) text += lab::digits(d, 4) + " ";
  return text;
}

Function unary(Variable (*fn)(const Variable&)) {
  return [fn](const std::vector<Variable>& in) { return fn(in[0]); };
}

// What the rule of y gives for dy after `changed` was overwritten: "refused" if it had kept it.
std::string after_writing(const Variable& y, const Tensor& dy, const Variable& changed) {
  fill_(changed.value(), 99);
  try {
    return rule_text(y, dy);
  } catch (const Error&) {
    return "refused";
  }
}

// "" if the first gradient of y is as wanted; a rule that kept what was overwritten since says so.
std::string wrong_gradient(const Variable& y, const Tensor& dy, const Tensor& wanted) {
  try {
    return lab::difference(gradients(y, dy).at(0), wanted, 1e-12);
  } catch (const Error& error) {
    return cat("the rule of ", y.node()->name, " has kept its input: ", error.what());
  }
}

// How many hold the memory of x while only the op's rule lives, not its result.
template <class Op>
int64_t held_by_rule(const Variable& x, const Op& op) {
  const int64_t before = x.value().storage().use_count();
  const auto node = op(x).node();
  return x.value().storage().use_count() - before;
}

// The ops on x of shape [2, 3] whose rule needs no element of it, but those that hold x.
std::string holding() {
  const Variable x = leaf(lab::random({2, 3}, 226));
  std::string names;
  const auto look = [&](const char* name, const std::function<Variable(const Variable&)>& op) {
    if (held_by_rule(x, op) != 0) names += cat(name, " ");
  };
  look("sum", [](const Variable& v) { return sum(v, {1}); });
  look("broadcast_to", [](const Variable& v) { return broadcast_to(v, {4, 2, 3}); });
  look("reshape", [](const Variable& v) { return reshape(v, {3, 2}); });
  look("permute", [](const Variable& v) { return permute(v, {1, 0}); });
  look("slice", [](const Variable& v) { return slice(v, 1, 0, 2); });
  return names;
}

}  // namespace

// How many more hold the memory of x once y is there: 1 if the rule of y keeps it.
template <class Op>
int64_t holders_after(const Variable& x, const Op& op) {
  const int64_t before = x.value().storage().use_count();
  const Variable y = op();
  return x.value().storage().use_count() - before;
}

// ---- 3.4 ----

LAB_PROBE("3.4") { return rule_text(mul(leaf({3, 5}), leaf({2, 7})), vec({10, 100})); }
LAB_PROBE("3.4") { return rule_text(div(leaf({3, 5}), leaf({2, 4})), vec({10, 100})); }
LAB_PROBE("3.4") { return rule_text(mul(leaf({3, 5}), Variable(vec({2, 7}))), vec({10, 100})); }
LAB_PROBE("3.4") { return lab::digits(mul(gradients(div(leaf({1e200}), leaf({1e200})), vec({1})).at(1), 1e200), 4); }
LAB_PROBE("3.4") {
  const Tensor d = gradients(relu(leaf({-1, 0})), vec({INFINITY, INFINITY})).at(0);
  return cat(d.at({0}) == 0, d.at({1}) == 0);
}
LAB_PROBE("3.4") { return rule_text(pow(leaf({3, 0}), 3), vec({10, 100})) + rule_text(pow(leaf({0, 2}), 0), vec({10, 100})); }
LAB_PROBE("3.4") { return rule_text(sqrt(leaf({4, 9})), vec({10, 100})); }
LAB_PROBE("3.4") { return rule_text(exp(leaf({0.5, 2})), vec({10, 100})); }
LAB_PROBE("3.4") { return rule_text(log(leaf({0.5, 2})), vec({10, 100})); }
LAB_PROBE("3.4") { return rule_text(tanh(leaf({0.5, -2, 15, 30})), vec({10, 100, 1, 1})); }
LAB_PROBE("3.4") { return rule_text(relu(leaf({-1, 0, 2, kNan})), vec({10, 100, 3, 5})); }
LAB_PROBE("3.4") {
  const Variable x = leaf({3, 5}), c(vec({2, 7}));
  const int64_t kept = holders_after(x, [&] { return mul(x, c); }), by_div = holders_after(x, [&] { return div(x, c); });
  return after_writing(mul(x, c), vec({1, 1}), x) + after_writing(mul(c, x), vec({1, 1}), c) + cat(" ", kept, by_div);
}
LAB_PROBE("3.4") {
  const Variable x = leaf({4, 9}), z = leaf({1, 2}), v = leaf({1, 2}), r = leaf({-1, 2});
  return after_writing(sqrt(x), vec({1, 1}), x) + after_writing(exp(z), vec({1, 1}), z) +
         after_writing(log(v), vec({1, 1}), v) + after_writing(relu(r), vec({1, 1}), r);
}

TEST_SUITE("3.4") {
  TEST_CASE("products and quotients by hand") {
    const std::vector<Tensor> product = gradients(mul(leaf({3, 5}), leaf({2, 7})), vec({10, 100}));
    CHECK(lab::difference(product[0], vec({20, 700}), 1e-12) == "");
    CHECK(lab::difference(product[1], vec({30, 500}), 1e-12) == "");
    const std::vector<Tensor> quotient = gradients(div(leaf({3, 5}), leaf({2, 4})), vec({10, 100}));
    CHECK(lab::difference(quotient[0], vec({5, 25}), 1e-12) == "");
    CHECK(lab::difference(quotient[1], vec({-7.5, -31.25}), 1e-12) == "");
  }
  TEST_CASE("a large divisor, whose square is infinite") {
    const std::vector<Tensor> d = gradients(div(leaf({1e200}), leaf({1e200})), vec({1}));
    CHECK(lab::difference(mul(d[0], 1e200), vec({1}), 1e-12) == "");
    CHECK(lab::difference(mul(d[1], 1e200), vec({-1}), 1e-12) == "");
  }
  TEST_CASE("mul and div agree with central differences") {
    const Tensor a = lab::random({3, 4}, 41), b = lab::random({3, 4}, 42), far = add(mul(tanh(b), 0.4), 1);  // in [0.6, 1.4]
    CHECK(disagreement([](const std::vector<Variable>& in) { return mul(in[0], in[1]); }, {a, b}, 43) == "");
    CHECK(disagreement([](const std::vector<Variable>& in) { return div(in[0], in[1]); }, {a, far}, 44) == "");
  }
  TEST_CASE("exp, log, sqrt and tanh agree with central differences") {
    const Tensor x = lab::random({3, 4}, 45), positive = add(mul(tanh(x), 0.4), 1);
    CHECK(disagreement(unary(exp), {x}, 46) == "");
    CHECK(disagreement(unary(log), {positive}, 47) == "");
    CHECK(disagreement(unary(sqrt), {positive}, 48) == "");
    CHECK(disagreement(unary(tanh), {x}, 49) == "");
  }
  TEST_CASE("powers agree with central differences, and are right at 0") {
    const Tensor positive = add(mul(tanh(lab::random({3, 4}, 50)), 0.4), 1);
    for (const double b : {3.0, 0.5, -2.0, 1.0, 0.0}) {
      CAPTURE(b);
      CHECK(disagreement([b](const std::vector<Variable>& in) { return pow(in[0], b); }, {positive}, 51) == "");
    }
    CHECK(lab::difference(gradients(pow(leaf({0, -2}), 2), vec({10, 10}))[0], vec({0, -40}), 1e-12) == "");
    CHECK(lab::difference(gradients(pow(leaf({0, 3}), 1), vec({10, 10}))[0], vec({10, 10}), 1e-12) == "");
    CHECK(lab::difference(gradients(pow(leaf({0, 3}), 0), vec({10, 10}))[0], vec({0, 0}), 1e-12) == "");
  }
  TEST_CASE("tanh keeps its digits where it is nearly flat") {
    // 1 / cosh^2 x = 4 e^-2x / (1 + e^-2x)^2 with e^-30 = 9.357622968840175e-14
    const double wanted = 4 * 9.357622968840175e-14 / std::pow(1 + 9.357622968840175e-14, 2);
    const Tensor d = gradients(tanh(leaf({15, -15})), vec({1, 1}))[0];
    CHECK(d.at({0}) == doctest::Approx(wanted).epsilon(1e-10).scale(0));
    CHECK(d.at({1}) == doctest::Approx(wanted).epsilon(1e-10).scale(0));
  }
  TEST_CASE("relu passes dy on above 0, and nothing at 0 and below") {
    const Tensor d = gradients(relu(leaf({-1.5, 0, 0.25, 4})), vec({10, 20, 30, 40}))[0];
    CHECK(lab::difference(d, vec({0, 0, 30, 40}), 0) == "");
    const Tensor off = gradients(relu(leaf({-1, 0, 2})), vec({INFINITY, kNan, 3}))[0];  // 0 times infinity would be NaN
    CHECK(lab::difference(off, vec({0, 0, 3}), 0) == "");
    CHECK(gradients(relu(leaf({kNan})), vec({7}))[0].item() == 7);  // where x is no number, a 0 would hide it
  }
  TEST_CASE("a factor is kept only if the other one requires a gradient") {
    const Variable x = leaf({3, 5}), c(vec({2, 7}));
    const Variable y = mul(x, c), z = mul(c, x), q = div(x, c);
    const int64_t kept = holders_after(x, [&] { return mul(x, c); }) + holders_after(x, [&] { return div(x, c); });
    CHECK(kept == 0);
    CHECK(holders_after(c, [&] { return mul(c, x); }) == 1);
    fill_(x.value(), 99);  // nobody may miss it
    CHECK(lab::difference(gradients(y, vec({1, 10}))[0], vec({2, 70}), 1e-12) == "");
    CHECK(lab::difference(gradients(z, vec({1, 10}))[1], vec({2, 70}), 1e-12) == "");
    CHECK(lab::difference(gradients(q, vec({2, 14}))[0], vec({1, 2}), 1e-12) == "");
  }
  TEST_CASE("sqrt, exp and relu keep their result, and what is kept is guarded") {
    const Variable x = leaf({4, 9}), z = leaf({0, 0}), r = leaf({-1, 2});
    const Variable root = sqrt(x), power = exp(z), positive = relu(r), logarithm = log(leaf({1, 2}));
    fill_(x.value(), 99);
    fill_(z.value(), 99);
    fill_(r.value(), 99);
    CHECK(wrong_gradient(root, vec({4, 6}), vec({1, 1})) == "");
    CHECK(wrong_gradient(power, vec({4, 6}), vec({4, 6})) == "");
    CHECK(wrong_gradient(positive, vec({4, 6}), vec({0, 6})) == "");
    const Variable v = leaf({1, 2}), w = leaf({1, 2});
    const Variable guarded = log(v), also = mul(v, w);
    fill_(v.value(), 99);
    CHECK_THROWS_AS(gradients(guarded, vec({1, 1})), Error);
    CHECK_THROWS_AS(gradients(also, vec({1, 1})), Error);
  }
}

// ---- 3.5 ----

namespace {

Tensor counting(const Shape& shape) {
  return reshape(arange(1, static_cast<double>(checked_numel(shape)) + 1, 1, Dtype::f64), shape);
}

// "" if <U B, dY> = <U, dA> and <A V, dY> = <V, dB> for random U and V.
std::string matmul_disagreement(const Shape& of_a, const Shape& of_b, uint64_t stream) {
  const Tensor a = lab::random(of_a, stream), b = lab::random(of_b, stream + 1);
  const Variable y = matmul(leaf(a), leaf(b));
  const Tensor dy = lab::random(y.shape(), stream + 2), u = lab::random(of_a, stream + 3), v = lab::random(of_b, stream + 4);
  const std::vector<Tensor> d = gradients(y, dy);
  for (size_t i = 0; i < 2; ++i) {
    if (!d.at(i).defined()) return cat("d[", i, "] was not set");
    const Shape& wanted = i == 0 ? of_a : of_b;
    if (d[i].shape() != wanted) return cat("d[", i, "] has shape ", d[i].shape(), ", it should be ", wanted);
  }
  const double there_a = inner(matmul(u, b), dy), there_b = inner(matmul(a, v), dy);
  if (std::abs(there_a - inner(u, d[0])) > 1e-9 * (1 + std::abs(there_a))) return "d[0] is wrong";
  return std::abs(there_b - inner(v, d[1])) > 1e-9 * (1 + std::abs(there_b)) ? "d[1] is wrong" : "";
}

}  // namespace

LAB_PROBE("3.5") { return rule_text(matmul(leaf(counting({2, 3})), leaf(counting({3, 1}))), counting({2, 1})); }
LAB_PROBE("3.5") {  // no two of a, b and dy alike
  return rule_text(matmul(leaf(counting({2, 2})), leaf(mul(counting({2, 2}), 3))),
                   from_vector(std::vector<double>{1, 3, 2, 4}, {2, 2}));
}
LAB_PROBE("3.5") { return rule_text(matmul(leaf(counting({2, 1, 2})), leaf(counting({2, 1}))), counting({2, 1, 1})); }
LAB_PROBE("3.5") { return rule_text(matmul(leaf(counting({1, 2})), leaf(counting({2, 2, 1}))), counting({2, 1, 1})); }
LAB_PROBE("3.5") {
  const Variable x = leaf(counting({2, 2})), c(counting({2, 2}));
  return after_writing(matmul(x, c), counting({2, 2}), x);
}
LAB_PROBE("3.5") {
  const Variable x = leaf(counting({2, 2})), c(counting({2, 2}));
  return after_writing(matmul(c, x), counting({2, 2}), x);
}
LAB_PROBE("3.5") {
  const Variable x = leaf(counting({2, 2})), c(counting({2, 2}));
  return cat(holders_after(x, [&] { return matmul(x, c); }), holders_after(x, [&] { return matmul(c, x); }));
}

LAB_PROBE("3.5") { return rule_text(matmul(leaf(counting({2, 2})), Variable(counting({2, 2}))), counting({2, 2})); }

TEST_SUITE("3.5") {
  TEST_CASE("one row times one column, by hand") {
    const std::vector<Tensor> d =
        gradients(matmul(leaf(counting({1, 3})), leaf(counting({3, 1}))), full({1, 1}, 10, Dtype::f64));
    CHECK(lab::difference(d[0], reshape(vec({10, 20, 30}), {1, 3}), 1e-12) == "");
    CHECK(lab::difference(d[1], reshape(vec({10, 20, 30}), {3, 1}), 1e-12) == "");
  }
  TEST_CASE("matrices: <U B, dY> = <U, dA>, <A V, dY> = <V, dB>") {
    CHECK(matmul_disagreement({2, 3}, {3, 4}, 100) == "");
    CHECK(matmul_disagreement({3, 3}, {3, 3}, 110) == "");
    CHECK(matmul_disagreement({5, 1}, {1, 2}, 120) == "");
  }
  TEST_CASE("a batch of pairs of matrices") {
    CHECK(matmul_disagreement({5, 2, 3}, {5, 3, 4}, 130) == "");
    CHECK(matmul_disagreement({2, 2, 3, 3}, {2, 2, 3, 3}, 140) == "");
  }
  TEST_CASE("a matrix that served a whole batch gets the sum") {
    CHECK(matmul_disagreement({5, 2, 3}, {3, 4}, 150) == "");
    CHECK(matmul_disagreement({2, 3}, {5, 3, 4}, 160) == "");
    CHECK(matmul_disagreement({4, 1, 2, 3}, {5, 3, 2}, 170) == "");
  }
  TEST_CASE("a factor is kept only if the other one requires a gradient") {
    const Variable x = leaf(lab::random({2, 3}, 180)), c(lab::random({3, 4}, 181)), e(lab::random({4, 2}, 182));
    const Tensor dy = lab::random({2, 4}, 183), dz = lab::random({4, 3}, 184);
    const Variable y = matmul(x, c), z = matmul(e, x);
    CHECK(holders_after(x, [&] { return matmul(x, c); }) == 0);
    CHECK(holders_after(x, [&] { return matmul(e, x); }) == 0);
    fill_(x.value(), 99);
    CHECK(lab::difference(gradients(y, dy)[0], matmul(dy, transpose(c.value())), 1e-9) == "");
    CHECK(lab::difference(gradients(z, dz)[1], matmul(transpose(e.value()), dz), 1e-9) == "");
  }
  TEST_CASE("what is kept is guarded") {
    const Variable x = leaf(lab::random({2, 3}, 190)), w = leaf(lab::random({3, 4}, 191));
    const Variable y = matmul(x, w);
    fill_(w.value(), 1);
    CHECK_THROWS_AS(gradients(y, lab::random({2, 4}, 192)), Error);
  }
}

// ---- 3.6 ----

LAB_PROBE("3.6") {
  return rule_text(sum(leaf(counting({2, 3})), {1}), vec({10, 100})) +
         rule_text(sum(leaf(counting({2, 3})), {-2}, true), counting({1, 3}));
}
LAB_PROBE("3.6") { return rule_text(broadcast_to(leaf(counting({2, 1})), {2, 2, 3}), counting({2, 2, 3})); }
LAB_PROBE("3.6") { return rule_text(reshape(leaf(counting({2, 3})), {3, 2}), counting({3, 2})); }
LAB_PROBE("3.6") { return rule_text(permute(leaf(counting({2, 3, 1})), {1, 2, 0}), counting({3, 1, 2})); }
LAB_PROBE("3.6") { return rule_text(slice(leaf(counting({6})), 0, 1, 6, 2), vec({10, 20, 30})); }
LAB_PROBE("3.6") { return rule_text(slice(leaf(counting({4})), 0, -2, 4, 1), vec({10, 20})); }
LAB_PROBE("3.6") {
  return rule_text(max(leaf({1, 5, 5, 2}), {}), scalar(10, Dtype::f64)) +
         rule_text(min(leaf({1, 5, 1, 1}), {}), scalar(12, Dtype::f64)) +
         rule_text(max(leaf(reshape(vec({1, 5, 5, 2, 2, 2}), {2, 3})), {1}), vec({10, 30}));
}
LAB_PROBE("3.6") { return rule_text(max(leaf(reshape(vec({1, 5, 7, 2}), {2, 2})), {0}, true), counting({1, 2})); }
LAB_PROBE("3.6") { return rule_text(max(leaf({1, kNan, 5, kNan}), {}), scalar(10, Dtype::f64)); }
LAB_PROBE("3.6") { return rule_text(permute(leaf(counting({2, 3, 1})), {-2, -1, 0}), counting({3, 1, 2})); }
LAB_PROBE("3.6") { return holding(); }
LAB_PROBE("3.6") { return rule_text(slice(leaf(counting({6})), 0, -9, 4, 2), vec({10, 20})); }

TEST_SUITE("3.6") {
  TEST_CASE("sum: every element receives the dy of its result") {
    const Tensor x = lab::random({2, 3, 4}, 200);
    CHECK(lab::difference(gradients(sum(leaf(counting({2, 3})), {1}), vec({10, 100}))[0],
                          reshape(vec({10, 10, 10, 100, 100, 100}), {2, 3}), 0) == "");
    for (const Axes& axes : std::vector<Axes>{{}, {0}, {1}, {-1}, {0, 2}, {-2, 0}}) {
      CAPTURE(axes);
      CHECK(not_adjoint([&](const Variable& v) { return sum(v, axes); }, x, 201) == "");
      CHECK(not_adjoint([&](const Variable& v) { return sum(v, axes, true); }, x, 203) == "");
    }
  }
  TEST_CASE("broadcast_to: the copies' gradients are added up") {
    CHECK(lab::difference(gradients(broadcast_to(leaf({1, 2}), {3, 2}), counting({3, 2}))[0], vec({9, 12}), 1e-12) == "");
    CHECK(not_adjoint([](const Variable& v) { return broadcast_to(v, {2, 3, 4}); }, lab::random({3, 1}, 205), 206) == "");
    CHECK(not_adjoint([](const Variable& v) { return broadcast_to(v, {5}); }, lab::random({}, 208), 209) == "");
  }
  TEST_CASE("reshape and permute bring dy back to where x lay") {
    const Tensor x = lab::random({2, 3, 4}, 211);
    CHECK(not_adjoint([](const Variable& v) { return reshape(v, {4, 6}); }, x, 212) == "");
    CHECK(not_adjoint([](const Variable& v) { return reshape(v, {3, -1}); }, x, 214) == "");
    for (const std::vector<int>& axes : std::vector<std::vector<int>>{{1, 2, 0}, {2, 0, 1}, {0, 2, 1}, {-1, 0, -2}}) {
      CAPTURE(axes);
      CHECK(not_adjoint([&](const Variable& v) { return permute(v, axes); }, x, 216) == "");
    }
  }
  TEST_CASE("slice: dy where it was cut out, 0 elsewhere") {
    CHECK(lab::difference(gradients(slice(leaf(counting({6})), 0, 1, 6, 2), vec({10, 20, 30}))[0], vec({0, 10, 0, 20, 0, 30}),
                          0) == "");
    lab::Dice dice(218);
    for (int round = 0; round < 20; ++round) {
      const int64_t start = dice.roll(-8, 6), end = dice.roll(start, 9), step = dice.roll(1, 3);
      CAPTURE(start);
      CAPTURE(end);
      CAPTURE(step);
      CHECK(not_adjoint([&](const Variable& v) { return slice(v, 1, start, end, step); }, lab::random({2, 7, 3}, 219), 220) ==
            "");
    }
  }
  TEST_CASE("a rule that needs no element of x does not keep it") { CHECK(cat(holding(), "held x") == "held x"); }
  TEST_CASE("max and min: the extremum receives dy, equal ones share it") {
    const Tensor tied = reshape(vec({1, 5, 5, 2, 2, 2}), {2, 3});
    CHECK(lab::difference(gradients(max(leaf(tied), {1}), vec({10, 30}))[0], reshape(vec({0, 5, 5, 10, 10, 10}), {2, 3}),
                          1e-12) == "");
    CHECK(lab::difference(gradients(min(leaf(tied), {0}, true), counting({1, 3}))[0], reshape(vec({1, 0, 0, 0, 2, 3}), {2, 3}),
                          1e-12) == "");
    const Tensor x = lab::random({3, 4, 2}, 222);
    const Function largest = [](const std::vector<Variable>& in) { return max(in[0], {0, -1}); };
    const Function smallest = [](const std::vector<Variable>& in) { return min(in[0], {1}, true); };
    CHECK(disagreement(largest, {x}, 223) == "");
    CHECK(disagreement(smallest, {x}, 224) == "");
  }
  TEST_CASE("max: where the result is NaN, the NaNs share dy") {
    CHECK(lab::difference(gradients(max(leaf({1, kNan, 5, kNan}), {}), scalar(10, Dtype::f64))[0], vec({0, 5, 0, 5}), 1e-12) ==
          "");
  }
}
