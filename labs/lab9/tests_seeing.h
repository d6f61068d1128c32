// The second half of labs/lab9/tests.cpp: attention, positions, and the gradient of the picture.
namespace {

using models::Size2d;
using models::explain::AttentionRecord;

// A ViT in f64 whose grid is not square, with weights large enough that its attention is not even.
struct Seer : models::ViT {
  explicit Seer(uint64_t stream = 1, bool registers = false, bool no_embed_class = false)
      : models::ViT(options(registers, no_embed_class), Rng(stream)) {
    to(Dtype::f64);
    for (const nn::NamedParameter& p : named_parameters())
      p.parameter->set_value(add(p.parameter->value(), mul(fixed(p.parameter->shape(), ++stream), 0.15)));
  }
  static models::ViTConfig options(bool registers, bool no_embed_class) {
    models::ViTConfig c;
    c.img_size = Size2d{8, 12}, c.patch_size = 4, c.num_classes = 4, c.embed_dim = 12, c.depth = 2, c.num_heads = 3;
    c.mlp_ratio = 2, c.drop_rate = c.attn_drop_rate = c.proj_drop_rate = 0.3, c.reg_tokens = registers ? 2 : 0;
    c.no_embed_class = no_embed_class;
    return c;
  }
  models::explain::Encoder encoder() { return models::explain::encoder_of(*this, {8, 12}); }
  // What record_attention() needs of an encoder, without encoder_of().
  models::explain::Encoder watched() {
    models::explain::Encoder e;
    e.model = this;
    for (const auto& block : blocks) e.blocks.push_back(block.get());
    e.run = [this](const Variable& x) { return models::explain::Encoder::Output{(*this)(x), {}}; };
    return e;
  }
};

// A model beside another one that reads the picture too, but has no part in the answer: no gradient reaches its attention.
struct Beside {
  Seer model{1}, silent{2};
  models::explain::Encoder watched() {
    silent.eval();
    models::explain::Encoder e = model.watched();
    for (const auto& block : silent.blocks) e.blocks.push_back(block.get());
    e.run = [this](const Variable& x) {
      silent(x);
      return models::explain::Encoder::Output{model(x), {}};
    };
    return e;
  }
};

Tensor seen(uint64_t stream) { return fixed({1, 3, 8, 12}, stream + 1000 * lab::seed()); }

// A [L, H, T, T] whose rows sum to one.
Tensor random_attention(int64_t layers, int64_t heads, int64_t tokens, uint64_t stream, bool is_fixed = false) {
  const Shape shape{layers, heads, tokens, tokens};
  return softmax(is_fixed ? fixed(shape, stream) : lab::random(shape, stream, 0, 1.5), 3);
}

using Matrix = std::vector<std::vector<double>>;

Matrix times(const Matrix& a, const Matrix& b) {
  Matrix c(a.size(), std::vector<double>(b[0].size()));
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < b[0].size(); ++j)
      for (size_t k = 0; k < b.size(); ++k) c[i][j] += a[i][k] * b[k][j];
  return c;
}

Tensor tensor_of(const Matrix& m) {
  std::vector<double> all;
  for (const auto& row : m) all.insert(all.end(), row.begin(), row.end());
  return from_vector(all, {static_cast<int64_t>(m.size()), static_cast<int64_t>(m[0].size())});
}

// Rollout with the mean of the heads, where `discard` of each row's entries, the smallest, count as 0.
Tensor rollout_by_hand(const Tensor& attention, models::explain::HeadFusion fusion, double discard) {
  const auto t = static_cast<size_t>(attention.size(2));
  Matrix r(t, std::vector<double>(t));
  for (size_t i = 0; i < t; ++i) r[i][i] = 1;
  for (int64_t depth = 0; depth < attention.size(0); ++depth) {
    Matrix a(t, std::vector<double>(t));
    for (size_t i = 0; i < t; ++i) {
      for (size_t j = 0; j < t; ++j) {
        double sum = 0, largest = 0;
        for (int64_t h = 0; h < attention.size(1); ++h) {
          const double p = attention.at({depth, h, static_cast<int64_t>(i), static_cast<int64_t>(j)});
          sum += p, largest = std::max(largest, p);
        }
        a[i][j] = fusion == models::explain::HeadFusion::kMax ? largest : sum / static_cast<double>(attention.size(1));
      }
      std::vector<double> sorted = a[i];
      std::sort(sorted.begin(), sorted.end());
      const auto dropped = static_cast<size_t>(discard * static_cast<double>(t));
      double total = 0;
      for (size_t j = 0; j < t; ++j) {
        if (dropped > 0 && a[i][j] <= sorted[dropped - 1]) a[i][j] = 0;
        a[i][j] = 0.5 * a[i][j] + (i == j ? 0.5 : 0);
        total += a[i][j];
      }
      for (double& x : a[i]) x /= total;
    }
    r = times(a, r);
  }
  return tensor_of(r);
}

