// Lab 8: what is frozen, kept, slowed down, resampled, added and fitted, each against its definition.
#include <algorithm>
#include <cmath>
#include <map>

#include "autograd/ops.h"
#include "labs/common/lab.h"
#include "models/vit.h"
#include "models/weights/class_rows.h"
#include "nn/freeze.h"
#include "tensor/ops.h"
#include "train/optim/layer_decay.h"

using namespace vitrail;

namespace {

// Numbers for probes, whatever the seed.
Tensor fixed(const Shape& shape, uint64_t stream, Dtype dtype = Dtype::f64) {
  return rand_normal(shape, 0, 1, Rng(stream), dtype);
}

bool starts(const std::string& path, const std::string& with) { return path.rfind(with, 0) == 0; }

// Three blocks, every kind of dropout, 8 x 8 pictures of 4 patches.
struct Small : models::ViT {
  Small() : models::ViT(options(), Rng(1)) {}
  static models::ViTConfig options() {
    models::ViTConfig c;
    c.img_size = 8, c.patch_size = 4, c.num_classes = 5, c.embed_dim = 12, c.depth = 3, c.num_heads = 2, c.mlp_ratio = 2;
    c.pos_drop_rate = c.proj_drop_rate = c.drop_path_rate = c.drop_rate = 0.2;
    return c;
  }
  void run_backward() { sum(square(forward(fixed({2, 3, 8, 8}, 5, Dtype::f32)))).backward(); }
  nn::Module& part(const std::string& wanted) {
    for (const auto& [path, module] : named_modules())
      if (path == wanted) return *module;
    throw std::runtime_error("no module " + wanted);
  }
};

struct WithoutBias : nn::Module {
  WithoutBias() {
    register_parameter("weight", weight);
    register_parameter("bias", bias);
  }
  Variable weight = Variable(ones({2, 3}), true), bias;
};

bool last_block(const std::string& path) { return starts(path, "blocks.2.") || starts(path, "norm.") || starts(path, "head."); }

// Which of these modules are in training, as 1 and 0.
std::string modes(Small& model) {
  std::string text;
  for (const char* path : {"", "patch_embed", "pos_drop", "blocks.0", "blocks.1.drop_path1", "blocks.1.mlp.drop1", "blocks",
                           "blocks.2", "blocks.2.mlp.drop1", "norm", "head_drop", "head"})
    text += model.part(path).training() ? '1' : '0';
  return text;
}

std::string gradients(Small& model) {
  std::string text;
  for (const nn::NamedParameter& p : model.named_parameters())
    text += p.parameter->requires_grad() ? (p.parameter->grad().defined() ? 'G' : 'g')
                                         : (p.parameter->grad().defined() ? 'F' : 'f');
  return text;
}

}  // namespace

LAB_PROBE("8.1") {
  WithoutBias layer;
  try {
    return cat(nn::freeze_all_but(layer, [](const std::string&) { return false; }));
  } catch (const Error&) {
    return "refused";
  }
}
LAB_PROBE("8.1") {
  Small model;
  model.run_backward();
  model.head->bias.zero_grad();
  model.head->bias.set_requires_grad(false);
  const int64_t left = nn::freeze_all_but(model, last_block);
  const std::string before = modes(model);
  model.train();
  return cat(left, " ", gradients(model), " ", before, " ", modes(model));
}

