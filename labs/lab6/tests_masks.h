// The last part of labs/lab6/tests.cpp: cross-attention with a mask, the block.
namespace {

// How many of 160 outputs of cross() are 0 if proj_drop takes every second one.
int64_t dropped_outputs(uint64_t seed) {
  nn::MultiHeadAttention attn(8, 2, Rng(1), {.proj_drop = 0.5});
  randomise(attn, 716, true);
  manual_seed(seed);
  const Tensor y = attn.cross(fixed({1, 20, 8}, 9), fixed({1, 3, 8}, 10)).value();
  int64_t zero = 0;
  for (int64_t i = 0; i < 160; ++i) zero += y.at({0, i / 8, i % 8}) == 0;
  return zero;
}

}  // namespace

LAB_PROBE("6.5") {
  Composed attn(2, 1, 2, 1, true);
  const Variable y = attn.cross(fixed({1, 2, 2}, 9), fixed({1, 3, 2}, 10));
  return lab::digits(y.value(), 4) + " | " + lab::digits(attn.attention_map, 4);
}
LAB_PROBE("6.5") {  // as many tokens as in the context
  Composed attn(2, 1, 2, 1, true);
  const Variable y = attn.cross(fixed({1, 2, 2}, 9), fixed({1, 2, 2}, 10));
  return lab::digits(y.value(), 4) + " | " + lab::digits(attn.attention_map, 4);
}
LAB_PROBE("6.5") {
  Composed attn(2, 1, 2, 1, true);
  attn.cross(fixed({1, 2, 2}, 9), fixed({1, 3, 2}, 10), from_vector(std::vector<uint8_t>{1, 0, 1, 0, 0, 0}, {2, 3}));
  return lab::digits(attn.attention_map, 4);
}
LAB_PROBE("6.5") { return dropped_outputs(1) > 0 ? "drops" : "drops nothing"; }
LAB_PROBE("6.5") {
  Composed attn(2, 1, 2, 1, true);
  attn.self(fixed({1, 3, 2}, 9), from_vector(std::vector<uint8_t>{1, 1, 0, 0, 1, 1, 1, 0, 1}, {3, 3}));
  return lab::digits(attn.attention_map, 4);
}
LAB_PROBE("6.5") {
  Composed attn(2, 1, 2, 1, true);
  attn.self(fixed({1, 2, 2}, 9), Tensor(fixed({2, 2}, 11)));
  return lab::digits(attn.attention_map, 4);
}
LAB_PROBE("6.5") {
  Composed attn(2, 1, 2, 1, true);
  attn.cross(fixed({1, 1, 2}, 9), fixed({1, 3, 2}, 10), Tensor(fixed({3}, 11)));
  return lab::digits(attn.attention_map, 4);
}