std::string record_digits(const AttentionRecord& r) {
  return cat(r.target, " ") + lab::digits(r.relevance, 3) + "|" + lab::digits(select(r.attention, 0, 1), 3);
}

std::string left_behind(Seer& model) {
  std::string text;
  for (const auto& block : model.blocks) {
    const nn::MultiHeadAttention& attn = block->attn;
    text += cat(attn.keep_attention_map, attn.keep_attention_gradient, attn.attention_map.defined(),
                attn.attention_offset.defined());
  }
  int64_t trained = 0, with = 0;
  for (const nn::NamedParameter& p : model.named_parameters())
    trained += p.parameter->requires_grad(), with += p.parameter->grad().defined();
  return cat(text, " ", trained, " ", with);
}

}  // namespace

LAB_PROBE("9.3") {
  Seer model;
  model.cls_token.set_requires_grad(false);
  const AttentionRecord r = models::explain::record_attention(model.watched(), fixed({1, 3, 8, 12}, 5), 2);
  return record_digits(r) + left_behind(model);
}

TEST_SUITE("9.3") {
  TEST_CASE("the record holds every layer's and head's attention, as the blocks keep it") {
    Seer model;
    const Tensor image = seen(931);
    const AttentionRecord r = models::explain::record_attention(model.watched(), image);
    REQUIRE(r.attention.shape() == Shape{2, 3, 7, 7});
    model.eval();
    model.capture_attention(true);
    const Variable logits = model(image);
    const std::vector<Tensor> maps = model.attention_maps();
    for (int64_t layer = 0; layer < 2; ++layer)
      CHECK(lab::difference(select(r.attention, 0, layer), select(maps[static_cast<size_t>(layer)], 0, 0), 1e-9) == "");
    CHECK(lab::difference(r.logits, select(logits.value(), 0, 0), 1e-9) == "");
    CHECK(r.target == static_cast<int64_t>(argmax(r.logits).item()));
  }
  TEST_CASE("relevance is the mean over heads of max(0, gradient times attention), for the class that is asked for") {
    Seer model(3);
    const Tensor image = seen(932);
    for (const int64_t target : {0, 3}) {
      const AttentionRecord r = models::explain::record_attention(model.watched(), image, target);
      const nn::EvalGuard evaluation(model);
      for (const auto& block : model.blocks) block->attn.keep_attention_map = block->attn.keep_attention_gradient = true;
      const Variable logits = model(image);
      Tensor chosen = zeros({1, 4}, Dtype::f64);
      chosen.mutable_data<double>()[target] = 1;
      logits.backward(chosen);
      model.zero_grad();
      Tensor wanted = zeros({2, 7, 7}, Dtype::f64);
      for (int64_t layer = 0; layer < 2; ++layer) {
        nn::MultiHeadAttention& attn = model.blocks[static_cast<size_t>(layer)].attn;
        for (int64_t h = 0; h < 3; ++h)
          for (int64_t i = 0; i < 49; ++i)
            wanted.mutable_data<double>()[layer * 49 + i] +=
                std::max(0.0,
                         attn.attention_offset.grad().at({0, h, i / 7, i % 7}) * attn.attention_map.at({0, h, i / 7, i % 7})) /
                3;
        attn.keep_attention_map = attn.keep_attention_gradient = false;
        attn.attention_map = {}, attn.attention_offset = {};
      }
      CHECK(lab::difference(r.relevance, wanted, 1e-9) == "");
    }
  }
  TEST_CASE("a block that has no part in the answer has no gradient: its relevance is zero") {
    Beside both;
    const AttentionRecord r = models::explain::record_attention(both.watched(), seen(934), 1);
    REQUIRE(r.relevance.shape() == Shape{4, 7, 7});
    CHECK(max(slice(r.relevance, 0, 0, 2)).item() > 0);
    CHECK(lab::difference(slice(r.relevance, 0, 2, 4), zeros({2, 7, 7}, Dtype::f64), 0) == "");
  }
  TEST_CASE("the model is as before: nothing is kept, no gradient is left, every parameter is trained as it was") {
    Seer model(4);
    model.cls_token.set_requires_grad(false);
    const Tensor image = seen(933);
    const auto answer = [&] {
      const nn::EvalGuard evaluation(model);
      const NoGradGuard no_grad;
      return clone(model(image).value());
    };
    const Tensor before = answer();
    const std::string untouched = left_behind(model);
    models::explain::record_attention(model.watched(), image);
    CHECK(left_behind(model) == untouched);
    CHECK(!model.cls_token.requires_grad());
    CHECK(model.training());
    CHECK(bit_equal(answer(), before));
  }
}

