// What vit-pytorch, open_clip, transformers and torchvision compute from tiny files that they wrote themselves
// (tests/models/golden/families.py): options that no tensor's name tells, or that another version stores otherwise.
#include <doctest/doctest.h>

#include "autograd/modes.h"
#include "models/vit.h"
#include "models/weights/foreign.h"
#include "models/weights/formats/tensor_file.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/support/data_test.h"
#include "tests/support/model_test.h"
#include "tests/support/scratch_folder.h"
#include "train/task/task.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

const std::string kFolder = "tests/models/golden/families/";

const Tensor& reference(const std::string& name) {
  static const SafetensorsFile file = load_safetensors(kFolder + "references.safetensors");
  for (const auto& [its, tensor] : file.tensors)
    if (its == name) return tensor;
  FAIL("no reference ", name);
  return file.tensors[0].second;
}

OpenOptions given(int64_t heads, int64_t size) {
  OpenOptions options;
  options.num_heads = heads, options.img_height = options.img_width = size;
  return options;
}

// The largest difference from the reference, relative to its largest value where that is above 1.
double distance(const std::string& name, const std::string& file, const std::string& kind, const OpenOptions& options) {
  const LoadedModel loaded = load_model(kFolder + file, options);
  auto& vit = dynamic_cast<models::ViT&>(*loaded.model);
  const NoGradGuard no_grad;
  const Variable tokens = vit.forward_features(Variable(reference(name + ".input")));
  const Tensor ours = vit.forward_head(tokens, kind == "features").value();
  const Tensor& theirs = reference(name + "." + kind);
  REQUIRE(ours.shape() == theirs.shape());
  return largest_difference(ours, theirs) / std::max(1.0, max(abs(theirs)).item());
}

}  // namespace

TEST_CASE("vit-pytorch: a mean without a class token, one channel, SimpleViT, its registers, a norm in its head") {
  for (const char* name : {"vit-mean", "vit-grey", "simple", "simple-registers", "simple-flash"}) {
    CAPTURE(name);
    CHECK(distance(name, cat(name, ".pt"), "logits", given(2, 8)) < 1e-5);
    CHECK(load_model(cat(kFolder, name, ".pt"), given(2, 8)).origin->unexpected.empty());
  }
}

TEST_CASE("open_clip: pools, the last norm behind the pool, epsilon and GELU of the configuration") {
  for (const char* name : {"clip-average", "clip-last-norm", "clip-layers"}) {
    CAPTURE(name);
    CHECK(distance(name, name, "features", {}) < 1e-5);
  }
}

TEST_CASE("open_clip: layers of a block that this ViT does not have are listed, and refused with strict") {
  const LoadedModel loaded = load_model(kFolder + "clip-other-attention");
  CHECK(loaded.origin->not_computed.size() == 4);
  CHECK(loaded.origin->not_computed == loaded.origin->unexpected);
  OpenOptions strict;
  strict.strict = true;
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_model(kFolder + "clip-other-attention", strict); }), "attn.ln_");
}

TEST_CASE("transformers: DINOv2 reads pictures of another size than its grid's") {
  CHECK(distance("dinov2-smaller", "dinov2-smaller", "logits", {}) < 1e-5);
}

TEST_CASE("torchvision: a head behind a representation layer is left out, the features are right, and predict says why") {
  const std::string name = "torchvision-representation", file = name + ".pth";
  CHECK(distance(name, file, "features", given(2, 0)) < 1e-5);
  CHECK(load_model(kFolder + file, given(2, 0)).model->num_classes() == 0);
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_task(kFolder + file, nullptr, given(2, 0)); }), "pre_logits");
  // Google's ImageNet-21k files have such a layer before a head of zeros.
  const ScratchFolder folder;
  TensorFile zero = read_tensor_file(kFolder + file);
  for (auto& [its, tensor] : zero.tensors)
    if (its.starts_with("heads.head.")) tensor = zeros(tensor.shape());
  save_safetensors(folder.path() + "/model.safetensors", {zero.tensors, {}});
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_task(folder.path(), nullptr, given(2, 0)); }), "the head is all zero");
}
