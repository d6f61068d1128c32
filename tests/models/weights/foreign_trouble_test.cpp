// What must be refused, and with which words; and what stands without the checkpoints of the world.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "autograd/modes.h"
#include "base/file.h"
#include "base/json.h"
#include "models/presets.h"
#include "models/vit.h"
#include "models/weights/families/names.h"
#include "models/weights/families/preprocess_rules.h"
#include "models/weights/families/sidecar.h"
#include "models/weights/foreign.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/support/checkpoint_folder.h"
#include "tests/support/data_test.h"
#include "tests/support/scratch_folder.h"
#include "train/task/task.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

models::ViTConfig tiny() {
  return {.img_size = 16, .patch_size = 8, .num_classes = 3, .embed_dim = 8, .depth = 2, .num_heads = 2, .mlp_hidden = 12};
}

// The model's weights under the names of another family, q, k and v apart where it has them apart.
nn::StateDict renamed(models::ViT& model, const std::string& family, const std::string& prefix) {
  const weights::FamilyNames& names = weights::family_names(family);
  nn::StateDict theirs;
  for (const auto& [name, tensor] : model.state_dict()) {
    bool outside = false;
    std::string whole = weights::their_name(names, name, -1, &outside);
    if (family == "timm") whole = name;
    if (!whole.empty()) {
      theirs.emplace_back((outside ? "" : prefix) + whole, tensor);
      continue;
    }
    const std::vector<Tensor> parts = chunk(tensor, 3, 0);
    for (int part = 0; part < 3; ++part) {
      whole = weights::their_name(names, name, part, &outside);
      REQUIRE_MESSAGE(!whole.empty(), family, ": ", name);
      theirs.emplace_back(prefix + whole, contiguous(parts[static_cast<size_t>(part)]));
    }
  }
  return theirs;
}

void write_hugging_face_config(const std::string& folder) {
  write_file_atomically(folder + "/config.json",
                        R"({"model_type": "vit", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
                            "intermediate_size": 12, "image_size": 16, "patch_size": 8, "layer_norm_eps": 1e-6,
                            "id2label": {"0": "ant", "1": "bee", "2": "cat"}})");
}

}  // namespace

TEST_CASE("weights under another family's names are the same model") {
  Rng rng(3);
  models::ViT model(tiny(), rng);
  model.eval();
  const Tensor x = rand_normal({2, 3, 16, 16}, 0, 1, Rng(4));
  const NoGradGuard no_grad;
  const Tensor wanted = model(x).value();
  const std::tuple<const char*, const char*> families[] = {
      {"timm", ""}, {"timm", "module."}, {"huggingface", "vit."}, {"huggingface", ""}, {"torchvision", ""}};
  for (const auto& [family, prefix] : families) {
    CAPTURE(family);
    ScratchFolder folder;
    save_safetensors(folder.path() + "/model.safetensors", {renamed(model, family, prefix), {}});
    OpenOptions options;
    options.num_heads = 2;
    if (std::string(family) == "huggingface") write_hugging_face_config(folder.path());
    const LoadedModel loaded = load_model(folder.path(), options);
    REQUIRE(loaded.origin);
    CHECK(loaded.origin->family == family);
    CHECK(bit_equal((*loaded.model)(x).value(), wanted));
    CHECK(loaded.card.class_names.size() == 3);
    if (std::string(family) == "huggingface") CHECK(loaded.card.class_names[1] == "bee");
  }
}

TEST_CASE("a number of heads that no file tells is assumed and said, or asked for") {
  Rng rng(3);
  models::ViTConfig config = tiny();
  config.embed_dim = 128;
  models::ViT model(config, rng);
  ScratchFolder folder;
  save_safetensors(folder.path() + "/weights.safetensors", {model.state_dict(), {}});
  const LoadedModel loaded = load_model(folder.path() + "/weights.safetensors");
  bool assumed = false;
  for (const weights::Fact& fact : loaded.origin->facts)
    assumed = assumed || (fact.name == "num_heads" && fact.value == "2" && fact.source.starts_with("assumed"));
  CHECK(assumed);
  models::ViT narrow(tiny(), rng);
  save_safetensors(folder.path() + "/narrow.safetensors", {narrow.state_dict(), {}});
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { load_model(folder.path() + "/narrow.safetensors"); }),
             "the number of heads cannot be read from shapes: width is 8. Hint: --num-heads N.");
}

