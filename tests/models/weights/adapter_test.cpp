// Adapter files: what they hold, that they come back, that another base is refused; and those of PEFT.
#include "models/weights/adapter.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "autograd/ops.h"
#include "base/error.h"
#include "base/file.h"
#include "models/presets.h"
#include "models/weights/adapt.h"
#include "models/weights/peft.h"
#include "tensor/safetensors.h"
#include "tests/support/model_test.h"
#include "tests/support/scratch_folder.h"

namespace vitrail::testing {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names(int64_t count) {
  std::vector<std::string> result;
  for (int64_t i = 0; i < count; ++i) result.push_back(cat("kind ", i));
  return result;
}

SavedModel saved(models::Classifier& model, const std::string& file = "runs/base/model.safetensors") {
  SavedModel s;
  s.architecture = model.config_json();
  s.card.class_names = names(model.num_classes());
  s.file = file;
  for (const auto& [key, tensor] : model.state_dict()) s.weights.emplace_back(key, clone(tensor));
  return s;
}

bool of_head(const std::string& path) { return path.starts_with("head."); }

// A model whose updates and head were trained.
std::unique_ptr<models::Classifier> tuned(const SavedModel& base, const nn::LoraOptions& options) {
  auto model = models::make_model(models::config_from_json(base.architecture), Rng(0));
  model->load_state_dict(base.weights);
  Rng rng(4);
  nn::add_lora(*model, options, rng);
  uint64_t seed = 20;
  for (const nn::NamedParameter& p : model->named_parameters())
    if (nn::is_lora(p.name) || of_head(p.name))
      p.parameter->set_value(p.parameter->value() + rand_normal(p.parameter->shape(), 0, 0.2, Rng(++seed)));
  model->eval();
  return model;
}

ModelCard card_of(int64_t classes) {
  ModelCard card;
  card.class_names = names(classes);
  card.preprocessing = {.height = 8, .width = 8, .channels = 3};
  card.preprocessing.mean = card.preprocessing.std = {0.5, 0.5, 0.5};
  return card;
}

const std::string kPeft = "tests/models/golden/peft/";

// The tiny ViT of peft_vit.py.
SavedModel peft_base() {
  SavedModel s;
  models::ViTConfig c;
  c.img_size = 8, c.patch_size = 4, c.num_classes = 3, c.embed_dim = 16, c.depth = 2, c.num_heads = 2, c.mlp_ratio = 1.5;
  s.architecture = models::to_json(models::ModelConfig(c));
  s.card = card_of(3);
  s.file = kPeft + "base.safetensors";
  for (const auto& entry : load_safetensors(s.file).tensors)
    if (entry.first != "images" && !entry.first.starts_with("logits.")) s.weights.push_back(entry);
  return s;
}

Tensor peft_tensor(const std::string& name) {
  for (const auto& [key, tensor] : load_safetensors(kPeft + "base.safetensors").tensors)
    if (key == name) return tensor;
  FAIL("no tensor ", name);
  return {};
}

bool has_goldens() {
  if (fs::exists(kPeft)) return true;
  MESSAGE(kPeft, " is not here: run from the folder of the sources");
  return false;
}

std::string config_with(const std::string& key, const std::string& value) {
  std::string text = read_text_file(kPeft + "query_value/adapter_config.json");
  const size_t at = text.find("\"" + key + "\":"), end = text.find_first_of(",\n", at);
  if (at == std::string::npos) return "{\"" + key + "\": " + value + "," + text.substr(1);
  return text.substr(0, at) + "\"" + key + "\": " + value + text.substr(end);
}

}  // namespace