TEST_SUITE("8.1") {
  TEST_CASE("whatever is chosen: the others have no gradient and require none, and the number left is that of the chosen") {
    lab::Dice dice(81);
    for (int round = 0; round < 6; ++round) {
      Small model;
      model.run_backward();
      std::map<std::string, bool> chosen;
      for (const nn::NamedParameter& p : model.named_parameters()) chosen[p.name] = dice.roll(0, 2) == 0;
      chosen["head.weight"] = true;
      const int64_t left = nn::freeze_all_but(model, [&](const std::string& path) { return chosen.at(path); });
      std::string wrong;
      int64_t count = 0;
      for (const nn::NamedParameter& one : model.named_parameters()) {
        const bool wanted = chosen[one.name], trains = one.parameter->requires_grad(), has = one.parameter->grad().defined();
        count += wanted;
        if (!wrong.empty() || (trains == wanted && has == wanted)) continue;
        wrong = cat(one.name, wanted ? " is chosen" : " is not chosen", ": it requires ", trains ? "a" : "no",
                    " gradient and has ", has ? "one" : "none");
      }
      CHECK(wrong == "");
      CHECK(left == count);
    }
  }
  TEST_CASE("a parameter that is left out, as a bias may be, has nothing to freeze") {
    WithoutBias layer;
    int64_t left = -1;
    CHECK_NOTHROW(left = nn::freeze_all_but(layer, [](const std::string&) { return false; }));
    CHECK(left == 0);
    CHECK(!layer.weight.requires_grad());
  }
  TEST_CASE("what was frozen before stays frozen") {
    Small model;
    model.cls_token.set_requires_grad(false);
    model.blocks[1].freeze();
    int64_t all = 0;
    for (const nn::NamedParameter& p : model.named_parameters()) all += !starts(p.name, "blocks.1.") && p.name != "cls_token";
    CHECK(nn::freeze_all_but(model, [](const std::string&) { return true; }) == all);
    CHECK(!model.cls_token.requires_grad());
    CHECK(!model.blocks[1].trainable());
  }
  TEST_CASE("a part that is wholly frozen is in evaluation, also after train(): no dropout, no running statistics") {
    Small model;
    nn::freeze_all_but(model, last_block);
    model.train();
    for (const std::string path : {"patch_embed", "blocks.0", "blocks.1", "blocks.1.drop_path1", "blocks.1.mlp.drop1"}) {
      CAPTURE(path);
      CHECK(!model.part(path).training());
    }
    for (const std::string path : {"", "blocks", "blocks.2", "blocks.2.drop_path2", "blocks.2.mlp.drop1", "norm", "head"}) {
      CAPTURE(path);
      CHECK(model.part(path).training());
    }
  }
  TEST_CASE("dropout between the top's parts: frozen before the first trained parameter, not behind it") {
    Small model;
    nn::freeze_all_but(model, last_block);
    model.train();
    CHECK(!model.part("pos_drop").training());
    CHECK(model.part("head_drop").training());
    Small early;
    nn::freeze_all_but(early, [](const std::string& path) { return path == "cls_token"; });
    early.train();
    CHECK(early.part("pos_drop").training());
  }
  TEST_CASE("an optimiser with weight decay moves what is chosen, and nothing else") {
    Small model;
    AdamW optimizer(single_group(model, 0.3));
    nn::freeze_all_but(model, last_block);
    std::map<std::string, Tensor> before;
    for (const auto& [name, value] : model.state_dict()) before[name] = clone(value);
    for (int step = 0; step < 2; ++step) model.run_backward(), optimizer.step(0.1);
    std::string wrong;
    for (const auto& [name, value] : model.state_dict())
      if (wrong.empty() && bit_equal(value, before[name]) == last_block(name))
        wrong = name + (last_block(name) ? " was chosen and did not move" : " was not chosen, but moved");
    CHECK(wrong == "");
  }
}

namespace {

std::string head_digits(const ClassRows& rows) {
  std::string text = cat(name_of(rows.weight.dtype()), rows.weight.shape(), " ", lab::digits(rows.weight, 4));
  if (rows.bias.defined()) text += " b " + lab::digits(rows.bias, 4);
  for (const int64_t row : rows.from) text += cat(" ", row);
  return text;
}

}  // namespace