LAB_PROBE("9.3") {
  Beside both;
  const AttentionRecord r = models::explain::record_attention(both.watched(), fixed({1, 3, 8, 12}, 5), 1);
  return lab::digits(r.relevance, 3);
}

LAB_PROBE("9.4") {
  using namespace models::explain;
  const Tensor a = random_attention(3, 2, 4, 1, true);
  return lab::digits(rollout(a), 4) + "|" + lab::digits(rollout(a, {HeadFusion::kMax, 0.5}), 4);
}
LAB_PROBE("9.4") { return lab::digits(models::explain::gradient_rollout(abs(fixed({2, 3, 3}, 2))), 4); }
LAB_PROBE("9.4") {  // what f32 cannot hold
  const Tensor e = from_vector(std::vector<double>{1 / 3.0}, {1, 1, 1});
  return cat(std::abs(models::explain::gradient_rollout(e).item() - 1 / 3.0) < 1e-12);
}
LAB_PROBE("9.4") { return lab::digits(models::explain::patch_map(fixed({8, 8}, 1), abs(fixed({8}, 2)), 2, Size2d{2, 3}), 4); }

TEST_SUITE("9.4") {
  TEST_CASE("rollout is A'_L ... A'_2 A'_1 with A' = (A + I) / 2: the last layer stands on the left") {
    for (const auto fusion : {models::explain::HeadFusion::kMean, models::explain::HeadFusion::kMax}) {
      const Tensor a = random_attention(3, 2, 5, 941);
      const Tensor r = models::explain::rollout(a, {fusion, 0});
      CHECK(lab::difference(r, rollout_by_hand(a, fusion, 0), 1e-12) == "");
      CHECK(lab::difference(sum(r, {1}), ones({5}, Dtype::f64), 1e-12) == "");
    }
  }
  TEST_CASE("tokens that look at themselves alone stay themselves; two layers by hand") {
    Tensor identity = zeros({2, 1, 2, 2}, Dtype::f64), a = clone(identity);
    for (const int64_t place : {0, 3, 4, 7}) identity.mutable_data<double>()[place] = 1;
    CHECK(lab::difference(models::explain::rollout(identity), from_vector(std::vector<double>{1, 0, 0, 1}, {2, 2}), 1e-15) ==
          "");
    const std::vector<double> layers{0, 1, 0, 1, 1, 0, 1, 0};  // all look at token 1, then all at token 0
    std::copy(layers.begin(), layers.end(), a.mutable_data<double>());
    const Tensor wanted = from_vector(std::vector<double>{0.5, 0.5, 0.25, 0.75}, {2, 2});
    CHECK(lab::difference(models::explain::rollout(a), wanted, 1e-15) == "");
  }
  TEST_CASE("the smallest entries are discarded before the residual is added, and the rows sum to one again") {
    const Tensor a = random_attention(2, 3, 6, 942);
    const Tensor r = models::explain::rollout(a, {models::explain::HeadFusion::kMean, 0.5});
    CHECK(lab::difference(r, rollout_by_hand(a, models::explain::HeadFusion::kMean, 0.5), 1e-12) == "");
    CHECK(lab::difference(sum(r, {1}), ones({6}, Dtype::f64), 1e-12) == "");
  }
  TEST_CASE("gradient rollout: R = R + E R from the first layer to the last, without the identity") {
    const Tensor e = abs(lab::random({3, 4, 4}, 943));
    Matrix r(4, std::vector<double>(4));
    for (size_t i = 0; i < 4; ++i) r[i][i] = 1;
    for (int64_t layer = 0; layer < 3; ++layer) {
      Matrix step(4, std::vector<double>(4));
      for (size_t i = 0; i < 4; ++i)
        for (size_t j = 0; j < 4; ++j)
          step[i][j] = e.at({layer, static_cast<int64_t>(i), static_cast<int64_t>(j)}) + (i == j ? 1 : 0);
      r = times(step, r);
    }
    for (size_t i = 0; i < 4; ++i) r[i][i] -= 1;
    CHECK(lab::difference(models::explain::gradient_rollout(e), tensor_of(r), 1e-12) == "");
  }
  TEST_CASE("the map of patches: rows weighted by their shares, the prefix left out, row by row") {
    const Tensor relation = lab::random({8, 8}, 944), shares = softmax(lab::random({8}, 945), 0);
    Tensor wanted = zeros({2, 3}, Dtype::f64);
    for (int64_t patch = 0; patch < 6; ++patch)
      for (int64_t i = 0; i < 8; ++i) wanted.mutable_data<double>()[patch] += shares.at({i}) * relation.at({i, 2 + patch});
    CHECK(lab::difference(models::explain::patch_map(relation, shares, 2, Size2d{2, 3}), wanted, 1e-12) == "");
  }
}

