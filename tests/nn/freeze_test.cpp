// Freezing parts of a model: what has no gradient, what is in evaluation, what comes back.
#include "nn/freeze.h"

#include <doctest/doctest.h>

#include "autograd/node.h"
#include "autograd/ops.h"
#include "nn/nn.h"
#include "tensor/storage.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

models::ViTConfig with_dropout() {
  models::ViTConfig c = tiny_config();
  c.depth = 4;
  c.pos_drop_rate = c.proj_drop_rate = c.drop_path_rate = c.drop_rate = 0.2;
  return c;
}

// Nodes below a result.
size_t count_nodes(const Variable& y) {
  std::vector<const Node*> found;
  const auto visit = [&](const std::shared_ptr<Node>& node) {
    if (node && std::find(found.begin(), found.end(), node.get()) == found.end()) found.push_back(node.get());
  };
  visit(y.node());
  for (size_t i = 0; i < found.size(); ++i)
    for (const Edge& edge : found[i]->inputs) visit(edge.node);
  return found.size();
}

bool behind_block_2(const std::string& path) {
  return path.starts_with("blocks.3.") || path.starts_with("norm.") || path.starts_with("head.");
}

}  // namespace

TEST_CASE("freezing: a frozen prefix is in evaluation, its dropout included; what is trained is not") {
  models::ViT model(with_dropout(), Rng(1));
  CHECK(nn::freeze_all_but(model, behind_block_2) == 12 + 2 + 2);
  for (const char* frozen : {"patch_embed", "pos_drop", "blocks.0", "blocks.2.drop_path1", "blocks.2.mlp.drop1"}) {
    CAPTURE(frozen);
    for (const auto& [path, part] : model.named_modules())
      if (path == frozen) CHECK(!part->training());
  }
  for (const char* trained : {"", "blocks", "blocks.3", "blocks.3.mlp.drop1", "head_drop", "head"}) {
    CAPTURE(trained);
    for (const auto& [path, part] : model.named_modules())
      if (path == trained) CHECK(part->training());
  }
  model.train();
  CHECK(!model.blocks[0].drop_path1.training());
}

TEST_CASE("freezing: below the first trained parameter there is no graph, with checkpoints neither") {
  const Tensor images = random_images({3, 3, 8, 8});
  for (const bool recompute : {false, true}) {
    CAPTURE(recompute);
    models::ViT whole(with_dropout(), Rng(1)), part(with_dropout(), Rng(1)), head(with_dropout(), Rng(1));
    for (models::ViT* model : {&whole, &part, &head}) model->set_grad_checkpointing(recompute);
    nn::freeze_all_but(part, behind_block_2);
    nn::freeze_all_but(head, [](const std::string& path) { return path.starts_with("head."); });
    const size_t all = count_nodes(whole.forward(images)), some = count_nodes(part.forward(images));
    CHECK(4 * some < 2 * all);
    CHECK(count_nodes(head.forward(images)) == 1);  // the product of the head
    CHECK(part.forward(images).requires_grad());
    const NoGradGuard no_grad;
    CHECK(count_nodes(part.forward(images)) == 0);
  }
}

TEST_CASE("freezing: a frozen prefix keeps no memory for gradients") {
  models::ViTConfig config = tiny_config();
  config.img_size = 32, config.embed_dim = 64, config.depth = 8, config.num_heads = 4;
  const Tensor images = random_images({8, 3, 32, 32});
  const auto kept = [&](const std::function<bool(const std::string&)>& trained) {
    models::ViT model(config, Rng(1));
    nn::freeze_all_but(model, trained);
    const int64_t before = memory_stats().live_bytes;
    const Variable y = model.forward(images);
    return memory_stats().live_bytes - before;
  };
  const int64_t all = kept([](const std::string&) { return true; });
  const int64_t last = kept([](const std::string& path) { return path.starts_with("blocks.7.") || path.starts_with("head."); });
  const int64_t head = kept([](const std::string& path) { return path.starts_with("head."); });
  CHECK(last < all / 5);
  CHECK(head < all / 100);
}

TEST_CASE("freezing: the gradients that a parameter had are dropped") {
  models::ViT model(tiny_config(), Rng(1));
  sum(model.forward(random_images({2, 3, 8, 8}))).backward();
  nn::freeze_all_but(model, [](const std::string& path) { return path.starts_with("head."); });
  for (const nn::NamedParameter& p : model.named_parameters())
    CHECK(p.parameter->grad().defined() == p.name.starts_with("head."));
}

TEST_CASE("freezing: a saved state of freezing comes back, modes included") {
  models::ViT model(with_dropout(), Rng(1));
  model.blocks[1].freeze();
  model.blocks[2].mlp.eval();
  nn::FrozenState before(model);
  nn::freeze_all_but(model, [](const std::string& path) { return path.starts_with("head."); });
  CHECK(!model.blocks[0].training());
  before.restore();
  CHECK(model.blocks[0].training());
  CHECK(model.blocks[0].trainable());
  CHECK(model.pos_drop.training());
  CHECK(model.blocks[1].frozen());
  CHECK(!model.blocks[1].trainable());
  CHECK(!model.blocks[1].training());
  CHECK(!model.blocks[2].mlp.training());
  CHECK(!model.blocks[2].mlp.frozen());
  CHECK(model.blocks[2].training());
}

}  // namespace vitrail::testing
