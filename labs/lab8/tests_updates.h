// A part of labs/lab8/tests.cpp: low-rank updates of one linear layer.
#include "nn/linear.h"
#include "nn/lora.h"

namespace {

nn::LoraOptions lora_options(int64_t rank, double alpha, bool stabilized = false, double dropout = 0) {
  nn::LoraOptions o;
  o.rank = rank, o.alpha = alpha, o.rank_stabilized = stabilized, o.dropout = dropout;
  return o;
}

// A layer [in] -> [out] with values of a stream. Its weight is as of a projection of patches if `image`.
struct Adapted {
  Adapted(int64_t in, int64_t out, uint64_t stream, Dtype dtype = Dtype::f64, bool image = false)
      : layer(nn::LinearValues{fixed(image ? Shape{out, in / 4, 2, 2} : Shape{out, in}, stream, dtype),
                               fixed({out}, stream + 1, dtype)}) {}
  nn::LowRank& add(int64_t first, int64_t last, const nn::LoraOptions& options) {
    const std::string name = cat("lora_", layer.updates().size());
    Rng rng(5);
    layer.add_update(name, std::make_unique<nn::LowRank>(layer.own_matrix().value(), first, last, options, rng));
    return *layer.updates().back();
  }
  nn::Linear layer;
};

void set_factors(nn::LowRank& u, const Tensor& a, const Tensor& b) {
  u.a.set_value(contiguous(to(a, u.a.dtype())));
  u.b.set_value(contiguous(to(b, u.b.dtype())));
}

// x W^T + bias + s (x A^T) B^T in loops, for updates of all rows.
Tensor updated_by_hand(const Adapted& adapted, const Tensor& x, double s) {
  const nn::LowRank& u = *adapted.layer.updates().front();
  const Tensor& w = adapted.layer.weight.value();
  Tensor y = zeros({x.size(0), w.size(0)}, Dtype::f64);
  for (int64_t n = 0; n < x.size(0); ++n)
    for (int64_t o = 0; o < w.size(0); ++o) {
      double sum = adapted.layer.bias.value().at({o});
      for (int64_t k = 0; k < x.size(1); ++k) {
        double change = 0;
        for (int64_t r = 0; r < u.options.rank; ++r) change += u.b.value().at({o, r}) * u.a.value().at({r, k});
        sum += x.at({n, k}) * (w.at({o, k}) + s * change);
      }
      y.mutable_data<double>()[n * w.size(0) + o] = sum;
    }
  return y;
}

std::string state_of(const nn::Linear& layer) {
  return cat(layer.weight.requires_grad(), layer.bias.requires_grad(), layer.weight.grad().defined(),
             layer.bias.grad().defined(), layer.merged(), layer.updated());
}

}  // namespace

LAB_PROBE("8.5") {
  Adapted adapted(3, 2, 1);
  adapted.layer(fixed({2, 3}, 3)).backward(fixed({2, 2}, 4));
  const nn::LowRank& u = adapted.add(0, 2, lora_options(2, 3));
  return cat(lab::digits(u.a.value(), 3), " ", lab::digits(u.b.value(), 3), u.a.requires_grad(), u.b.requires_grad(),
             state_of(adapted.layer));
}
LAB_PROBE("8.5") { return lab::digits({nn::lora_scale(lora_options(8, 3)), nn::lora_scale(lora_options(8, 3, true))}, 5); }
LAB_PROBE("8.5") {
  Adapted adapted(3, 5, 1);
  set_factors(adapted.add(0, 2, lora_options(2, 3)), fixed({2, 3}, 7), fixed({2, 2}, 8));
  set_factors(adapted.add(3, 5, lora_options(2, 3)), fixed({2, 3}, 9), fixed({2, 2}, 10));
  std::string text = lab::digits(adapted.layer(fixed({2, 3}, 3)).value(), 4);
  text += lab::digits(nn::merged_weight(adapted.layer.weight.value(), adapted.layer.updates()), 4);
  const Tensor before = clone(adapted.layer.weight.value());
  adapted.layer.merge();
  text += state_of(adapted.layer) + lab::digits(adapted.layer(fixed({2, 3}, 3)).value(), 4);
  adapted.layer.unmerge();
  text += cat(state_of(adapted.layer), adapted.layer.weight.value().at({0, 0}) == before.at({0, 0}));
  return text + lab::digits(adapted.layer(fixed({2, 3}, 3)).value(), 4);
}
LAB_PROBE("8.5") {
  Adapted adapted(4, 3, 1, Dtype::f32);
  set_factors(adapted.add(0, 3, lora_options(2, 3)), fixed({2, 4}, 7), fixed({3, 2}, 8));
  const Tensor before = clone(adapted.layer.weight.value());
  for (int i = 0; i < 40; ++i) adapted.layer.merge(), adapted.layer.unmerge();
  return cat(bit_equal(before, adapted.layer.weight.value()));
}
LAB_PROBE("8.5") {
  Adapted adapted(6, 2, 1);
  nn::LowRank& u = adapted.add(0, 2, lora_options(3, 3, false, 0.5));
  set_factors(u, fixed({3, 6}, 7), fixed({2, 3}, 8));
  adapted.layer.train();
  manual_seed(3);
  return lab::digits(nn::lora_inner(fixed({3, 6}, 3), adapted.layer.updates()).value(), 4);
}

