// vitrail convert: what a library reads is what the model was, and what a library does not have is refused by name. That the
// libraries themselves compute the same is shown by tools/check_convert.py. With VITRAIL_EXPORT_TO=FOLDER the models, in every
// form, and their results are left there for it.
#include "models/weights/export/export.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "autograd/modes.h"
#include "base/file.h"
#include "base/json.h"
#include "models/weights/foreign.h"
#include "tests/support/checkpoint_folder.h"
#include "tests/support/export_models.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using namespace vitrail::testing;
using vitrail::weights::export_model;
namespace fs = std::filesystem;

namespace {

std::string place(const std::string& target, const std::string& folder) {
  return cat(folder, "/", target, target == "onnx" ? ".onnx" : target == "torchvision" ? ".safetensors" : "");
}

const models::ViTConfig* vit_config(models::Classifier& model) {
  const auto* vit = dynamic_cast<models::ViT*>(&model);
  return vit ? &vit->config() : nullptr;
}

Tensor outputs(models::Classifier& model, const Tensor& x) {
  const NoGradGuard no_grad;
  return model(x).value();
}

Tensor features(models::Classifier& model, const Tensor& x) {
  const NoGradGuard no_grad;
  auto& vit = dynamic_cast<models::ViT&>(model);
  return vit.forward_head(vit.forward_features(x), true).value();
}

Tensor example_input(models::Classifier& model) {
  return rand_normal({3, model.in_chans(), model.img_height(), model.img_width()}, 0, 1, Rng(3));
}

// Every tensor of ours is there again to the bit; `positions`: a row of zeros may stand before ours.
void check_same_bits(const nn::StateDict& ours, const nn::StateDict& theirs, bool row_before_positions) {
  CHECK(ours.size() == theirs.size());
  for (const auto& [name, value] : ours) {
    CAPTURE(name);
    const auto found = std::find_if(theirs.begin(), theirs.end(), [&n = name](const auto& entry) { return entry.first == n; });
    REQUIRE(found != theirs.end());
    Tensor again = found->second;
    if (row_before_positions && name == "pos_embed" && again.size(1) == value.size(1) + 1) {
      CHECK(max(abs(slice(again, 1, 0, 1))).item() == 0);
      again = slice(again, 1, 1, again.size(1));
    }
    CHECK(bit_equal(contiguous(again), contiguous(value)));
  }
}

void check_comes_back(LoadedModel& model, const std::string& target, const std::string& path) {
  const models::ViTConfig* config = vit_config(*model.model);
  OpenOptions options;
  if (target == "torchvision") options.num_heads = config->num_heads;
  LoadedModel again = load_model(path, options);
  check_same_bits(model.model->state_dict(), again.model->state_dict(), target == "hf" && config->no_embed_class);
  const Tensor x = example_input(*model.model), y = outputs(*model.model, x);
  const bool same_functions = target != "torchvision" || config->norm_eps == 1e-6;  // there the user says the epsilon
  if (same_functions) CHECK(max(abs(sub(outputs(*again.model, x), y))).item() <= 1e-6 * std::max(1.0, max(abs(y)).item()));
  if (target == "torchvision") return;  // its files have no names and no preprocessing that others read
  CHECK(again.card.class_names == model.card.class_names);
  const Preprocessing &p = again.card.preprocessing, &q = model.card.preprocessing;
  CHECK(p.mean == q.mean);
  CHECK(p.std == q.std);
  CHECK(picture_geometry(p, 50, 30).height == picture_geometry(q, 50, 30).height);
  CHECK(picture_geometry(p, 50, 30).width == picture_geometry(q, 50, 30).width);
  CHECK(p.interpolation == q.interpolation);
}

void save_results(LoadedModel& model, const std::string& path) {
  SafetensorsFile file;
  const Tensor x = example_input(*model.model);
  file.tensors = {{"input", x}, {"logits", outputs(*model.model, x)}};
  if (vit_config(*model.model) != nullptr) file.tensors.emplace_back("features", features(*model.model, x));
  if (vit_config(*model.model) != nullptr && vit_config(*model.model)->projection > 0) {
    const NoGradGuard no_grad;
    file.tensors.emplace_back("embedding", dynamic_cast<models::ViT&>(*model.model).embedding(x).value());
  }
  save_safetensors(path, file);
}

struct Checkpoint {
  std::string name, path;
  OpenOptions options;
};

std::vector<Checkpoint> samples(const std::string& folder) {
  const std::string manifest = folder + "/manifest.json";
  const JsonDocument json(read_text_file(manifest), manifest);
  JsonObject root(json.root(), manifest);
  std::vector<Checkpoint> all;
  for (JsonObject& o : root.objects("cases")) {
    if (!o.has("reference")) continue;
    Checkpoint s{o.text("name"), folder + "/" + o.text("path"), {}};
    if (o.has("give")) {
      JsonObject give(o.value("give"), manifest);
      if (give.has("num_heads") && !give.is_null("num_heads")) s.options.num_heads = give.integer("num_heads", 1, 1000);
      if (give.has("preprocessing")) s.options.preprocess = "torchvision";
    }
    all.push_back(std::move(s));
  }
  return all;
}

// The message of what is refused; "" if the model was written.
std::string written(LoadedModel& model, const std::string& target, const std::string& path,
                    const weights::ExportOptions& options = {}) {
  const auto error = error_of([&] { export_model(model, target, path, options, true); });
  return error ? error->what() : "";
}

}  // namespace