TEST_SUITE("6.5") {
  TEST_CASE("queries come from x, keys and values from the context") {
    Composed attn(6, 2, 4, 720);
    for (const int64_t tokens : {3, 5}) {  // as many as x, and more
      const Tensor x = lab::random({2, 3, 6}, 721), context = lab::random({2, tokens, 6}, 722);
      for (const bool composed : {true, false}) {
        attn.keep_attention_gradient = composed;
        CHECK(lab::difference(attn.cross(x, context).value(), by_hand::multi_head(attn, x, context), 1e-10) == "");
        CHECK(attn.attention_map.shape() == Shape{2, 2, 3, tokens});
      }
    }
  }
  TEST_CASE("attention across to oneself is self-attention") {
    Composed attn(6, 3, 2, 723);
    const Tensor x = lab::random({2, 4, 6}, 724);
    CHECK(lab::difference(attn.cross(x, x).value(), attn(x).value(), 1e-10) == "");
  }
  TEST_CASE("a u8 mask forbids where it is 0, whichever form computes it") {
    lab::Dice dice(725);
    Composed attn(6, 2, 3, 726);
    const Tensor x = lab::random({2, 4, 6}, 727), context = lab::random({2, 5, 6}, 728), mask = random_mask(dice, {2, 2, 4, 5});
    const Tensor wanted = by_hand::multi_head(attn, x, context, mask);
    for (const bool composed : {true, false}) {
      attn.keep_attention_gradient = composed;
      CHECK(lab::difference(attn.cross(x, context, mask).value(), wanted, 1e-10) == "");
    }
  }
  TEST_CASE("a query whose keys are all forbidden has a row of zeros, in either form") {
    Composed attn(6, 2, 3, 739);
    const Tensor x = lab::random({1, 2, 6}, 740), context = lab::random({1, 3, 6}, 741);
    const Tensor mask = from_vector(std::vector<uint8_t>{1, 0, 1, 0, 0, 0}, {2, 3});
    for (const bool composed : {true, false}) {
      attn.keep_attention_gradient = composed;
      attn.cross(x, context, mask);
      CHECK(lab::difference(select(attn.attention_map, 2, 1), zeros({1, 2, 3}, Dtype::f64), 0) == "");
    }
  }
  TEST_CASE("the output passes proj_drop, as in self-attention") {
    const int64_t dropped = dropped_outputs(lab::seed());
    CHECK(dropped > 30);
    CHECK(dropped < 130);
  }
  TEST_CASE("a float mask is added, and learns") {
    Composed attn(6, 2, 3, 729);
    const Tensor x = lab::random({2, 4, 6}, 730), context = lab::random({2, 5, 6}, 731);
    const Variable mask(lab::random({2, 2, 4, 5}, 732), true);
    const Variable y = attn.cross(x, context, mask);
    CHECK(lab::difference(y.value(), by_hand::multi_head(attn, x, context, mask.value()), 1e-10) == "");
    sum(square(y)).backward();
    REQUIRE(mask.grad().defined());
    CHECK(max(abs(mask.grad())).item() > 1e-6);
  }
  TEST_CASE("what stands in a forbidden place of the context changes nothing") {
    Composed attn(6, 2, 3, 733);
    const Tensor x = lab::random({1, 3, 6}, 734), mask = from_vector(std::vector<uint8_t>{1, 0, 1, 1}, {4});
    Tensor context = contiguous(lab::random({1, 4, 6}, 735));
    const Tensor before = attn.cross(x, context, mask).value();
    fill_(select(context, 1, 1), 17);
    const Tensor hidden = attn.cross(x, context, mask).value(), seen = attn.cross(x, context).value();
    CHECK(bit_equal(before, hidden));
    CHECK_FALSE(bit_equal(before, seen));
  }
  TEST_CASE("with a causal mask no token knows of later ones") {
    Composed attn(6, 2, 3, 736);
    Tensor x = contiguous(lab::random({1, 5, 6}, 737));
    const Tensor mask = to(tril(ones({5, 5})), Dtype::u8);
    const Tensor before = attn.self(x, mask).value();
    fill_(select(x, 1, 3), 9);
    const Tensor after = attn.self(x, mask).value();
    CHECK(bit_equal(contiguous(slice(before, 1, 0, 3)), contiguous(slice(after, 1, 0, 3))));
    CHECK_FALSE(bit_equal(contiguous(slice(before, 1, 3, 5)), contiguous(slice(after, 1, 3, 5))));
  }
}

namespace {

// Runs the block's equation: its layers are observed, so the fused form is not used.
Tensor by_equation(nn::EncoderBlock& block, const Tensor& x) {
  const nn::ObserverGuard watch(block, [](const nn::Observation&) {});
  return block.forward(x).value();
}

nn::BlockOptions options_of(bool post_norm, double init_values = 0.3) {
  nn::BlockOptions o;
  o.mlp_ratio = 1.5, o.init_values = init_values, o.post_norm = post_norm;
  return o;
}

std::string probe_of(bool post_norm, bool without_mlp) {
  nn::EncoderBlock block(4, 1, Rng(1), options_of(post_norm));
  randomise(block, 1, true);
  if (without_mlp) block.ls2.gamma.set_value(zeros({4}, Dtype::f64));
  return lab::digits(by_equation(block, fixed({1, 2, 4}, 40)), 4);
}

// Of 40 pictures, how many lose branch 1 or 2, while the other branch gives zero. drop_path1 is in training if `paths` has bit
// 0, drop_path2 if it has bit 1; which of them draws first does not matter.
int64_t skipped(bool post_norm, int branch, int paths, uint64_t seed) {
  nn::BlockOptions o = options_of(post_norm);
  o.drop_path = 0.5;
  nn::EncoderBlock block(4, 1, Rng(1), o);
  randomise(block, 1, true);
  block.drop_path1.train((paths & 1) != 0);
  block.drop_path2.train((paths & 2) != 0);
  const Tensor x = fixed({40, 1, 4}, 40);
  (branch == 1 ? block.ls2 : block.ls1).gamma.set_value(zeros({4}, Dtype::f64));
  manual_seed(seed);
  const Tensor y = by_equation(block, x);
  (branch == 1 ? block.ls1 : block.ls2).gamma.set_value(zeros({4}, Dtype::f64));
  const Tensor without = by_equation(block, x);
  int64_t count = 0;
  for (int64_t i = 0; i < 40; ++i) count += lab::difference(slice(y, 0, i, i + 1), slice(without, 0, i, i + 1), 1e-9).empty();
  return count;
}

}  // namespace