LAB_PROBE("8.5") {  // two updates with one A
  Adapted adapted(6, 4, 1);
  for (const int64_t first : {0, 2})
    set_factors(adapted.add(first, first + 2, lora_options(1, 3, false, 0.5)), fixed({1, 6}, 7), fixed({2, 1}, 8));
  adapted.layer.train();
  manual_seed(3);
  const Tensor y = nn::lora_inner(fixed({9, 6}, 3), adapted.layer.updates()).value();
  int64_t same = 0;
  for (int64_t i = 0; i < 9; ++i) same += y.at({i, 0}) == y.at({i, 1});
  return cat(same == 9);
}
LAB_PROBE("8.5") {  // the old weight, for whoever holds it
  Adapted adapted(3, 2, 1);
  set_factors(adapted.add(0, 2, lora_options(2, 3)), fixed({2, 3}, 7), fixed({2, 2}, 8));
  const Tensor held = adapted.layer.weight.value(), before = clone(held);
  adapted.layer.merge();
  return cat(bit_equal(held, before));
}

TEST_SUITE("8.5") {
  TEST_CASE("at the start the output has the bits of the base, although A is not zero, and both factors are trained") {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      Adapted adapted(12, 5, 1, dtype);
      const Tensor x = lab::random({7, 12}, 851, 0, 1, dtype), base = clone(adapted.layer(x).value());
      nn::LowRank& u = adapted.add(0, 5, lora_options(3, 5));
      CHECK(bit_equal(adapted.layer(x).value(), base));
      CHECK(u.a.shape() == Shape{3, 12});
      CHECK(u.b.shape() == Shape{5, 3});
      CHECK(u.a.requires_grad());
      CHECK(u.b.requires_grad());
      CHECK(max(abs(u.a.value())).item() <= 1 / std::sqrt(12.0));
      CHECK(max(abs(u.a.value())).item() > 0.5 / std::sqrt(12.0));
    }
  }
  TEST_CASE("y = x W^T + b + s (x A^T) B^T with s = alpha / r, or alpha / sqrt(r)") {
    for (const bool stabilized : {false, true}) {
      CAPTURE(stabilized);
      Adapted adapted(6, 4, 1);
      const nn::LoraOptions o = lora_options(3, 5, stabilized);
      set_factors(adapted.add(0, 4, o), lab::random({3, 6}, 852), lab::random({4, 3}, 853));
      const double s = stabilized ? 5 / std::sqrt(3.0) : 5.0 / 3;
      CHECK(nn::lora_scale(o) == doctest::Approx(s));
      const Tensor x = lab::random({7, 6}, 854);
      CHECK(lab::difference(adapted.layer(x).value(), updated_by_hand(adapted, x, s), 1e-12) == "");
    }
  }
  TEST_CASE("updates of some rows change these outputs alone") {
    Adapted adapted(6, 9, 1);
    const Tensor x = lab::random({4, 6}, 855), base = adapted.layer(x).value();
    set_factors(adapted.add(0, 3, lora_options(2, 3)), lab::random({2, 6}, 856), lab::random({3, 2}, 857));
    set_factors(adapted.add(6, 9, lora_options(2, 3)), lab::random({2, 6}, 858), lab::random({3, 2}, 859));
    Tensor wanted = clone(base);
    for (const auto& u : adapted.layer.updates()) {
      Tensor columns = slice(wanted, 1, u->first, u->last);
      copy_(columns, add(columns, mul(matmul(matmul(x, transpose(u->a.value())), transpose(u->b.value())), 1.5)));
    }
    const Tensor y = adapted.layer(x).value();
    CHECK(lab::difference(y, wanted, 1e-12) == "");
    CHECK(lab::difference(slice(y, 1, 3, 6), slice(base, 1, 3, 6), 0) == "");
  }
  TEST_CASE("the base is not trained; at the first step the gradient reaches B alone, then A too") {
    Adapted adapted(6, 4, 1);
    const Tensor x = lab::random({5, 6}, 860), dy = lab::random({5, 4}, 861);
    adapted.layer(x).backward(dy);
    nn::LowRank& u = adapted.add(0, 4, lora_options(3, 5));
    CHECK(state_of(adapted.layer) == "000001");
    adapted.layer(x).backward(dy);
    CHECK(max(abs(u.b.grad())).item() > 1e-3);
    CHECK(max(abs(u.a.grad())).item() == 0);
    adapted.layer.zero_grad();
    set_factors(u, u.a.value(), lab::random({4, 3}, 862));
    adapted.layer(x).backward(dy);
    CHECK(max(abs(u.a.grad())).item() > 1e-3);
    CHECK(!adapted.layer.weight.grad().defined());
  }
  TEST_CASE("merged the layer computes the same without the updates, and unmerged it has its old bits again") {
    for (const bool image : {false, true}) {
      Adapted adapted(8, 5, 1, Dtype::f32, image);
      set_factors(adapted.add(0, 2, lora_options(2, 3)), lab::random({2, 8}, 863), lab::random({2, 2}, 864));
      set_factors(adapted.add(3, 5, lora_options(2, 3)), lab::random({2, 8}, 871), lab::random({2, 2}, 872));
      const Tensor x = lab::random({6, 8}, 865, 0, 1, Dtype::f32), y = clone(adapted.layer(x).value());
      const Tensor before = clone(adapted.layer.weight.value());
      for (int round = 0; round < 3; ++round) {
        adapted.layer.merge();
        CHECK(adapted.layer.merged());
        CHECK(!adapted.layer.updated());
        CHECK(adapted.layer.weight.shape() == before.shape());
        CHECK(lab::difference(adapted.layer(x).value(), y, 1e-5) == "");
        adapted.layer.unmerge();
        CHECK(!adapted.layer.merged());
        CHECK(bit_equal(adapted.layer.weight.value(), before));
        CHECK(lab::difference(adapted.layer(x).value(), y, 1e-6) == "");
      }
    }
  }
  TEST_CASE("each update has a dropout of its own") {
    Adapted adapted(40, 4, 1);
    const Tensor a = lab::random({1, 40}, 869);
    for (const int64_t first : {0, 2})
      set_factors(adapted.add(first, first + 2, lora_options(1, 2, false, 0.5)), a, lab::random({2, 1}, 870));
    adapted.layer.train();
    manual_seed(lab::seed());
    const Tensor inner = nn::lora_inner(lab::random({30, 40}, 871), adapted.layer.updates()).value();
    REQUIRE(inner.shape() == Shape{30, 2});
    int64_t alike = 0;  // with the same A, the results differ where other numbers were dropped
    for (int64_t i = 0; i < 30; ++i) alike += inner.at({i, 0}) == inner.at({i, 1});
    CHECK(alike == 0);
  }
  TEST_CASE("dropout acts on what A reads, and in training alone") {
    Adapted adapted(40, 2, 1);
    set_factors(adapted.add(0, 2, lora_options(1, 2, false, 0.5)), lab::random({1, 40}, 866), lab::random({2, 1}, 867));
    const Tensor x = lab::random({30, 40}, 868);
    adapted.layer.eval();
    const Tensor quiet = nn::lora_inner(x, adapted.layer.updates()).value();
    CHECK(lab::difference(quiet, matmul(x, transpose(adapted.layer.updates().front()->a.value())), 1e-12) == "");
    adapted.layer.train();
    manual_seed(lab::seed());
    const Tensor loud = nn::lora_inner(x, adapted.layer.updates()).value();
    int64_t same = 0, zero = 0;
    for (int64_t i = 0; i < 30; ++i) same += loud.at({i, 0}) == quiet.at({i, 0}), zero += loud.at({i, 0}) == 0;
    CHECK(same == 0);
    CHECK(zero == 0);
  }
}