LAB_PROBE("9.5") { return lab::digits(models::explain::position_similarity(fixed({4, 3}, 1)), 4); }
LAB_PROBE("9.5") {
  return lab::digits(models::explain::position_similarity(from_vector(std::vector<double>{3, 4, 0, 0, 1, 1}, {3, 2})), 4);
}
LAB_PROBE("9.5") {
  return lab::digits(models::explain::position_similarity(from_vector(std::vector<double>{3e-6, 4e-6, 1, 1}, {2, 2})), 4);
}
LAB_PROBE("9.5") { return cat(Seer(1, false, true).encoder().positions.shape()); }
LAB_PROBE("9.5") {
  Seer model(1, true);
  const Tensor positions = model.encoder().positions;
  return cat(positions.shape()) + lab::digits(positions, 3);
}

TEST_SUITE("9.5") {
  TEST_CASE("the cosine of every pair, symmetric, with ones on the diagonal") {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const Tensor x = lab::random({6, 4}, 951, 0.3, 2, dtype), s = models::explain::position_similarity(x);
      REQUIRE(s.shape() == Shape{6, 6});
      CHECK(s.dtype() == Dtype::f64);
      Tensor wanted = zeros({6, 6}, Dtype::f64);
      for (int64_t i = 0; i < 6; ++i)
        for (int64_t j = 0; j < 6; ++j) {
          double dot = 0, a = 0, b = 0;
          for (int64_t d = 0; d < 4; ++d) {
            dot += x.at({i, d}) * x.at({j, d});
            a += x.at({i, d}) * x.at({i, d}), b += x.at({j, d}) * x.at({j, d});
          }
          wanted.mutable_data<double>()[i * 6 + j] = dot / std::sqrt(a * b);
        }
      CHECK(lab::difference(s, wanted, 1e-12) == "");
    }
  }
  TEST_CASE("the length of a vector does not count, and a vector of zeros is like nothing") {
    Tensor x = contiguous(lab::random({5, 3}, 952));
    const Tensor scaled = mul(x, from_vector(std::vector<double>{1, 2, 0.1, 7, 1e-6}, {5, 1}));
    CHECK(lab::difference(models::explain::position_similarity(scaled), models::explain::position_similarity(x), 1e-9) == "");
    for (int64_t d = 0; d < 3; ++d) x.mutable_data<double>()[3 + d] = 0;
    const Tensor s = models::explain::position_similarity(x);
    CHECK(lab::difference(select(s, 0, 1), zeros({5}, Dtype::f64), 0) == "");
    CHECK(lab::difference(select(s, 1, 1), zeros({5}, Dtype::f64), 0) == "");
  }
  TEST_CASE("the positions of patches alone: those of class token and registers stand before them") {
    for (const int kind : {0, 1, 2, 3}) {
      const bool registers = kind % 2 == 1, no_embed_class = kind >= 2;
      CAPTURE(registers);
      CAPTURE(no_embed_class);
      Seer model(2, registers, no_embed_class);
      const Tensor positions = model.encoder().positions, own = model.pos_embed.value();
      REQUIRE(positions.shape() == Shape{6, 12});
      CHECK(lab::difference(positions, slice(select(own, 0, 0), 0, own.size(1) - 6, own.size(1)), 0) == "");
    }
  }
}

