// The checkpoints of $VITRAIL_CHECKPOINTS, written by timm, transformers, torchvision, open_clip and others: our numbers are
// theirs.
#include "models/weights/foreign.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "autograd/modes.h"
#include "base/file.h"
#include "base/json.h"
#include "data/image/image.h"
#include "models/vit.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/support/checkpoint_folder.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

std::map<std::string, Tensor> tensors(const std::string& path) {
  const SafetensorsFile file = load_safetensors(path);
  return {file.tensors.begin(), file.tensors.end()};
}

// max |a - b| / max(1, max |b|); infinity for other shapes.
double distance(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return INFINITY;
  const Tensor x = to(a, Dtype::f64), y = to(b, Dtype::f64);
  return max(abs(sub(x, y))).item() / std::max(1.0, max(abs(y)).item());
}

struct Case {
  std::string name, path, reference, what;
  std::vector<std::string> pictures;
  OpenOptions options;
};

// Those with numbers to compare.
std::vector<Case> cases(const std::string& folder) {
  const std::string manifest = folder + "/manifest.json";
  const JsonDocument json(read_text_file(manifest), manifest);
  JsonObject root(json.root(), manifest);
  std::vector<Case> all;
  for (JsonObject& o : root.objects("cases")) {
    if (!o.has("reference")) continue;
    Case c{
        o.text("name"), folder + "/" + o.text("path"), folder + "/" + o.text("reference"), "", o.texts_or("pictures", {}), {}};
    if (o.has("give")) {
      JsonObject give(o.value("give"), manifest);
      if (give.has("num_heads") && !give.is_null("num_heads")) c.options.num_heads = give.integer("num_heads", 1, 1000);
      if (give.has("preprocessing")) c.options.preprocess = "torchvision";
    }
    all.push_back(std::move(c));
  }
  return all;
}

// Logits, or what a head would multiply.
Tensor outputs(models::Classifier& model, const Tensor& x) {
  auto& vit = dynamic_cast<models::ViT&>(model);
  const NoGradGuard no_grad;
  return vit.forward_head(vit.forward_features(x), vit.num_classes() == 0).value();
}

void check_fixed_input(const Case& c, LoadedModel& loaded, const std::map<std::string, Tensor>& reference) {
  const std::string what = loaded.model->num_classes() > 0 ? "logits" : "pooled";
  CHECK(distance(outputs(*loaded.model, reference.at("input")), reference.at(what)) <= 1e-5);
  const NoGradGuard no_grad;
  auto& vit = dynamic_cast<models::ViT&>(*loaded.model);
  if (reference.contains("embedding"))
    CHECK(distance(vit.embedding(reference.at("input")).value(), reference.at("embedding")) <= 1e-5);
  const auto in_f64 = reference.find(what + ".f64");
  if (in_f64 == reference.end()) return;
  loaded.model->to(Dtype::f64);
  CHECK_MESSAGE(distance(outputs(vit, to(reference.at("input"), Dtype::f64)), in_f64->second) <= 1e-9, c.name);
  loaded.model->to(Dtype::f32);
}

void check_pictures(const Case& c, const std::string& folder, bool exif, const Tensor& wanted, const Tensor* other) {
  OpenOptions options = c.options;
  options.no_exif = !exif;
  LoadedModel loaded = load_model(c.path, options);
  std::vector<Tensor> inputs;
  for (const std::string& file : c.pictures) {
    const Preprocessing& p = loaded.card.preprocessing;
    inputs.push_back(unsqueeze(preprocess(read_image(folder + "/pictures/" + file, decode_options(p)), p), 0));
  }
  const Tensor y = outputs(*loaded.model, concat(inputs, 0));
  double gap = distance(y, wanted);
  if (other != nullptr) gap = std::min(gap, distance(y, *other));
  CHECK(gap <= 3e-5);
}

}  // namespace

TEST_CASE("checkpoints of the world give the numbers of the libraries that wrote them") {
  const std::string folder = checkpoint_folder();
  if (folder.empty()) return;
  for (const Case& c : cases(folder)) {
    CAPTURE(c.name);
    LoadedModel loaded;
    REQUIRE_NOTHROW(loaded = load_model(c.path, c.options));
    const std::map<std::string, Tensor> reference = tensors(c.reference);
    check_fixed_input(c, loaded, reference);
    const std::string what = loaded.model->num_classes() > 0 ? "pictures.logits" : "pictures.pooled";
    for (const bool exif : {true, false})
      for (const char* kind : {"", ".pil"}) {
        const std::string name = what + kind + (exif ? "" : ".no_exif");
        const auto found = reference.find(name), pillow13 = reference.find(name + ".pillow13");
        if (found != reference.end())
          check_pictures(c, folder, exif, found->second, pillow13 != reference.end() ? &pillow13->second : nullptr);
      }
  }
}