TEST_CASE("an adapter file has the updates, the head and the card, and gives the same logits on its base") {
  models::ViT trained(tiny_config(), Rng(3));
  const SavedModel base = saved(trained);
  const ScratchFolder folder;
  const std::string path = folder.path() + "/" + kAdapterFile;
  for (const bool dora : {false, true}) {
    const auto model = tuned(
        base,
        {.rank = 2, .alpha = 5, .dropout = 0.1, .rank_stabilized = true, .dora = dora, .targets = "attn.q,attn.v,mlp.fc1"});
    save_adapter(path, make_adapter(*model, card_of(5), of_head, "base"));
    const Adapter read = read_adapter(path);
    CHECK(read.options == *nn::lora_of(*model));
    CHECK(read.base == "base");
    CHECK(read.card.class_names == names(5));
    CHECK(read.card.preprocessing == card_of(5).preprocessing);
    for (const auto& entry : read.tensors) CHECK((nn::is_lora(entry.first) || of_head(entry.first)));
    const LoadedModel loaded = apply_adapter(read, base);
    const Tensor images = random_images({2, 3, 8, 8});
    CHECK(bit_equal(loaded.model->forward(images).value(), model->forward(images).value()));
  }
}

TEST_CASE("an adapter of a ViT-Ti is below two percent of its weights") {
  const auto model = models::make_model("vit_tiny_patch16_224", Rng(1), {.num_classes = 5});
  Rng rng(2);
  nn::add_lora(*model, {.rank = 8, .targets = "attn.q,attn.v"}, rng);
  ModelCard card = card_of(5);
  const ScratchFolder folder;
  const std::string path = folder.path() + "/" + kAdapterFile;
  save_adapter(path, make_adapter(*model, card, of_head, "base"));
  const auto whole = static_cast<double>(4 * model->num_parameters());
  CHECK(static_cast<double>(fs::file_size(path)) < 0.02 * whole);
}

TEST_CASE("an adapter refuses another base by name: other bits, other shapes") {
  models::ViT trained(tiny_config(), Rng(3)), stranger(tiny_config(), Rng(4));
  const SavedModel base = saved(trained), other = saved(stranger, "runs/other/model.safetensors");
  const auto model = tuned(base, {.rank = 2});
  Adapter adapter = make_adapter(*model, card_of(5), of_head, "flowers-base");
  adapter.file = "runs/a/adapter.safetensors";
  const std::string said = message_of([&] { apply_adapter(adapter, other); });
  CHECK(contains(
      said,
      "runs/other/model.safetensors is not the base of runs/a/adapter.safetensors, which was trained on \"flowers-base\""));
  CHECK(contains(said, "the hash of its weights is"));
  SavedModel flipped = base;  // one bit of one weight
  for (auto& [key, tensor] : flipped.weights) {
    if (key != "norm.bias") continue;
    tensor = clone(tensor);
    tensor.mutable_data<float>()[3] = 1e-30F;
  }
  CHECK(contains(message_of([&] { apply_adapter(adapter, flipped); }), "is not the base of"));
  models::ViTConfig wide = tiny_config();
  wide.embed_dim = 32;
  models::ViT wider(wide, Rng(5));
  CHECK(contains(message_of([&] { apply_adapter(adapter, saved(wider)); }), "cls_token is [1, 1, 32], expected [1, 1, 16]"));
  SavedModel head = base;  // the head is the adapter's own
  for (auto& [key, tensor] : head.weights)
    if (of_head(key)) tensor = zeros(tensor.shape());
  CHECK(apply_adapter(adapter, head).model->num_classes() == 5);
}

TEST_CASE("an adapter trained at another size of pictures or patches finds its base as it was then") {
  models::ViT trained(tiny_config(), Rng(3)), stranger(tiny_config(), Rng(4));
  SavedModel base = saved(trained), other = saved(stranger, "runs/other/model.safetensors");
  base.card.preprocessing = other.card.preprocessing = card_of(5).preprocessing;
  for (const AdaptTo& to : {AdaptTo{.img_size = 16}, AdaptTo{.patch_size = 2}, AdaptTo{.in_chans = 1}}) {
    SavedModel changed = base;
    adapt(changed, to);
    const auto model = tuned(changed, {.rank = 2});
    const Adapter adapter = make_adapter(*model, changed.card, of_head, "base");
    const LoadedModel loaded = apply_adapter(adapter, base);
    const Tensor images = random_images({2, model->in_chans(), model->img_height(), model->img_width()});
    CHECK(bit_equal(loaded.model->forward(images).value(), model->forward(images).value()));
    CHECK(loaded.card.preprocessing == changed.card.preprocessing);
    CHECK(contains(message_of([&] { apply_adapter(adapter, other); }), "is not the base of"));
  }
}