LAB_PROBE("8.2") {
  return head_digits(keep_class_rows(fixed({4, 2}, 1), fixed({4}, 2), {"cat", "dog", "cow", "hen"}, {"hen", "fox", "cat"}));
}
LAB_PROBE("8.2") { return head_digits(keep_class_rows(fixed({2, 2}, 1), {}, {"cat", "dog"}, {"a", "dog", "b", "cat", "c"})); }
LAB_PROBE("8.2") { return head_digits(keep_class_rows(fixed({3, 1}, 1), {}, {"cat", "crane", "crane"}, {"crane", "cat"})); }
LAB_PROBE("8.2") { return head_digits(keep_class_rows(fixed({3, 1}, 1), {}, {"cat", "dog", "cow"}, {"cow", "cow"})); }
LAB_PROBE("8.2") { return head_digits(keep_class_rows(fixed({3, 1}, 1), {}, {"cat", "crane", "crane"}, {"cat"})); }
LAB_PROBE("8.2") {
  const Tensor weight = fixed({2, 2}, 1);
  const ClassRows rows = keep_class_rows(weight, {}, {"cat", "dog"}, {"cat", "dog"});
  return cat(rows.weight.storage() == weight.storage());
}

TEST_SUITE("8.2") {
  TEST_CASE("a known name keeps its row and its bias, a new one starts from zeros, and `from` says which") {
    lab::Dice dice(82);
    const std::vector<std::string> old_names{"cat", "dog", "cow", "hen", "owl", "Cat"};
    for (int round = 0; round < 8; ++round) {
      const Tensor weight = lab::random({6, 5}, 821), bias = lab::random({6}, 822);
      std::vector<int64_t> wanted{-1};
      std::vector<std::string> names{"fox"};
      for (int64_t row = 0; row < 6; ++row) {
        if (dice.roll(0, 2) == 0) continue;
        const auto at = static_cast<std::ptrdiff_t>(dice.roll(0, static_cast<int64_t>(names.size())));
        names.insert(names.begin() + at, old_names[static_cast<size_t>(row)]);
        wanted.insert(wanted.begin() + at, row);
      }
      const ClassRows rows = keep_class_rows(weight, bias, old_names, names);
      CHECK(rows.from == wanted);
      REQUIRE(rows.weight.shape() == Shape{static_cast<int64_t>(names.size()), 5});
      REQUIRE(rows.bias.shape() == Shape{static_cast<int64_t>(names.size())});
      CAPTURE(rows.from);
      Tensor heads = zeros(rows.weight.shape(), Dtype::f64), biases = zeros(rows.bias.shape(), Dtype::f64);
      for (int64_t i = 0; i < rows.weight.size(0); ++i) {
        const int64_t from = wanted[static_cast<size_t>(i)];
        for (int64_t j = 0; j < 5; ++j) heads.mutable_data<double>()[i * 5 + j] = from < 0 ? 0 : weight.at({from, j});
        biases.mutable_data<double>()[i] = from < 0 ? 0 : bias.at({from});
      }
      CHECK(lab::difference(rows.weight, heads, 0) == "");
      CHECK(lab::difference(rows.bias, biases, 0) == "");
    }
  }
  TEST_CASE("the new head has memory and dtype: its own memory, the old dtype") {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const Tensor weight = fixed({2, 3}, 1, dtype), before = clone(weight);
      ClassRows rows = keep_class_rows(weight, {}, {"cat", "dog"}, {"cat", "dog"});
      CHECK(rows.weight.dtype() == dtype);
      CHECK(!rows.bias.defined());
      fill_(rows.weight, 7);
      CHECK(bit_equal(weight, before));
    }
  }
  TEST_CASE("two rows for one name, and a name asked for twice, are refused; an old name twice that nobody asks for is not") {
    const Tensor weight = lab::random({4, 2}, 823);
    const std::vector<std::string> names{"crane", "cat", "crane", "dog"};
    CHECK_THROWS_WITH_AS(keep_class_rows(weight, {}, names, {"cat", "crane"}), doctest::Contains("crane"), Error);
    CHECK_THROWS_WITH_AS(keep_class_rows(weight, {}, names, {"cat", "dog", "cat"}), doctest::Contains("cat"), Error);
    CHECK(keep_class_rows(weight, {}, names, {"dog", "cat"}).from == std::vector<int64_t>{3, 1});
  }
}