TEST_CASE("a configuration that contradicts the weights is refused with both numbers") {
  Rng rng(3);
  models::ViT model(tiny(), rng);
  ScratchFolder folder;
  save_safetensors(folder.path() + "/model.safetensors", {renamed(model, "huggingface", "vit."), {}});
  const std::pair<const char*, const char*> wrong[] = {
      {R"({"model_type": "vit", "hidden_size": 16, "num_attention_heads": 2, "image_size": 16, "patch_size": 8, "num_hidden_layers": 2})",
       "embed_dim is 16 there, 8 by the weights"},
      {R"({"model_type": "vit", "hidden_size": 8, "num_attention_heads": 2, "image_size": 32, "patch_size": 8, "num_hidden_layers": 2})",
       "the file has 5 positions, img_size 32 x 32 with patch_size 8 needs 17"},
      {R"({"model_type": "vit", "hidden_size": 8, "num_attention_heads": 2, "image_size": 16, "patch_size": 8, "num_hidden_layers": 3})",
       "depth (layers) is 3 there, 2 by the weights"},
      {R"({"model_type": "vit", "hidden_size": 8, "num_attention_heads": 3, "image_size": 16, "patch_size": 8, "num_hidden_layers": 2})",
       "num_heads is 3 (config.json), width is 8"},
      {R"({"model_type": "swin"})", "not a ViT that this program runs: model_type is \"swin\""}};
  for (const auto& [config, words] : wrong) {
    write_file_atomically(folder.path() + "/config.json", std::string(config));
    CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_model(folder.path()); }), words);
  }
}

TEST_CASE("a head of zeros and a missing head cannot answer") {
  Rng rng(3);
  models::ViT model(tiny(), rng);
  ScratchFolder folder;
  fill_(model.head->weight.value(), 0);
  fill_(model.head->bias.value(), 0);
  save_safetensors(folder.path() + "/zero.safetensors", {model.state_dict(), {}});
  OpenOptions options;
  options.num_heads = 2;
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_task(folder.path() + "/zero.safetensors", nullptr, options); }),
             "the head is all zero: the model was never fine-tuned");
  models::ViTConfig bare = tiny();
  bare.num_classes = 0;
  models::ViT features(bare, rng);
  save_safetensors(folder.path() + "/bare.safetensors", {features.state_dict(), {}});
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_task(folder.path() + "/bare.safetensors", nullptr, options); }),
             "the model has no head that could name a class");
  CHECK(load_model(folder.path() + "/bare.safetensors", options).model->num_classes() == 0);
}

TEST_CASE("tensors that the model does not have are listed, and refused when strict") {
  Rng rng(3);
  models::ViT model(tiny(), rng);
  ScratchFolder folder;
  nn::StateDict state = model.state_dict();
  state.emplace_back("blocks.0.attn.rel_pos", zeros({4}));
  save_safetensors(folder.path() + "/extra.safetensors", {state, {}});
  OpenOptions options;
  options.num_heads = 2;
  CHECK(load_model(folder.path() + "/extra.safetensors", options).origin->unexpected ==
        std::vector<std::string>{"blocks.0.attn.rel_pos"});
  options.strict = true;
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_model(folder.path() + "/extra.safetensors", options); }),
             "1 tensors are unexpected: blocks.0.attn.rel_pos");
  state.erase(state.begin() + 5);
  const std::string gone = model.state_dict()[5].first;
  save_safetensors(folder.path() + "/missing.safetensors", {state, {}});
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_model(folder.path() + "/missing.safetensors", options); }), gone.c_str());
}

