// The last part of labs/lab7/tests.cpp: fixed positions, the CCT.
LAB_PROBE("7.6") { return lab::digits(models::sincos2d({2, 3}, 8), 4); }
LAB_PROBE("7.6") { return lab::digits(slice(models::sincos2d({3, 2}, 12), 1, 5, 6), 4); }

TEST_SUITE("7.6") {
  TEST_CASE("each row is its formula, on grids that are not square") {
    for (const std::array<int64_t, 3>& sizes : {std::array<int64_t, 3>{3, 5, 16}, {4, 2, 8}, {1, 7, 32}, {6, 6, 12}}) {
      const int64_t h = sizes[0], w = sizes[1], dim = sizes[2];
      CAPTURE(h);
      CAPTURE(w);
      CAPTURE(dim);
      const Tensor table = models::sincos2d({h, w}, dim);
      REQUIRE(table.shape() == Shape{1, h * w, dim});
      Tensor wanted = zeros({1, h * w, dim}, Dtype::f64);
      for (int64_t row = 0; row < h * w; ++row) {
        for (int64_t i = 0; i < dim / 4; ++i) {
          const double speed = std::exp(-std::log(10000.0) * static_cast<double>(i) / static_cast<double>(dim / 4 - 1));
          const double x = static_cast<double>(row % w) * speed, y = static_cast<double>(row / w) * speed;
          double* to = wanted.mutable_data<double>() + row * dim + i;
          to[0] = std::sin(x), to[dim / 4] = std::cos(x), to[dim / 2] = std::sin(y), to[3 * dim / 4] = std::cos(y);
        }
      }
      CHECK(lab::difference(to(table, Dtype::f64), wanted, 1e-6) == "");
    }
  }
  TEST_CASE("all rows have the same length, and no two are equal") {
    const Tensor rows = to(select(models::sincos2d({4, 6}, 16), 0, 0), Dtype::f64);
    const Tensor products = matmul(rows, transpose(rows));
    int64_t wrong = 0;
    for (int64_t i = 0; i < 24; ++i) {
      for (int64_t j = 0; j < 24; ++j)
        wrong += i == j ? std::abs(products.at({i, j}) - 8) > 1e-5 : products.at({i, j}) > 7.9999;
    }
    CHECK(wrong == 0);
  }
  TEST_CASE("the product of two rows depends on the way between them alone") {
    const Tensor rows = to(select(models::sincos2d({5, 5}, 24), 0, 0), Dtype::f64);
    const Tensor products = matmul(rows, transpose(rows));
    lab::Dice dice(1150);
    int64_t wrong = 0;
    for (int round = 0; round < 100; ++round) {
      const int64_t y = dice.roll(0, 3), x = dice.roll(0, 3), here = y * 5 + x, there = here + 6;  // one down, one to the right
      wrong += std::abs(products.at({here, there}) - products.at({0, 6})) > 1e-5;
    }
    CHECK(wrong == 0);
  }
}

namespace {

CctConfig small_cct() {
  CctConfig c;
  c.img_size = {7, 10}, c.in_chans = 2, c.num_classes = 3, c.embed_dim = 8, c.depth = 1, c.num_heads = 2, c.conv_width = 5;
  return c;
}

struct RandomCct : models::Cct {
  RandomCct(const CctConfig& config, uint64_t stream, bool is_fixed = false) : models::Cct(config, Rng(1)) {
    randomise(*this, stream, is_fixed);
    eval();
  }
};

// One stage: same-size convolution without bias, ReLU, max pooling 3 x 3 with stride 2.
Variable stage(const Variable& x, const Variable& weight, int64_t kernel) {
  const Variable y = relu(conv2d(x, weight, {}, {.padding_h = kernel / 2, .padding_w = kernel / 2}));
  return max_pool2d(y, {.kernel_h = 3, .kernel_w = 3, .padding_h = 1, .padding_w = 1});
}

}  // namespace

LAB_PROBE("7.7") {
  std::string text;
  for (const int64_t side : {7, 8, 9}) {
    CctConfig c;
    c.img_size = {side, 2 * side}, c.conv_layers = 2;
    text += cat(models::cct_grid(c).h, " ", models::cct_grid(c).w, " ");
  }
  return text;
}
LAB_PROBE("7.7") {
  CctConfig c = small_cct();
  c.conv_layers = 1, c.embed_dim = 2, c.num_heads = 1;
  RandomCct model(c, 1, true);
  return lab::digits(model.tokenizer(fixed({1, 2, 7, 10}, 90)).value(), 4) + " | " +
         lab::digits(model.forward_features(fixed({1, 2, 7, 10}, 90)).value(), 4);
}
LAB_PROBE("7.7") {
  RandomCct model(small_cct(), 1, true);
  return lab::digits(model.pool(fixed({1, 3, 8}, 91)).value(), 4);
}
LAB_PROBE("7.7") {
  models::Cct model(small_cct(), Rng(1));
  std::string text;
  for (const auto& [name, parameter] : model.tokenizer.named_parameters())
    text += cat(name, parameter->shape(), " ", lab::digits(slice(flatten(parameter->value()), 0, 0, 3), 3), " ");
  return text;
}