LAB_PROBE("9.6") {
  Seer model;
  manual_seed(1);
  const Tensor gradient = lab::input_gradient(model, fixed({1, 3, 8, 12}, 5), 2);
  return lab::digits(slice(gradient, 3, 0, 2), 3) + left_behind(model) + cat(model.training());
}
LAB_PROBE("9.6") {
  Seer model;
  sum(model(fixed({1, 3, 8, 12}, 6))).backward();
  lab::input_gradient(model, fixed({1, 3, 8, 12}, 5), 2);
  return left_behind(model);
}
LAB_PROBE("9.6") { return lab::digits(lab::saliency(fixed({1, 3, 2, 3}, 7)), 4); }
LAB_PROBE("9.6") {  // pixels whose channels are all negative
  return lab::digits(lab::saliency(from_vector(std::vector<double>{-1, -2, -3, 5, -4, 1}, {1, 3, 1, 2})), 4);
}
LAB_PROBE("9.6") {
  Seer model;
  const NoGradGuard no_grad;
  try {
    return cat(max(abs(lab::input_gradient(model, fixed({1, 3, 8, 12}, 5), 2))).item() > 1e-6);
  } catch (const Error&) {
    return "refused";
  }
}

TEST_SUITE("9.6") {
  TEST_CASE("it is the slope of the logit: twenty pixels by central differences, in evaluation") {
    Seer model(6);
    lab::Dice dice(96);
    const Tensor image = seen(961);
    const int64_t target = dice.roll(0, 3);
    const Tensor gradient = lab::input_gradient(model, image, target);
    REQUIRE(gradient.shape() == Shape{1, 3, 8, 12});
    CHECK(model.training());
    const nn::EvalGuard evaluation(model);
    const NoGradGuard no_grad;
    std::string wrong;
    for (int i = 0; i < 20; ++i) {
      const int64_t place = dice.roll(0, 3 * 8 * 12 - 1);
      const auto logit = [&](double step) {
        Tensor changed = clone(image);
        changed.mutable_data<double>()[place] += step;
        return model(changed).value().at({0, target});
      };
      const double slope = (logit(1e-5) - logit(-1e-5)) / 2e-5;
      const double given = gradient.at({0, place / 96, place / 12 % 8, place % 12});
      if (wrong.empty() && !(std::abs(slope - given) <= 1e-6 * (1 + std::abs(slope))))
        wrong = cat("channel ", place / 96, ", row ", place / 12 % 8, ", column ", place % 12, ": the gradient is ", given,
                    ", the slope of the logit in evaluation is ", slope);
    }
    CHECK(wrong == "");
  }
  TEST_CASE("the model keeps its gradients and what is trained, also within a scope without gradients") {
    Seer model(7);
    model.cls_token.set_requires_grad(false);
    const Tensor image = seen(962);
    sum(square(model(image))).backward();
    const Tensor bias = clone(model.head->bias.grad());
    const std::string before = left_behind(model);
    const NoGradGuard no_grad;
    const Tensor gradient = lab::input_gradient(model, image, 1);
    CHECK(left_behind(model) == before);
    CHECK(bit_equal(model.head->bias.grad(), bias));
    CHECK(!model.cls_token.requires_grad());
    CHECK(max(abs(gradient)).item() > 1e-6);
  }
  TEST_CASE("saliency is the largest absolute value over the channels") {
    const Tensor gradient = lab::random({1, 3, 5, 4}, 963);
    const Tensor map = lab::saliency(gradient);
    REQUIRE(map.shape() == Shape{5, 4});
    Tensor wanted = zeros({5, 4}, Dtype::f64);
    for (int64_t y = 0; y < 5; ++y)
      for (int64_t x = 0; x < 4; ++x) {
        double largest = 0;
        for (int64_t c = 0; c < 3; ++c) largest = std::max(largest, std::abs(gradient.at({0, c, y, x})));
        wanted.mutable_data<double>()[y * 4 + x] = largest;
      }
    CHECK(lab::difference(map, wanted, 0) == "");
  }
}
