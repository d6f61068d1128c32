#include "train/optim/muon.h"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "models/presets.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tensor/view.h"
#include "tests/support/kernel_test.h"

using namespace vitrail;

namespace {

// `count` orthonormal rows of length n, f64, by Gram and Schmidt.
Tensor orthonormal_rows(int64_t count, int64_t n, uint64_t seed) {
  std::vector<double> q = to_vector<double>(rand_normal({count, n}, 0, 1, Rng(seed), Dtype::f64));
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      double dot = 0;
      for (int64_t k = 0; k < n; ++k) dot += q[i * n + k] * q[j * n + k];
      for (int64_t k = 0; k < n; ++k) q[i * n + k] -= dot * q[j * n + k];
    }
    double norm = 0;
    for (int64_t k = 0; k < n; ++k) norm += q[i * n + k] * q[i * n + k];
    for (int64_t k = 0; k < n; ++k) q[i * n + k] /= std::sqrt(norm);
  }
  return from_vector(q, {count, n});
}

// What five steps of the polynomial make of one singular value.
double five_steps(double s) {
  for (int i = 0; i < 5; ++i) s = 3.4445 * s - 4.7750 * s * s * s + 2.0315 * s * s * s * s * s;
  return s;
}

Tensor with_singular_values(const Tensor& u, const std::vector<double>& s, const Tensor& v) {
  return matmul(transpose(u), mul(v, from_vector(s, {static_cast<int64_t>(s.size()), 1})));
}

double largest_difference(const Tensor& a, const Tensor& b) { return max(abs(sub(a, b))).item(); }

// Two matrices between an input layer, a head, and biases.
struct Net : nn::Module {
  Net() {
    Rng rng(3);
    for (const auto& [name, shape] : std::vector<std::pair<std::string, Shape>>{
             {"stem", {8, 3, 2, 2}}, {"first", {6, 4}}, {"bias", {6}}, {"second", {3, 2, 2, 2}}}) {
      weights.push_back(std::make_unique<Variable>(rand_normal(shape, 0, 1, rng.at(weights.size())), true));
      register_parameter(name, *weights.back());
    }
  }
  std::vector<std::unique_ptr<Variable>> weights;
};

}  // namespace

TEST_CASE("orthogonalized maps each singular value by the polynomial and keeps the singular vectors") {
  const std::vector<double> s{5, 2, 0.5, 0.03};
  double norm = 0;
  for (const double v : s) norm += v * v;
  std::vector<double> mapped;
  for (const double v : s) mapped.push_back(five_steps(v / std::sqrt(norm)));
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{4, 4}, {4, 9}, {11, 4}}) {
    CAPTURE(rows);
    CAPTURE(cols);
    const Tensor u = orthonormal_rows(4, rows, 1), v = orthonormal_rows(4, cols, 2);
    const Tensor g = with_singular_values(u, s, v);
    CHECK(largest_difference(orthogonalized(g), with_singular_values(u, mapped, v)) < 1e-9);
    // The size of g does not matter, not even where its squares leave the range of f32.
    for (const double scale : {1e-30, 1e30}) {
      const Tensor f32 = orthogonalized(to(mul(g, scale), Dtype::f32));
      CHECK(largest_difference(to(f32, Dtype::f64), with_singular_values(u, mapped, v)) < 1e-4);
    }
  }
  for (const double v : mapped) CHECK((v > 0.4 && v < 1.2));
  CHECK(max(abs(orthogonalized(zeros({3, 4})))).item() == 0);
  CHECK_THROWS_WITH_AS(orthogonalized(zeros({3})), doctest::Contains("g is a float matrix: it is [3]"), Error);
}