namespace {

ParamGroup group_of(const char* label, const std::vector<std::string>& paths, double lr_scale, double weight_decay) {
  ParamGroup group;
  group.label = label, group.lr_scale = lr_scale, group.weight_decay = weight_decay;
  for (const std::string& path : paths) group.parameters.emplace_back(path, Variable(zeros({2}), true));
  return group;
}

// Twelve blocks, so that two digits occur.
std::vector<ParamGroup> twelve_blocks() {
  return {group_of("decay",
                   {"patch_embed.proj.weight", "blocks.0.attn.qkv.weight", "blocks.1.mlp.fc1.weight",
                    "blocks.10.mlp.fc1.weight", "blocks.10.mlp.fc2.weight", "blocks.11.attn.proj.weight", "head.weight"},
                   1, 0.05),
          group_of("no decay",
                   {"cls_token", "pos_embed", "blocks.1.norm1.bias", "blocks.11.norm2.weight", "norm.weight", "fc_norm.weight",
                    "attention_pool.latent", "head.bias"},
                   0.5, 0)};
}

// The layer of a path of twelve_blocks(), read without the framework.
int layer_by_hand(const std::string& path) {
  static const std::map<std::string, int> layers{{"patch_embed", 0}, {"cls_token", 0},       {"pos_embed", 0},  {"blocks.0", 1},
                                                 {"blocks.1", 2},    {"blocks.10", 11},      {"blocks.11", 12}, {"norm", 12},
                                                 {"fc_norm", 13},    {"attention_pool", 13}, {"head", 13}};
  size_t dot = path.find('.');
  if (starts(path, "blocks.")) dot = path.find('.', dot + 1);
  return layers.at(path.substr(0, dot));
}

std::string rates(const std::vector<ParamGroup>& groups) {
  std::string text;
  for (const ParamGroup& group : groups) {
    text += cat(group.label, " ", lab::digits({group.lr_scale, group.weight_decay}, 4), ":");
    for (const auto& entry : group.parameters) text += " " + entry.first;
    text += "\n";
  }
  return text;
}

}  // namespace

LAB_PROBE("8.3") { return rates(scaled_by_layer(twelve_blocks(), 0.5, 1)); }
LAB_PROBE("8.3") { return rates(scaled_by_layer(twelve_blocks(), 0.5, 10)); }
LAB_PROBE("8.3") {
  std::string text;
  for (const char* path : {"cls_token", "blocks.0.a", "blocks.3.a", "blocks.11.a", "norm.bias", "fc_norm.bias", "head.bias",
                           "classifier.bias", "attention_pool.q", "normal", "norm_pre.bias", "patch_embed.norm.bias"})
    text += cat(layer_of(path, 12), " ");
  return text;
}

