// The second part of labs/lab7/tests.cpp: the ViT as a whole.
namespace {

using models::ViT;

struct RandomViT : ViT {
  RandomViT(const ViTConfig& config, uint64_t stream, bool is_fixed = false) : ViT(config, Rng(1)) {
    randomise(*this, stream, is_fixed);
    eval();
  }
};

// What embed() must give, from patch_embed and the parameters: one row after another.
Tensor embedded_by_hand(ViT& model, const Tensor& images) {
  const ViTConfig& c = model.config();
  const Tensor patches = model.patch_embed(images).value();
  std::vector<Tensor> rows;  // [B, D] each
  const auto repeated = [&](const Variable& tokens, int64_t i) {
    rows.push_back(expand(select(tokens.value(), 1, i), {images.size(0), c.embed_dim}));
  };
  if (c.class_token) repeated(model.cls_token, 0);
  if (c.dist_token) repeated(model.dist_token, 0);
  for (int64_t i = 0; i < c.reg_tokens; ++i) repeated(model.reg_token, i);
  const int64_t prefix = static_cast<int64_t>(rows.size());
  for (int64_t i = 0; i < patches.size(1); ++i) rows.push_back(select(patches, 1, i));
  const int64_t first = c.no_embed_class ? prefix : 0;
  for (size_t i = static_cast<size_t>(first); model.pos_embed.defined() && i < rows.size(); ++i)
    rows[i] = add(rows[i], select(model.pos_embed.value(), 1, static_cast<int64_t>(i) - first));
  return stack(rows, 1);
}

std::string embed_probe(bool no_embed_class, int64_t registers, bool dist) {
  ViTConfig c = small();
  c.no_embed_class = no_embed_class, c.reg_tokens = registers, c.dist_token = dist;
  RandomViT model(c, 1, true);
  return lab::digits(model.embed(fixed({2, 2, 4, 6}, 90)).value(), 4);
}

}  // namespace

LAB_PROBE("7.4") { return embed_probe(false, 0, false); }
LAB_PROBE("7.4") { return embed_probe(true, 1, false); }
LAB_PROBE("7.4") { return embed_probe(false, 2, true); }
LAB_PROBE("7.4") {
  RandomViT model(small(), 1, true);
  return lab::digits(model.embed(fixed({1, 2, 4, 6}, 90)).value(), 4);  // one picture
}
LAB_PROBE("7.4") {
  RandomViT model(small(), 1, true);
  sum(square(model.embed(fixed({2, 2, 4, 6}, 90)))).backward();
  return lab::digits(model.cls_token.grad(), 4);
}

TEST_SUITE("7.4") {
  TEST_CASE("class, distillation and register tokens come first, then the patches, with their positions") {
    for (const bool no_embed_class : {false, true}) {
      for (const int64_t registers : {0, 1, 3}) {
        for (const bool dist : {false, true}) {
          CAPTURE(no_embed_class);
          CAPTURE(registers);
          CAPTURE(dist);
          ViTConfig c = small();
          c.no_embed_class = no_embed_class, c.reg_tokens = registers, c.dist_token = dist;
          RandomViT model(c, 741);
          const Tensor images = lab::random({2, 2, 4, 6}, 780);
          CHECK(lab::difference(model.embed(images).value(), embedded_by_hand(model, images), 1e-12) == "");
        }
      }
    }
  }
  TEST_CASE("without a class token, and without positions") {
    for (const std::string positions : {"learn", "none"}) {
      ViTConfig c = small();
      c.class_token = false, c.global_pool = "avg", c.pos_embed = positions;
      RandomViT model(c, 781);
      const Tensor images = lab::random({3, 2, 4, 6}, 820);
      CHECK(lab::difference(model.embed(images).value(), embedded_by_hand(model, images), 1e-12) == "");
    }
  }
  TEST_CASE("without positions, patches that change places are rows that change places: a set") {
    for (const std::string positions : {"learn", "none"}) {
      CAPTURE(positions);
      ViTConfig c = small();
      c.pos_embed = positions;
      RandomViT model(c, 861);
      const Tensor images = lab::random({2, 2, 4, 6}, 862);
      const Tensor rows = model.embed(images).value(), turned = model.embed(roll(images, 3, 3)).value();
      const Tensor order = from_vector(std::vector<int64_t>{0, 2, 1, 4, 3}, {5});  // its two columns of patches exchanged
      const bool is_set = max(abs(sub(turned, index_select(rows, 1, order)))).item() < 1e-12;
      CHECK(is_set == (positions == "none"));
    }
  }
  TEST_CASE("the gradients of tokens and positions are sums over the batch") {
    RandomViT model(small(), 821);
    const Tensor images = lab::random({3, 2, 4, 6}, 860), dy = lab::random({3, 5, 8}, 861);
    model.embed(images).backward(dy);
    REQUIRE(model.cls_token.grad().defined());
    REQUIRE(model.pos_embed.grad().defined());
    CHECK(lab::difference(model.cls_token.grad(), sum(slice(dy, 1, 0, 1), {0}, true), 1e-12) == "");
    CHECK(lab::difference(model.pos_embed.grad(), sum(dy, {0}, true), 1e-12) == "");
  }
}

