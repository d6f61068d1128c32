// The second half of labs/lab6/tests.cpp: heads, multi-head attention, masks, the block.
namespace {

Variable counted(const Shape& shape) {
  return reshape(arange(0, static_cast<double>(checked_numel(shape)), 1, Dtype::f64), shape);
}

// Multi-head attention whose products are composed of separate ops, and which keeps its map.
struct Composed : nn::MultiHeadAttention {
  Composed(int64_t dim, int64_t count, int64_t width, uint64_t stream, bool is_fixed = false, double drop = 0)
      : nn::MultiHeadAttention(dim, count, Rng(1), {.head_dim = width, .attn_drop = drop}) {
    randomise(*this, stream, is_fixed);
    keep_attention_map = keep_attention_gradient = true;
  }
};

// Whether a mask makes a difference. It needs no 6.5: where that is still to be written, the mask arrives there.
bool mask_counts(Composed& attn, const Tensor& x, const Tensor& mask) {
  const Tensor without = attn.heads(x).value();
  try {
    return !bit_equal(attn.heads(x, mask).value(), without);
  } catch (const lab::NotWritten&) {
    return true;
  }
}

}  // namespace

LAB_PROBE("6.3") { return lab::digits(nn::split_heads(counted({1, 2, 6}), 3).value()); }
LAB_PROBE("6.3") { return lab::digits(nn::merge_heads(counted({1, 3, 2, 2})).value()); }
LAB_PROBE("6.3") {
  const Variable x(fixed({1, 2, 6}, 1), true);
  const Variable y = nn::split_heads(x, 2), z = nn::merge_heads(y);
  return cat(y.value().storage() == x.value().storage(), y.requires_grad(), z.requires_grad());
}

TEST_SUITE("6.3") {
  TEST_CASE("head h holds columns h K to (h + 1) K of every token") {
    const Tensor x = lab::random({2, 5, 12}, 681);
    for (const int64_t heads : {1, 2, 3, 4, 12}) {
      CAPTURE(heads);
      CHECK(lab::difference(nn::split_heads(x, heads).value(), by_hand::cut(contiguous(x), heads), 0) == "");
    }
  }
  TEST_CASE("splitting copies nothing, also of a part of the fused q | k | v") {
    const Tensor all = lab::random({2, 5, 24}, 682);
    const Variable k = slice(Variable(all), 2, 8, 16);
    const Variable heads = nn::split_heads(k, 2);
    CHECK(heads.value().storage() == all.storage());
    CHECK(lab::difference(heads.value(), by_hand::cut(contiguous(slice(all, 2, 8, 16)), 2), 0) == "");
  }
  TEST_CASE("merging puts the heads side by side") {
    const Tensor x = lab::random({2, 3, 5, 4}, 683);
    CHECK(lab::difference(nn::merge_heads(x).value(), by_hand::joined(contiguous(x)), 0) == "");
  }
  TEST_CASE("merging what attention returns copies nothing") {
    const Tensor memory = contiguous(lab::random({2, 5, 3, 4}, 684)), x = transpose(memory, 1, 2);
    const Variable y = nn::merge_heads(x);
    CHECK(y.value().storage() == memory.storage());
    CHECK(lab::difference(y.value(), reshape(memory, {2, 5, 12}), 0) == "");
  }
  TEST_CASE("merged after split is where one began, and gradients take the same way") {
    const Variable x(lab::random({2, 3, 6}, 685), true);
    CHECK(lab::difference(nn::merge_heads(nn::split_heads(x, 3)).value(), x.value(), 0) == "");
    const auto fn = [](const std::vector<Variable>& in) { return square(nn::merge_heads(nn::split_heads(in[0], 3))); };
    CHECK(gradcheck(fn, {x}).message == "");
    CHECK(nn::split_heads(x, 2).requires_grad());
    CHECK(nn::merge_heads(unsqueeze(x, 0)).requires_grad());
  }
}

LAB_PROBE("6.4") {
  Composed attn(3, 2, 2, 1, true);
  const Variable y = attn.heads(fixed({1, 2, 3}, 9));
  return lab::digits(y.value(), 4) + " | " + lab::digits(attn.attention_map, 4);
}
LAB_PROBE("6.4") {
  Composed attn(4, 1, 4, 1, true, 0.5);
  manual_seed(3);
  return lab::digits(attn.heads(fixed({1, 3, 4}, 9)).value(), 4);
}

namespace {

// What dropout leaves where the values are 1 in every column: each column shows the sum of the probabilities that stay.
struct EvenValues : Composed {
  explicit EvenValues(uint64_t stream, bool is_fixed = false) : Composed(4, 1, 4, stream, is_fixed, 0.5) {
    copy_(slice(qkv.weight.value(), 0, 8, 12), zeros({4, 4}, Dtype::f64));
    copy_(slice(qkv.bias.value(), 0, 8, 12), ones({4}, Dtype::f64));
  }
  // Token and column whose result is not that of column 0, over `rounds` calls; "" if there is none.
  std::string uneven(const Tensor& x, int rounds) {
    for (int round = 0; round < rounds; ++round) {
      const Tensor y = heads(x).value();
      for (int64_t i = 0; i < 4 * y.size(1); ++i) {
        const double first = y.at({0, i / 4, 0}), here = y.at({0, i / 4, i % 4});
        if (std::abs(first - here) > 1e-12)
          return cat("token ", i / 4, " has ", first, " in column 0 and ", here, " in column ", i % 4,
                     ", though all values are 1");
      }
    }
    return "";
  }
};

}  // namespace