TEST_SUITE("8.3") {
  TEST_CASE("layers are counted from the embedding, 0, to the head, blocks + 1") {
    for (const int64_t blocks : {1, 2, 12, 24}) {
      CAPTURE(blocks);
      for (const char* path : {"patch_embed.proj.weight", "pos_embed", "cls_token", "reg_token", "norm_pre.weight"}) {
        CAPTURE(std::string(path));
        CHECK(layer_of(path, blocks) == 0);
      }
      CHECK(layer_of("blocks.0.norm1.weight", blocks) == 1);
      CHECK(layer_of(cat("blocks.", blocks - 1, ".mlp.fc2.bias"), blocks) == blocks);
      CHECK(layer_of("norm.weight", blocks) == blocks);
      for (const char* path : {"fc_norm.bias", "attention_pool.weight", "attn_pool.q.weight", "projection.weight",
                               "head.weight", "head_dist.bias", "fc.weight"}) {
        CAPTURE(std::string(path));
        CHECK(layer_of(path, blocks) == blocks + 1);
      }
    }
  }
  TEST_CASE("every parameter has layer_decay^(blocks + 1 - layer) of its group's rate, the head head_lr times as much") {
    lab::Dice dice(83);
    for (int round = 0; round < 4; ++round) {
      const double decay = round == 0 ? 0.5 : dice.uniform(0.4, 0.95),
                   head = dice.uniform(2, 9);  // 0.5: rates of two groups meet
      std::map<std::string, const ParamGroup*> found;
      const std::vector<ParamGroup> groups = scaled_by_layer(twelve_blocks(), decay, head);
      int64_t listed = 0;
      for (const ParamGroup& group : groups)
        for (const auto& entry : group.parameters) found[entry.first] = &group, ++listed;
      CHECK(listed == 15);
      std::string wrong;
      for (const ParamGroup& old : twelve_blocks()) {
        for (const auto& entry : old.parameters) {
          const double factor = std::pow(decay, 13 - layer_by_hand(entry.first)) * (starts(entry.first, "head.") ? head : 1);
          const auto at = found.find(entry.first);
          if (!wrong.empty()) continue;
          if (at == found.end()) {
            wrong = entry.first + " is in no group";
          } else if (std::abs(at->second->lr_scale - old.lr_scale * factor) > 1e-12 * factor) {
            wrong = cat(entry.first, ": lr_scale is ", at->second->lr_scale, ", it should be ", old.lr_scale * factor);
          } else if (at->second->weight_decay != old.weight_decay || at->second->label != old.label) {
            wrong = cat(entry.first, " is in a part of the group '", at->second->label, "', it belongs to '", old.label, "'");
          }
        }
      }
      CHECK(wrong == "");
    }
  }
  TEST_CASE("parameters of one group and one rate stay together, in their order") {
    const std::vector<ParamGroup> groups = scaled_by_layer(twelve_blocks(), 0.8, 3);
    std::map<std::pair<std::string, double>, int> seen;
    for (const ParamGroup& group : groups) ++seen[{group.label, group.lr_scale}];
    CHECK(seen.size() == groups.size());
    CHECK(groups.size() == 11);
    for (const ParamGroup& group : groups)
      if (group.parameters.front().first == "blocks.10.mlp.fc1.weight") {
        REQUIRE(group.parameters.size() == 2);
        CHECK(group.parameters.back().first == "blocks.10.mlp.fc2.weight");
      }
  }
  TEST_CASE("a part shares its parameters with the model: what a step changes is the model's") {
    Small model;
    model.run_backward();
    const std::vector<ParamGroup> groups = scaled_by_layer(make_param_groups(model, 0), 0.5, 1);
    std::map<std::string, Tensor> before;
    for (const auto& [name, value] : model.state_dict()) before[name] = clone(value);
    Sgd optimizer(groups);
    optimizer.step(1);
    std::string wrong;
    for (const nn::NamedParameter& one : model.named_parameters()) {
      const int64_t layer = starts(one.name, "blocks.") ? one.name[7] - '0' + 1
                            : starts(one.name, "norm.") ? 3
                            : starts(one.name, "head.") ? 4
                                                        : 0;
      const Tensor moved = sub(before[one.name], one.parameter->value());
      const std::string here = lab::difference(moved, mul(one.parameter->grad(), std::pow(0.5, 4 - layer)), 1e-5);
      if (wrong.empty() && !here.empty()) wrong = one.name + ", how far it moved: " + here;
    }
    CHECK(wrong == "");
  }
}

#include "labs/lab8/tests_positions.h"
#include "labs/lab8/tests_probe.h"
#include "labs/lab8/tests_updates.h"