namespace {

std::string head_probe(const char* pool, bool include, bool dist_head, bool pre_logits, std::optional<bool> fc_norm = {}) {
  ViTConfig c = small();
  c.global_pool = pool, c.pool_include_prefix = include, c.dist_token = c.dist_head = dist_head, c.fc_norm = fc_norm;
  RandomViT model(c, 1, true);
  return lab::digits(model.forward_head(fixed({1, dist_head ? 6 : 5, 8}, 91), pre_logits).value(), 4);
}

// pool, fc_norm, head of tokens [B, T, D] by their definitions.
Tensor headed_by_hand(ViT& model, const Tensor& tokens, bool pre_logits) {
  const ViTConfig& c = model.config();
  const int64_t prefix = models::prefix_tokens(c);
  const Tensor rows = c.pool_include_prefix ? tokens : slice(tokens, 1, prefix, tokens.size(1));
  const Tensor first = select(tokens, 1, 0), average = mean(rows, {1}), largest = max(rows, {1});
  Tensor pooled = first;
  if (c.global_pool == "avg") pooled = average;
  if (c.global_pool == "max") pooled = largest;
  if (c.global_pool == "avgmax") pooled = mul(add(average, largest), 0.5);
  if (c.global_pool == "token_avg") pooled = concat(std::vector<Tensor>{first, average}, 1);
  if (c.global_pool == "map") pooled = (*model.attn_pool)(rows).value();
  Variable x = pooled;
  if (model.fc_norm) x = (*model.fc_norm)(x);
  if (!model.head || pre_logits) return x.value();
  const Tensor y = (*model.head)(x).value();
  return c.dist_head ? mul(add(y, (*model.head_dist)(Variable(select(tokens, 1, 1))).value()), 0.5) : y;
}

// Features behind head_drop, of 8 numbers for each of 20 pictures; the head, if it runs, gives them back.
Tensor dropped(bool pre_logits, uint64_t seed) {
  ViTConfig c = small();
  c.drop_rate = 0.5, c.num_classes = 8;
  RandomViT model(c, 1, true);
  Tensor one = zeros({8, 8}, Dtype::f64);
  for (int64_t i = 0; i < 8; ++i) one.mutable_data<double>()[9 * i] = 1;
  model.head->weight.set_value(one);
  model.head->bias.set_value(zeros({8}, Dtype::f64));
  model.train();
  manual_seed(seed);
  return model.forward_head(ones({20, 5, 8}, Dtype::f64), pre_logits).value();
}
// "" if about half of the features, all 1, are 0 and the others 2.
std::string half_dropped(const Tensor& y) {
  int64_t zero = 0, two = 0;
  for (int64_t i = 0; i < y.numel(); ++i) zero += y.at({i / 8, i % 8}) == 0, two += y.at({i / 8, i % 8}) == 2;
  if (zero + two == 160 && zero > 40 && zero < 120) return "";
  return cat(zero, " of 160 features are dropped and ", two, " doubled");
}

// How often block 1 runs in one forward and one backward pass. Where checkpoint() is still to be written (10.6), whoever
// arrives there would run it twice.
int64_t runs(bool recompute) {
  ViTConfig c = small();
  c.depth = 2;
  RandomViT model(c, 1, true);
  model.set_grad_checkpointing(recompute);
  int64_t count = 0;
  const nn::ObserverGuard watch(model, [&](const nn::Observation& o) { count += o.path == "blocks.1"; });
  try {
    sum(square(model.finish(Variable(fixed({1, 5, 8}, 91), true), 1))).backward();
  } catch (const lab::NotWritten& e) {
    if (std::string(e.what()).find("exercise 10.6 ") == std::string::npos) throw;
    return 2;
  }
  return count;
}

// How the first `stages` blocks and then the others differ from all at once. "" where another exercise that
// it runs through is still to be written.
std::string in_pieces(const Tensor& images, int64_t stages) {
  ViTConfig c = small();
  c.depth = 3;
  RandomViT model(c, 1, true);
  try {
    return lab::difference(model.finish(model.run_stages(images, stages), stages).value(), model(images).value(), 1e-10);
  } catch (const lab::NotWritten& e) {
    if (std::string(e.what()).find("exercise 7.5 ") != std::string::npos) throw;
    return "";
  }
}

}  // namespace