TEST_SUITE("7.7") {
  TEST_CASE("the grid is what the stem makes of an image, for any size and depth") {
    for (const int64_t layers : {1, 2, 3}) {
      for (const int64_t height : {9, 16, 17}) {
        CAPTURE(layers);
        CAPTURE(height);
        CctConfig c = small_cct();
        c.img_size = {height, 12}, c.conv_layers = layers;
        RandomCct model(c, 1201);
        const Shape shape = model.tokenizer(lab::random({1, 2, height, 12}, 1230)).shape();
        CHECK(shape == Shape{1, 8, models::cct_grid(c).h, models::cct_grid(c).w});
      }
    }
  }
  TEST_CASE("a stage is a convolution of the same size without bias, ReLU, and max pooling") {
    for (const int64_t kernel : {1, 3, 5}) {
      CAPTURE(kernel);
      CctConfig c = small_cct();
      c.conv_kernel = kernel;
      RandomCct model(c, 1231);
      const auto weights = model.tokenizer.named_parameters();
      REQUIRE(weights.size() == 2);
      CHECK(weights[0].parameter->shape() == Shape{5, 2, kernel, kernel});
      CHECK(weights[1].parameter->shape() == Shape{8, 5, kernel, kernel});
      const Variable x(lab::random({2, 2, 7, 10}, 1260));
      const Variable wanted = stage(stage(x, *weights[0].parameter, kernel), *weights[1].parameter, kernel);
      CHECK(lab::difference(model.tokenizer(x).value(), wanted.value(), 1e-10) == "");
    }
  }
  TEST_CASE("the weights of the stem are drawn for layers before a ReLU: deviation sqrt(2 / fan_in)") {
    CctConfig c;
    c.img_size = 8, c.in_chans = 3;
    models::Cct model(c, Rng(lab::seed()));
    int64_t wrong = 0;
    for (const auto& [name, parameter] : model.tokenizer.named_parameters()) {
      const double fan = static_cast<double>(parameter->numel() / parameter->size(0));
      const double deviation = std::sqrt(mean(square(parameter->value())).item()), wanted = std::sqrt(2 / fan);
      wrong += std::abs(deviation / wanted - 1) > 0.15;
    }
    CHECK(wrong == 0);
  }
  TEST_CASE("tokens are the places of the last image, row by row, with their positions") {
    for (const std::string positions : {"learn", "none"}) {
      CctConfig c = small_cct();
      c.depth = 0, c.pos_embed = positions;
      RandomCct model(c, 1261);
      const Tensor images = lab::random({2, 2, 7, 10}, 1290);
      const Tensor image = model.tokenizer(images).value();
      REQUIRE(image.dim() == 4);
      Tensor tokens = zeros({2, 6, 8}, Dtype::f64);
      for (int64_t b = 0; b < 2; ++b)
        for (int64_t n = 0; n < 6; ++n)
          for (int64_t d = 0; d < 8; ++d) tokens.mutable_data<double>()[(b * 6 + n) * 8 + d] = image.at({b, d, n / 3, n % 3});
      if (model.pos_embed.defined()) tokens = add(tokens, model.pos_embed.value());
      CHECK(lab::difference(model.forward_features(images).value(), model.norm(tokens).value(), 1e-10) == "");
    }
  }
  TEST_CASE("pooling is a mean of the tokens with shares that are learned") {
    RandomCct model(small_cct(), 1291);
    const Tensor tokens = lab::random({2, 5, 8}, 1330), scores = model.attention_pool(tokens).value();
    Tensor wanted = zeros({2, 8}, Dtype::f64);
    for (int64_t b = 0; b < 2; ++b) {
      double total = 0;
      for (int64_t n = 0; n < 5; ++n) total += std::exp(scores.at({b, n, 0}));
      for (int64_t n = 0; n < 5; ++n)
        for (int64_t d = 0; d < 8; ++d)
          wanted.mutable_data<double>()[b * 8 + d] += std::exp(scores.at({b, n, 0})) / total * tokens.at({b, n, d});
    }
    CHECK(lab::difference(model.pool(tokens).value(), wanted, 1e-10) == "");
  }
  TEST_CASE("the gradient of the pooling reaches the tokens and the scores") {
    RandomCct model(small_cct(), 1331);
    const Variable tokens(lab::random({1, 4, 8}, 1370), true);
    CHECK(gradcheck([&](const std::vector<Variable>& in) { return model.pool(in[0]); }, {tokens}).message == "");
    sum(square(model.pool(tokens))).backward();
    CHECK(model.attention_pool.weight.grad().defined());
  }
}