TEST_CASE("every model comes back from every library that has it with the same bits and the same results") {
  const ScratchFolder scratch;
  const char* keep = std::getenv("VITRAIL_EXPORT_TO");
  for (const ExportCase& example : export_cases()) {
    CAPTURE(example.name);
    LoadedModel model = export_model_of(example);
    const std::string folder = cat(keep ? keep : scratch.path(), "/", example.name);
    fs::create_directories(folder);
    save_results(model, folder + "/results.safetensors");
    for (const std::string& target : weights::export_targets()) {
      CAPTURE(target);
      const std::string path = place(target, folder);
      const std::string refused = written(model, target, path);
      CAPTURE(refused);
      const bool expressible = target == "vitrail" || target == "onnx" || example.writes(target);
      REQUIRE(refused.empty() == expressible);
      CHECK(fs::exists(path) == expressible);
      if (expressible && target != "onnx") check_comes_back(model, target, path);
    }
  }
}

TEST_CASE("checkpoints of the world keep every bit through every library that has them, and back") {
  const std::string folder = checkpoint_folder();
  if (folder.empty()) return;
  const ScratchFolder scratch;
  const char* keep = std::getenv("VITRAIL_EXPORT_TO");
  int64_t trips = 0;
  for (const Checkpoint& sample : samples(folder)) {
    CAPTURE(sample.name);
    LoadedModel model = load_model(sample.path, sample.options);
    const std::string to = cat(keep ? keep : scratch.path(), "/", sample.name);
    fs::create_directories(to);
    save_results(model, to + "/results.safetensors");
    for (const std::string& target : weights::export_targets()) {
      CAPTURE(target);
      if (!written(model, target, place(target, to)).empty() || target == "onnx") continue;
      check_comes_back(model, target, place(target, to));
      ++trips;
    }
  }
  MESSAGE(trips, " round trips");
  CHECK(trips >= 60);
}

TEST_CASE("what a library does not have is named") {
  const ScratchFolder scratch;
  const auto refused = [&](const std::string& name, const std::string& target) {
    for (const ExportCase& example : export_cases()) {
      if (example.name != name) continue;
      LoadedModel model = export_model_of(example);
      const std::string path = place(target, scratch.path());
      const std::string message = written(model, target, path);
      CHECK_FALSE(fs::exists(path));
      CHECK(message.find("Hint: ") != std::string::npos);
      return message;
    }
    return std::string("no such example");
  };
  const auto says = [&](const std::string& name, const std::string& target, const std::string& part) {
    const std::string message = refused(name, target);
    CHECK_MESSAGE(message.find(part) != std::string::npos, message);
  };
  says("cct", "timm", "--to timm writes ViTs: this model is a cct");
  says("cct", "hf", "this model is a cct");
  says("tiny_eps", "timm", "cannot say norm_eps 1e-12");
  says("patch_norms", "timm", "layer norms around the patch projection");
  says("patch_norms", "timm", "head_dim 16");
  says("post_norm", "timm", "post_norm blocks");
  says("dinov2", "timm", "global_pool token_avg");
  says("clip_projection", "timm", "a projection");
  says("distillation_token", "timm", "without its head");
  says("registers", "torchvision", "reg_tokens 3");
  says("largest", "torchvision", "qk_norm");
  says("layer_scale", "torchvision", "LayerScale");
  says("no_qkv_bias", "torchvision", "layers without bias");
  says("largest", "hf", "qk_norm");
  says("map", "hf", "global_pool map");
  says("clip_head", "hf", "global_pool token (here: avg)");
  says("average", "hf", "global_pool avg");
  says("registers", "hf", "without a class token");
}

TEST_CASE("the nearest epsilon is written only if the user says so, with a note") {
  const ScratchFolder scratch;
  for (const ExportCase& example : export_cases()) {
    if (example.name != "tiny_eps") continue;
    LoadedModel model = export_model_of(example);
    const weights::ExportReport report =
        export_model(model, "timm", scratch.file("timm"), {.opset = 17, .nearest_eps = true}, false);
    REQUIRE(!report.notes.empty());
    CHECK(report.notes[0].find("norm_eps is 1e-06 in timm, 1e-12 here") != std::string::npos);
  }
}