LAB_PROBE("7.5") { return half_dropped(dropped(true, 1)).empty() ? "drops" : "drops nothing"; }
LAB_PROBE("7.5") { return half_dropped(dropped(false, 1)).empty() ? "drops" : "drops nothing"; }
LAB_PROBE("7.5") { return cat(runs(false), " ", runs(true)); }
LAB_PROBE("7.5") { return in_pieces(fixed({1, 2, 4, 6}, 92), 1).empty() ? "same" : "differs"; }
LAB_PROBE("7.5") { return head_probe("token", false, false, false); }
LAB_PROBE("7.5") { return head_probe("avg", false, false, false); }
LAB_PROBE("7.5") { return head_probe("avg", true, false, true); }
LAB_PROBE("7.5") { return head_probe("max", false, false, true, false); }
LAB_PROBE("7.5") { return head_probe("avgmax", false, false, true, false); }
LAB_PROBE("7.5") {
  ViTConfig c = small();
  c.global_pool = "avg", c.reg_tokens = 2;
  RandomViT model(c, 1, true);
  return lab::digits(model.forward_head(fixed({1, 6, 8}, 91), true).value(), 4);
}
LAB_PROBE("7.5") { return head_probe("token_avg", false, false, true, true); }
LAB_PROBE("7.5") { return head_probe("token", false, true, false); }
LAB_PROBE("7.5") {
  ViTConfig c = small();
  c.depth = 3;
  RandomViT model(c, 1, true);
  return lab::digits(model.finish(fixed({1, 5, 8}, 91), 1).value(), 4);
}

TEST_SUITE("7.5") {
  TEST_CASE("every pooling is its definition, over the patches or over all tokens") {
    for (const std::string pool : {"token", "avg", "max", "avgmax", "token_avg", "map"}) {
      for (const bool include : {false, true}) {
        CAPTURE(pool);
        CAPTURE(include);
        ViTConfig c = small();
        c.global_pool = pool, c.pool_include_prefix = include, c.reg_tokens = 2, c.fc_norm = false;
        RandomViT model(c, 871);
        const Tensor tokens = lab::random({3, 7, 8}, 910);
        CHECK(lab::difference(model.forward_head(tokens, true).value(), headed_by_hand(model, tokens, true), 1e-12) == "");
        CHECK(lab::difference(model.forward_head(tokens).value(), headed_by_hand(model, tokens, false), 1e-12) == "");
      }
    }
  }
  TEST_CASE("the norm stands behind the pooling where fc_norm says so") {
    for (const bool behind : {false, true}) {
      CAPTURE(behind);
      ViTConfig c = small();
      c.global_pool = "avg", c.fc_norm = behind;
      RandomViT model(c, 911);
      const Tensor tokens = lab::random({3, 5, 8}, 950);
      CHECK(lab::difference(model.forward_head(tokens).value(), headed_by_hand(model, tokens, false), 1e-12) == "");
    }
  }
  TEST_CASE("a distilled model answers with the mean of its two heads, a model without classes with its features") {
    ViTConfig c = small();
    c.dist_token = c.dist_head = true;
    RandomViT distilled(c, 951);
    const Tensor tokens = lab::random({3, 6, 8}, 990);
    CHECK(lab::difference(distilled.forward_head(tokens).value(), headed_by_hand(distilled, tokens, false), 1e-12) == "");
    CHECK(lab::difference(distilled.forward_head(tokens, true).value(), select(tokens, 1, 0), 1e-12) == "");
    c = small(), c.num_classes = 0;
    RandomViT bare(c, 991);
    CHECK(lab::difference(bare.forward_head(tokens).value(), select(tokens, 1, 0), 1e-12) == "");
  }
  TEST_CASE("head_drop stands before the head, and pre_logits gives what is behind it") {
    CHECK(half_dropped(dropped(true, lab::seed())) == "");
    CHECK(half_dropped(dropped(false, lab::seed())) == "");
  }
  TEST_CASE("with gradient checkpointing a block runs once forward and once more backward, without it once") {
    CHECK(runs(false) == 1);
    CHECK(runs(true) == 2);
  }
  TEST_CASE("blocks in two pieces give what they give at once: the final norm stands behind the last block alone") {
    for (const int64_t stages : {1, 2}) {
      CAPTURE(stages);
      CHECK(in_pieces(lab::random({2, 2, 4, 6}, 1101), stages) == "");
    }
  }
  TEST_CASE("all blocks that are left run in their order, and the final norm stands behind the last") {
    for (const bool norm_here : {true, false}) {
      for (const int64_t done : {1, 2}) {
        CAPTURE(norm_here);
        CAPTURE(done);
        ViTConfig c = small();
        c.depth = 4, c.fc_norm = !norm_here;
        RandomViT model(c, 1031);
        const Tensor tokens = lab::random({2, 5, 8}, 1100);
        Variable x = tokens;
        for (int64_t i = done; i < 4; ++i) x = model.blocks[static_cast<size_t>(i)](x);
        if (norm_here) x = (*model.norm)(x);
        CHECK(lab::difference(model.finish(tokens, done).value(), headed_by_hand(model, x.value(), false), 1e-10) == "");
      }
    }
  }
}