LAB_PROBE("6.6") { return probe_of(false, false); }
LAB_PROBE("6.6") { return probe_of(false, true); }
LAB_PROBE("6.6") { return probe_of(true, false); }
LAB_PROBE("6.6") {
  std::string text;
  for (const bool post_norm : {false, true})
    for (const int branch : {1, 2})
      for (const int paths : {0, 1, 2, 3}) text += skipped(post_norm, branch, paths, 5) > 0 ? "1" : "0";
  return text;
}
LAB_PROBE("6.6") { return probe_of(true, true); }

TEST_SUITE("6.6") {
  TEST_CASE("if both branches give zero, a pre-norm block is the identity") {
    nn::EncoderBlock block(6, 2, Rng(1), options_of(false));
    randomise(block, 740);
    for (nn::Linear* last : {&block.attn.proj, &block.mlp.fc2})
      last->weight.set_value(zeros(last->weight.shape(), Dtype::f64)),
          last->bias.set_value(zeros(last->bias.shape(), Dtype::f64));
    const Tensor x = lab::random({2, 4, 6}, 760, 1, 2);
    CHECK(lab::difference(by_equation(block, x), x, 0) == "");
  }
  TEST_CASE("pre-norm: each branch reads the normed x and is added to x") {
    nn::EncoderBlock block(6, 2, Rng(1), options_of(false));
    randomise(block, 761);
    const Variable x(lab::random({2, 4, 6}, 780, 1, 2));
    const Variable y = x + block.ls1(block.attn(block.norm1(x))), z = y + block.ls2(block.mlp(block.norm2(y)));
    const Tensor second = block.ls2.gamma.value();
    block.ls2.gamma.set_value(zeros({6}, Dtype::f64));
    const std::string attention_alone = lab::difference(by_equation(block, x.value()), y.value(), 1e-12);
    block.ls2.gamma.set_value(second);
    CHECK(attention_alone == "");
    CHECK(lab::difference(by_equation(block, x.value()), z.value(), 1e-12) == "");
  }
  TEST_CASE("post-norm: each sum is normed") {
    nn::EncoderBlock block(6, 2, Rng(1), options_of(true));
    randomise(block, 781);
    const Variable x(lab::random({2, 4, 6}, 800, 1, 2));
    const Variable y = block.norm1(x + block.ls1(block.attn(x)));
    CHECK(lab::difference(by_equation(block, x.value()), block.norm2(y + block.ls2(block.mlp(y))).value(), 1e-12) == "");
  }
  TEST_CASE("each branch has a drop path of its own: half of the pictures lose the branch, none where it is in evaluation") {
    for (const bool post_norm : {false, true}) {
      for (const int branch : {1, 2}) {
        CAPTURE(post_norm);
        CAPTURE(branch);
        const int64_t with_its_own = skipped(post_norm, branch, branch, lab::seed()),
                      with_the_other = skipped(post_norm, branch, 3 - branch, lab::seed());
        CHECK(with_its_own >= 3);
        CHECK(with_its_own <= 37);
        CHECK(with_the_other == 0);
      }
    }
  }
  TEST_CASE("the equation and the fused form agree, in training and with drop path too") {
    for (const bool post_norm : {false, true}) {
      for (const bool training : {false, true}) {
        CAPTURE(post_norm);
        CAPTURE(training);
        nn::BlockOptions o = options_of(post_norm);
        o.drop_path = 0.5;
        nn::EncoderBlock block(6, 2, Rng(1), o);
        randomise(block, 801);
        block.train(training);
        const Tensor x = lab::random({8, 3, 6}, 820);
        manual_seed(lab::seed());
        const Tensor fused = block.forward(x).value();
        manual_seed(lab::seed());
        CHECK(lab::difference(by_equation(block, x), fused, 1e-10) == "");
      }
    }
  }
  TEST_CASE("gradients flow through both branches and both residuals") {
    nn::EncoderBlock block(4, 2, Rng(1), options_of(false));
    randomise(block, 821);
    const nn::ObserverGuard watch(block, [](const nn::Observation&) {});
    const Variable x(lab::random({1, 2, 4}, 840), true);
    CHECK(gradcheck([&](const std::vector<Variable>& in) { return block.forward(in[0]); }, {x}).message == "");
    block.zero_grad();
    sum(square(block.forward(x))).backward();
    int64_t without = 0;
    for (const auto& [name, parameter] : block.named_parameters()) without += !parameter->grad().defined();
    CHECK(without == 0);
  }
}