TEST_CASE("timm's model_args change the size of pretrained_cfg, for the model and for its pictures") {
  Rng rng(3);
  models::ViT model(tiny(), rng);
  ScratchFolder folder;
  save_safetensors(folder.path() + "/model.safetensors", {model.state_dict(), {}});
  write_file_atomically(folder.path() + "/config.json",
                        std::string(R"({"architecture": "test_vit", "model_args": {"img_size": 16, "num_heads": 2},
    "pretrained_cfg": {"input_size": [3, 160, 160], "crop_pct": 0.8, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}})"));
  const LoadedModel loaded = load_model(folder.path());
  CHECK(loaded.model->img_height() == 16);
  CHECK(loaded.card.preprocessing.height == 16);
  CHECK(loaded.card.preprocessing.resize_height == 20);
}

TEST_CASE("a DeiT or DINOv2 without a preprocessor file gets ImageNet's mean, and says that it was assumed") {
  Rng rng(3);
  models::ViT model(tiny(), rng);
  ScratchFolder folder;
  save_safetensors(folder.path() + "/model.safetensors", {renamed(model, "huggingface", "deit."), {}});
  write_hugging_face_config(folder.path());
  CHECK(load_model(folder.path()).card.preprocessing.mean[0] == 0.5);
  std::string config = read_text_file(folder.path() + "/config.json");
  write_file_atomically(folder.path() + "/config.json", config.replace(config.find("\"vit\""), 5, "\"deit\""));
  const LoadedModel loaded = load_model(folder.path());
  CHECK(loaded.card.preprocessing.mean[0] == 0.485);
  CHECK(std::any_of(loaded.origin->facts.begin(), loaded.origin->facts.end(), [](const weights::Fact& f) {
    return f.name == "preprocessing" && f.source.starts_with("assumed: as deit");
  }));
}

TEST_CASE("preprocessing of the families, and a preprocessor file, as their libraries read them") {
  const Preprocessing timm = weights::family_preprocessing("deit", 224);
  CHECK(timm.resize_height == 248);
  CHECK(timm.resize == ResizeMode::kShortSide);
  CHECK(weights::family_preprocessing("torchvision", 224).resize_height == 256);
  CHECK(weights::family_preprocessing("huggingface", 224).crop_offset == CropOffset::kFloor);
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { weights::family_preprocessing("tim", 224); }), "did you mean timm?");
  ScratchFolder folder;
  write_file_atomically(folder.path() + "/p.json",
                        std::string(R"({"do_resize": true, "size": {"shortest_edge": 64}, "resample": 3, "do_convert_rgb": true,
    "image_mean": [0.4, 0.4, 0.4], "image_std": [0.2, 0.2, 0.2], "crop_size": {"height": 56, "width": 56}, "do_center_crop": true})"));
  const Preprocessing p = weights::read_preprocessor(folder.path() + "/p.json", "dinov2", 56);
  CHECK(p.height == 56);
  CHECK(p.resize == ResizeMode::kShortSide);
  CHECK(p.resize_height == 64);
  CHECK(p.interpolation == Resample::kBicubic);
  CHECK(p.alpha == AlphaRule::kWhite);
  CHECK(p.std == std::vector<double>{0.2, 0.2, 0.2});
}

TEST_CASE("null in a preprocessor file is what transformers' newer processors write for the default of their class") {
  const ScratchFolder folder;
  const std::string file = folder.path() + "/p.json";
  const auto read = [&](const std::string& text) {
    write_file_atomically(file, text);
    return weights::read_preprocessor(file, "vit", 32);
  };
  const Preprocessing vit = read(R"({"image_processor_type": "ViTImageProcessorFast", "size": {"height": 32, "width": 32},
      "crop_size": null, "do_center_crop": null, "do_convert_rgb": null, "do_rescale": true, "resample": null,
      "rescale_factor": null, "image_mean": null, "device": null, "data_format": "channels_first"})");
  CHECK(vit.resize == ResizeMode::kSquash);
  CHECK(vit.height == 32);
  CHECK(vit.interpolation == Resample::kBilinear);
  CHECK(vit.mean == std::vector<double>{0.5, 0.5, 0.5});
  CHECK(vit.rescale == 1.0 / 255);
  const Preprocessing deit = read(R"({"image_processor_type": "DeiTImageProcessorFast", "size": {"height": 36, "width": 36},
      "crop_size": {"height": 32, "width": 32}, "do_center_crop": null})");
  CHECK(deit.height == 32);
  CHECK(deit.resize_height == 36);
}