LAB_PROBE("6.4") {
  EvenValues attn(1, true);
  manual_seed(3);
  return cat(attn.uneven(fixed({1, 3, 4}, 9), 10).empty());
}
LAB_PROBE("6.4") {
  Composed attn(4, 1, 4, 1, true);
  return cat(mask_counts(attn, fixed({1, 3, 4}, 9), fixed({3, 3}, 11)));
}

TEST_SUITE("6.4") {
  TEST_CASE("multi-head attention is its definition, with heads of any width") {
    for (const int64_t width : {2, 4, 5}) {
      CAPTURE(width);
      Composed attn(6, 3, width, 700);
      const Tensor x = lab::random({2, 5, 6}, 701);
      CHECK(lab::difference(attn.self(x, {}).value(), by_hand::multi_head(attn, x, x), 1e-10) == "");
    }
  }
  TEST_CASE("it equals the same in one op") {
    Composed attn(8, 2, 4, 702);
    const Tensor x = lab::random({3, 4, 8}, 703);
    const Tensor composed = attn(x).value(), map = attn.attention_map;
    attn.keep_attention_gradient = false;
    CHECK(lab::difference(composed, attn(x).value(), 1e-10) == "");
    CHECK(lab::difference(map, attn.attention_map, 1e-10) == "");
  }
  TEST_CASE("the map is [B, H, N, N], and its rows sum to one") {
    Composed attn(6, 3, 2, 704);
    attn(lab::random({2, 4, 6}, 705));
    REQUIRE(attn.attention_map.defined());
    REQUIRE(attn.attention_map.shape() == Shape{2, 3, 4, 4});
    CHECK(lab::difference(sum(attn.attention_map, {3}), ones({2, 3, 4}, Dtype::f64), 1e-12) == "");
  }
  TEST_CASE("permuted tokens give permuted results: attention does not know the order") {
    Composed attn(6, 2, 3, 706);
    const Tensor x = lab::random({1, 5, 6}, 707), order = from_vector(std::vector<int64_t>{3, 0, 4, 1, 2}, {5});
    const Tensor moved = attn(index_select(x, 1, order)).value();
    CHECK(lab::difference(moved, index_select(attn(x).value(), 1, order), 1e-10) == "");
  }
  TEST_CASE("gradients reach x and all weights") {
    Composed attn(4, 2, 2, 708);
    const Variable x(lab::random({1, 3, 4}, 709), true);
    const auto fn = [&](const std::vector<Variable>& in) { return attn(in[0]); };
    CHECK(gradcheck(fn, {x}).message == "");
    attn.zero_grad();
    sum(square(attn(x))).backward();
    int64_t without = 0;
    for (const auto& [name, parameter] : attn.named_parameters()) without += !parameter->grad().defined();
    CHECK(without == 0);
  }
  TEST_CASE("the mask is handed on to the scores") {
    Composed attn(6, 3, 2, 711);
    CHECK(mask_counts(attn, lab::random({2, 4, 6}, 712), lab::random({4, 4}, 713)));
  }
  TEST_CASE("it is the probabilities that dropout takes away, so all columns of a token lose the same keys") {
    EvenValues attn(714);
    manual_seed(lab::seed());
    CHECK(attn.uneven(lab::random({1, 5, 4}, 715), 10) == "");
  }
  TEST_CASE("dropout takes probabilities away and scales those that stay") {
    // One-hot tokens as values: the output shows the probabilities themselves.
    Composed attn(4, 1, 4, 710, false, 0.5);
    const Tensor one = reshape(from_vector(std::vector<double>{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, {16}), {4, 4});
    copy_(slice(attn.qkv.weight.value(), 0, 8, 12), one);
    copy_(slice(attn.qkv.bias.value(), 0, 8, 12), zeros({4}, Dtype::f64));
    manual_seed(lab::seed());
    int64_t wrong = 0, gone = 0, kept = 0;
    for (int round = 0; round < 20; ++round) {
      const Tensor shown = attn.heads(reshape(one, {1, 4, 4})).value();
      for (int64_t i = 0; i < 4; ++i) {
        for (int64_t j = 0; j < 4; ++j) {
          const double p = attn.attention_map.at({0, 0, i, j}), y = shown.at({0, i, j});
          gone += y == 0;
          kept += std::abs(y - 2 * p) < 1e-9;
          wrong += y != 0 && std::abs(y - 2 * p) >= 1e-9;
        }
      }
    }
    CHECK(wrong == 0);
    CHECK(gone > 80);
    CHECK(kept > 80);
  }
}

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