TEST_CASE("nothing is overwritten unless asked, and never what convert did not write") {
  const ScratchFolder scratch;
  LoadedModel model = export_model_of(export_cases()[0]);
  const std::string folder = scratch.file("out"), file = scratch.file("out.onnx");
  export_model(model, "timm", folder, {}, false);
  export_model(model, "onnx", file, {}, false);
  CHECK(refuses([&] { export_model(model, "hf", folder, {}, false); }, ErrorKind::kValue, "--force replaces it"));
  CHECK(refuses([&] { export_model(model, "onnx", file, {}, false); }, ErrorKind::kValue, "--force replaces it"));
  CHECK(refuses([&] { export_model(model, "onnx", folder, {}, true); }, ErrorKind::kValue, "ends in .onnx"));
  CHECK(refuses([&] { export_model(model, "torchvision", folder, {}, true); }, ErrorKind::kValue, "ends in .safetensors"));
  CHECK(refuses([&] { export_model(model, "timm", file, {}, true); }, ErrorKind::kValue, "--out is a file"));
  CHECK(refuses([&] { export_model(model, "keras", folder, {}, true); }, ErrorKind::kValue, "--to must be one of timm, hf"));
  export_model(model, "hf", folder, {}, true);
  CHECK(fs::exists(folder + "/preprocessor_config.json"));
  export_model(model, "timm", folder, {}, true);
  CHECK_FALSE(fs::exists(folder + "/preprocessor_config.json"));  // of another form: it would be read as ours
  put_content(folder + "/notes.txt", "mine");
  CHECK(refuses([&] { export_model(model, "hf", folder, {}, true); }, ErrorKind::kValue, "also holds \"notes.txt\""));
  CHECK(content_of(folder + "/notes.txt") == "mine");
  CHECK(scratch.entries() == 2);  // nothing is left beside them
}

TEST_CASE("a weight that is not finite is named, and nothing is written") {
  const ScratchFolder scratch;
  LoadedModel model = export_model_of(export_cases()[0]);
  nn::StateDict state = model.model->state_dict();
  for (auto& [name, value] : state)
    if (name == "blocks.1.mlp.fc1.bias") value = full(value.shape(), NAN);
  model.model->load_state_dict(state);
  for (const std::string& target : weights::export_targets())
    CHECK(refuses([&, t = target] { export_model(model, t, place(t, scratch.path()), {}, false); }, ErrorKind::kNumeric,
                  "blocks.1.mlp.fc1.bias"));
  CHECK(scratch.entries() == 0);
}

TEST_CASE("what an export cannot write leaves nothing behind") {
  const ScratchFolder scratch;
  LoadedModel model = export_model_of(export_cases()[0]);
  put_content(scratch.file("file"), "x");
  for (const std::string& target : weights::export_targets())
    CHECK(error_of([&, t = target] { export_model(model, t, place(t, scratch.file("file")), {}, false); })->kind() ==
          ErrorKind::kIo);
  CHECK(scratch.entries() == 1);
}

TEST_CASE("preprocessing that a library cannot express is refused") {
  const ScratchFolder scratch;
  LoadedModel model = export_model_of(export_cases()[0]);
  Preprocessing& p = model.card.preprocessing;
  const auto says = [&](const std::string& target, const std::string& part) {
    const std::string message = written(model, target, place(target, scratch.path()));
    CHECK_MESSAGE(message.find(part) != std::string::npos, message);
  };
  p.resize = ResizeMode::kContain, p.resize_height = p.resize_width = 16;
  says("hf", "no image processor of transformers resizes like this");
  p.resize = ResizeMode::kShortSide, p.resize_height = p.resize_width = 12;
  says("timm", "crop_pct and crop_mode cannot express");
  p.resize_height = p.resize_width = 18, p.rescale = 1;
  says("timm", "divides pixels by 255");
  p.rescale = 1.0 / 255;
  CHECK(written(model, "timm", place("timm", scratch.path())).empty());
  CHECK(written(model, "hf", place("hf", scratch.path())).empty());
}

TEST_CASE("an opset that is not written is refused") {
  const ScratchFolder scratch;
  LoadedModel model = export_model_of(export_cases()[0]);
  for (const int64_t opset : {16, 22})
    CHECK(refuses([&] { export_model(model, "onnx", scratch.file("m.onnx"), {.opset = opset}, false); }, ErrorKind::kValue,
                  "--opset must be from 17 to 21"));
}