TEST_CASE("muon steps a matrix by its orthogonal update and a convolution as a matrix") {
  for (const bool nesterov : {true, false}) {
    const double lr = 0.1, decay = 0.5, mu = 0.9;
    const Shape shape{4, 3, 1, 2};
    Variable p(rand_normal(shape, 0, 1, Rng(1), Dtype::f64), true);
    ParamGroup group{"m", {{"w", p}}, 1, decay, true};
    Muon optimizer({group}, {.momentum = mu, .nesterov = nesterov});
    Tensor m = zeros({4, 6}, Dtype::f64), expected = clone(reshape(p.value(), {4, 6}));
    for (int step = 0; step < 3; ++step) {
      const Tensor g = rand_normal(shape, 0, 1, Rng(10 + step), Dtype::f64);
      sum(p * Variable(g)).backward();
      optimizer.step(lr, 2);
      optimizer.zero_grad();
      const Tensor scaled = mul(reshape(g, {4, 6}), 2 * (1 - mu));
      m = add(mul(m, mu), scaled);
      const Tensor u = orthogonalized(nesterov ? add(mul(m, mu), scaled) : m);
      expected = sub(mul(expected, 1 - lr * decay), mul(u, lr * 0.2 * std::sqrt(6.0)));
    }
    CHECK(largest_difference(reshape(p.value(), {4, 6}), expected) < 1e-12);
  }
}

TEST_CASE("muon leaves the first layer, heads, biases and tokens to adamw") {
  Rng rng(1);
  const auto model = models::make_model("vit_fashion_p7", rng);
  std::set<std::string> orthogonal, others;
  for (const ParamGroup& group : make_muon_groups(*model, 0.05))
    for (const auto& [path, parameter] : group.parameters) (group.orthogonal ? orthogonal : others).insert(path);
  for (const char* path : {"patch_embed.proj.weight", "head.weight", "cls_token", "pos_embed", "blocks.0.norm1.weight",
                           "blocks.0.attn.qkv.bias"})
    CHECK_MESSAGE(others.count(path) == 1, path);
  for (const char* path : {"blocks.0.attn.qkv.weight", "blocks.0.attn.proj.weight", "blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc2.weight"})
    CHECK_MESSAGE(orthogonal.count(path) == 1, path);
  CHECK(orthogonal.size() + others.size() == model->named_parameters().size());
}

TEST_CASE("muon gives the same bits for any number of threads, and its state goes on where it was") {
  const auto gradients = [](Net& net, uint64_t seed) {
    Variable loss(zeros({}));
    for (size_t i = 0; i < net.weights.size(); ++i) {
      const Variable& p = *net.weights[i];
      loss = loss + sum(p * Variable(rand_normal(p.shape(), 0, 1, Rng(seed).at(i))));
    }
    loss.backward();
  };
  const auto run = [&](int threads, bool restored) {
    const int before = num_threads();
    set_num_threads(threads);
    Net net;
    auto optimizer = std::make_unique<Muon>(make_muon_groups(net, 0.1));
    for (uint64_t step = 0; step < 4; ++step) {
      if (restored && step == 2) {
        nn::StateDict state;
        for (const auto& [name, tensor] : optimizer->state()) state.emplace_back(name, clone(tensor));
        optimizer = std::make_unique<Muon>(make_muon_groups(net, 0.1));
        optimizer->load_state(state);
      }
      optimizer->zero_grad();
      gradients(net, step);
      optimizer->step(0.01);
    }
    set_num_threads(before);
    std::vector<Tensor> result;
    for (const auto& p : net.weights) result.push_back(p->value());
    return result;
  };
  const std::vector<Tensor> one = run(1, false);
  for (const auto& [threads, restored] : {std::pair{2, false}, {4, false}, {2, true}}) {
    const std::vector<Tensor> other = run(threads, restored);
    for (size_t i = 0; i < one.size(); ++i) CHECK(bit_equal(one[i], other[i]));
  }
}

TEST_CASE("muon refuses what it cannot make orthogonal") {
  Variable bias(zeros({4}), true);
  CHECK_THROWS_WITH_AS(Muon({ParamGroup{"m", {{"b", bias}}, 1, 0, true}}),
                       doctest::Contains("only matrices can be made orthogonal: b is [4]"), Error);
  CHECK_THROWS_WITH_AS(Muon({ParamGroup{"m", {{"b", bias}}}}, {.momentum = 1}), doctest::Contains("momentum must be in [0, 1): it is 1"),
                       Error);
}
