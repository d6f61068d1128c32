// The second part of labs/lab6/tests.cpp: heads, multi-head attention.
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

// From the definition, with a mask that is added. Where 6.5 is still to be written there is none.
std::string masked_difference(Composed& attn, const Tensor& x, const Tensor& mask) {
  try {
    return lab::difference(attn.self(x, mask).value(), by_hand::multi_head(attn, x, x, mask), 1e-10);
  } catch (const lab::NotWritten&) {
    return "";
  }
}

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
  TEST_CASE("the mask is handed on to the scores, which are scaled already") {
    Composed attn(6, 3, 2, 711);
    const Tensor x = lab::random({2, 4, 6}, 712), mask = lab::random({2, 3, 4, 4}, 713);
    CHECK(mask_counts(attn, x, mask));
    CHECK(masked_difference(attn, x, mask) == "");
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
    std::string wrong;
    int64_t gone = 0, kept = 0;
    for (int round = 0; round < 20; ++round) {
      const Tensor shown = attn.heads(reshape(one, {1, 4, 4})).value();
      for (int64_t i = 0; i < 4; ++i) {
        for (int64_t j = 0; j < 4; ++j) {
          const double p = attn.attention_map.at({0, 0, i, j}), y = shown.at({0, i, j});
          gone += y == 0;
          kept += std::abs(y - 2 * p) < 1e-9;
          if (wrong.empty() && y != 0 && std::abs(y - 2 * p) >= 1e-9)
            wrong = cat("attention_map says ", p, " at query ", i, " and key ", j, ", with dropout 0.5 the output shows ", y,
                        ": it should be 0 or twice the map's");
        }
      }
    }
    CHECK(wrong == "");
    CHECK(gone > 80);
    CHECK(kept > 80);
  }
}