TEST_CASE("a file that is no adapter, or a damaged one, is refused") {
  const ScratchFolder folder;
  models::ViT trained(tiny_config(), Rng(3));
  const std::string model_file = folder.path() + "/" + kModelFile, path = folder.path() + "/" + kAdapterFile;
  save_model(folder.path(), trained, card_of(5));
  CHECK(contains(message_of([&] { read_adapter(model_file); }), "this is no adapter"));
  CHECK(contains(message_of([&] { make_adapter(trained, card_of(5), of_head, "x"); }), "the model has no low-rank updates"));
  const SavedModel base = saved(trained);
  save_adapter(path, make_adapter(*tuned(base, {.rank = 2}), card_of(5), of_head, "x"));
  std::string bytes = content_of(path);
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);
  put_content(path, bytes);
  CHECK_THROWS_AS(read_adapter(path), Error);
  CHECK_THROWS_AS(read_adapter(folder.path() + "/nothing"), Error);
}

TEST_CASE("the hash of weights depends on names, shapes and bits, and not on the order") {
  const auto hash = [](const nn::StateDict& s) {
    return weights_hash(s, [](const std::string& key) { return key == "head"; });
  };
  const Tensor a = rand_normal({2, 3}, 0, 1, Rng(1)), b = rand_normal({4}, 0, 1, Rng(2));
  const std::string whole = hash({{"a", a}, {"b", b}});
  CHECK(whole.size() == 16);
  CHECK(hash({{"b", b}, {"head", a}, {"a", a}}) == whole);
  CHECK(hash({{"a", a}, {"c", b}}) != whole);
  CHECK(hash({{"a", reshape(a, {3, 2})}, {"b", b}}) != whole);
  CHECK(hash({{"a", neg(a)}, {"b", b}}) != whole);
  CHECK(hash({{"a", transpose(transpose(a))}, {"b", b}}) == whole);
}

TEST_CASE("PEFT's adapters give PEFT's logits within 1e-5: q and v alone, all layers with rsLoRA, DoRA, old names") {
  if (!has_goldens()) return;
  const SavedModel base = peft_base();
  const Tensor images = peft_tensor("images");
  CHECK(largest_difference(build_classifier(base).model->forward(images).value(), peft_tensor("logits.base")) < 1e-5);
  for (const auto& [folder, logits] : {std::pair("query_value", "query_value"),
                                       {"all_rslora", "all_rslora"},
                                       {"dora", "dora"},
                                       {"old_spelling", "query_value"}}) {
    CAPTURE(folder);
    const LoadedModel loaded = apply_adapter(read_peft(kPeft + folder, base), base);
    CHECK(largest_difference(loaded.model->forward(images).value(), peft_tensor(cat("logits.", logits))) < 1e-5);
    nn::merge_lora(*loaded.model);
    CHECK(largest_difference(loaded.model->forward(images).value(), peft_tensor(cat("logits.", logits))) < 1e-5);
  }
}

TEST_CASE("PEFT's adapter does not take over how sure its base was, nor how that was trained") {
  if (!has_goldens()) return;
  SavedModel base = peft_base();
  base.card.calibration = AnswerCalibration{.temperature = 3, .images = 10};
  base.card.training = R"({"epochs": 7})";
  const ModelCard card = apply_adapter(read_peft(kPeft + "query_value", base), base).card;
  CHECK(!card.calibration);
  CHECK(card.training == ModelCard().training);
}