TEST_CASE("open_clip's pictures: random means bicubic, and what is shorter is filled with the colour that is said") {
  const ScratchFolder folder;
  const auto read = [&](const std::string& pictures) {
    write_file_atomically(
        folder.path() + "/open_clip_config.json",
        cat(R"({"model_cfg": {"embed_dim": 6, "vision_cfg": {"image_size": [32, 48]}}, "preprocess_cfg": {)", pictures, "}}"));
    return *weights::read_sidecar(folder.path()).preprocessing;
  };
  CHECK(read(R"("interpolation": "random")").interpolation == Resample::kBicubic);
  const Preprocessing filled = read(R"("resize_mode": "longest", "fill_color": 128, "interpolation": "bilinear")");
  CHECK(filled.resize == ResizeMode::kContain);
  CHECK(filled.padding == std::vector<int64_t>{128, 128, 128});
  CHECK(filled.interpolation == Resample::kBilinear);
  CHECK(filled.width == 48);
  CHECK(read(R"("interpolation": "bilinear", "resize_mode": "squash")").interpolation == Resample::kBilinear);
  CHECK(read(R"("interpolation": "bilinear")").interpolation == Resample::kBicubic);  // of 32 x 48: it does not look
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { read(R"("resize_mode": "widest")"); }), "resize_mode");
}

TEST_CASE("timm: a named norm has timm's epsilon, pictures without a mean have ImageNet's; open_clip: no bias behind a trunk") {
  const ScratchFolder folder;
  const auto read = [&](const char* name, const std::string& text) {
    write_file_atomically(folder.path() + "/" + name, text);
    return weights::read_sidecar(folder.path());
  };
  const std::string start = R"({"architecture": "vit_base_patch16_clip_224", "pretrained_cfg": {"input_size": [3, 32, 32]})";
  const weights::Sidecar clip = read("config.json", start + "}");
  CHECK(clip.norm_eps == 1e-5);
  CHECK(clip.preprocessing->mean == std::vector<double>{0.485, 0.456, 0.406});
  CHECK(clip.preprocessing->resize_height == 36);  // floor(32 / 0.875)
  CHECK(read("config.json", start + R"(, "model_args": {"norm_layer": "layernorm"}})").norm_eps == 1e-6);
  CHECK_SAYS(refusal(ErrorKind::kData,
                     [&] {
                       read("open_clip_config.json", R"({"model_cfg": {"embed_dim": 6, "vision_cfg": {"timm_proj_bias": true,
                   "timm_model_name": "vit_tiny_patch16_224"}}})");
                     }),
             "timm_proj_bias");
}

TEST_CASE("the checkpoints that must be refused are, with the words of their list") {
  const std::string folder = checkpoint_folder();
  if (folder.empty()) return;
  const std::string manifest = folder + "/manifest.json";
  const JsonDocument json(read_text_file(manifest), manifest);
  JsonObject root(json.root(), manifest);
  for (JsonObject& o : root.objects("cases")) {
    if (o.has("reference") || o.text("expect") != "refuse") continue;
    const std::string name = o.text("name"), path = folder + "/" + o.text("path");
    CAPTURE(name);
    std::string say = o.text("say"), message;
    auto flags = std::regex::ECMAScript;
    if (say.starts_with("(?i)")) say = say.substr(4), flags |= std::regex::icase;
    try {
      load_task(path);
    } catch (const Error& e) {
      message = e.what();
    }
    // The path must not answer for the message.
    for (size_t at; (at = message.find(path)) != std::string::npos;) message.erase(at, path.size());
    CHECK_MESSAGE(std::regex_search(message, std::regex(say, flags)), message);
  }
}