TEST_CASE("what PEFT wrote is written again to the same tensors, in both spellings") {
  if (!has_goldens()) return;
  const SavedModel base = peft_base();
  for (const auto& [folder, spelling] : {std::pair("query_value", PeftNames::kTransformers5),
                                         {"all_rslora", PeftNames::kTransformers5},
                                         {"dora", PeftNames::kTransformers5},
                                         {"old_spelling", PeftNames::kTransformers4}}) {
    CAPTURE(folder);
    const ScratchFolder out;
    write_peft(out.path(), read_peft(kPeft + folder, base), spelling);
    const SafetensorsFile wanted = load_safetensors(kPeft + folder + "/adapter_model.safetensors"),
                          found = load_safetensors(out.path() + "/adapter_model.safetensors");
    CHECK(found.tensors.size() == wanted.tensors.size());
    for (const auto& entry : wanted.tensors) {
      const std::string name = entry.first;
      CAPTURE(name);
      bool same = false;
      for (const auto& [key, tensor] : found.tensors) same = same || (key == name && bit_equal(tensor, entry.second));
      CHECK(same);
    }
    CHECK(read_peft(out.path(), base).options == read_peft(kPeft + folder, base).options);
  }
}

TEST_CASE("an update of all of qkv is written for PEFT as three, with the same logits") {
  models::ViT trained(tiny_config(), Rng(3));
  const SavedModel base = saved(trained);
  for (const bool dora : {false, true}) {
    const auto model = tuned(base, {.rank = 2, .alpha = 5, .dora = dora, .targets = "attn.qkv,attn.proj"});
    const ScratchFolder out;
    write_peft(out.path(), make_adapter(*model, card_of(5), of_head, "x"));
    const Adapter read = read_peft(out.path(), base);
    CHECK(read.options.targets == "blocks.0-1.attn.k,blocks.0-1.attn.proj,blocks.0-1.attn.q,blocks.0-1.attn.v");
    const Tensor images = random_images({2, 3, 8, 8});
    const Tensor wanted = model->forward(images).value(), found = apply_adapter(read, base).model->forward(images).value();
    CHECK(largest_difference(found, wanted) < 1e-5);
  }
}

TEST_CASE("PEFT settings and tensors that cannot be represented are refused by name") {
  if (!has_goldens()) return;
  const SavedModel base = peft_base();
  const ScratchFolder folder;
  const std::string config = folder.path() + "/adapter_config.json", weights = folder.path() + "/adapter_model.safetensors";
  fs::copy_file(kPeft + "query_value/adapter_model.safetensors", weights);
  const auto refusal = [&](const std::string& key, const std::string& value) {
    write_file_atomically(config, config_with(key, value));
    return message_of([&] { read_peft(folder.path(), base); });
  };
  CHECK(refusal("r", "2") == "");
  CHECK(contains(refusal("peft_type", "\"LOHA\""), "peft_type must be LORA: it is \"LOHA\""));
  CHECK(contains(refusal("bias", "\"all\""), "the setting bias is not supported: it is \"all\""));
  CHECK(contains(refusal("rank_pattern", "{\"x\": 3}"), "the setting rank_pattern is not supported"));
  CHECK(contains(refusal("use_surprise", "true"), "the setting use_surprise is not supported: it is true"));
  CHECK(contains(refusal("init_lora_weights", "\"pissa\""), "init_lora_weights changes the base model"));
  CHECK(contains(refusal("r", "0"), "r"));
  CHECK(contains(message_of([&] { apply_adapter((refusal("r", "3"), read_peft(folder.path(), base)), base); }),
                 "blocks.0.attn.qkv.lora_q.A"));
  refusal("r", "2");
  SafetensorsFile file = load_safetensors(weights);
  file.tensors.front().first = "base_model.model.vit.pooler.dense.lora_A.weight";
  save_safetensors(weights, file);
  CHECK(contains(message_of([&] { read_peft(folder.path(), base); }),
                 "belongs to no module that is known here: base_model.model.vit.pooler"));
}

TEST_CASE("trained norms and the patch embedding have no place in PEFT's files") {
  models::ViT trained(tiny_config(), Rng(3));
  const SavedModel base = saved(trained);
  const auto model = tuned(base, {.rank = 2, .targets = "patch_embed.proj"});
  const ScratchFolder out;
  CHECK(contains(message_of([&] { write_peft(out.path(), make_adapter(*model, card_of(5), of_head, "x")); }),
                 "there is no place for patch_embed.proj.lora.A"));
}

}  // namespace vitrail::testing
