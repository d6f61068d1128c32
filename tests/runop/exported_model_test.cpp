// The ONNX models that `vitrail convert` writes, run node by node with the operators of this folder's table: they give the
// model's own results. tools/check_convert.py does the same with onnxruntime and OpenVINO.
#include <doctest/doctest.h>

#include <set>

#include "autograd/modes.h"
#include "base/file.h"
#include "base/json.h"
#include "models/weights/export/export.h"
#include "models/weights/export/onnx_graph.h"
#include "tests/runop/onnx_ops.h"
#include "tests/support/export_models.h"
#include "tests/support/onnx_file.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

struct Exported {
  std::string bytes;  // outlives what `file` borrows
  OnnxFile file;
};

Exported exported(LoadedModel& model, int64_t opset) {
  const ScratchFolder scratch;
  const std::string path = scratch.file("model.onnx");
  weights::export_model(model, "onnx", path, {.opset = opset}, false);
  Exported e{content_of(path), {}};
  e.file = read_onnx(e.bytes);
  return e;
}

std::map<std::string, Variable> run(const OnnxFile& file, const Tensor& x) {
  const NoGradGuard no_grad;
  std::map<std::string, Variable> values{{"pixel_values", x}};
  for (const auto& [name, weight] : file.weights) values.emplace(name, weight);
  for (const OnnxNode& node : file.nodes) {
    CAPTURE(node.name);
    onnx::Call call;
    call.attributes = onnx::Attributes(node.attributes, node.name);
    call.opset = file.opset;
    for (const std::string& name : node.inputs) {
      REQUIRE_MESSAGE(values.contains(name), name << " is used before it is made");
      call.inputs.push_back(values.at(name));
    }
    REQUIRE(onnx::operators().contains(node.type));
    values[node.outputs.at(0)] = onnx::apply(onnx::operators().at(node.type), call).at(0);
  }
  return values;
}

double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return max(abs(sub(a, b))).item() / std::max(1.0, max(abs(b)).item());
}

void check_same_results(LoadedModel& model, const OnnxFile& file) {
  models::Classifier& m = *model.model;
  const Tensor x = rand_normal({3, m.in_chans(), m.img_height(), m.img_width()}, 0, 1, Rng(3));
  const std::map<std::string, Variable> values = run(file, x);
  const NoGradGuard no_grad;
  const std::string main = m.num_classes() > 0 ? "logits" : "features";
  CHECK(distance(values.at(main).value(), m(x).value()) <= 1e-5);
  auto* vit = dynamic_cast<models::ViT*>(&m);
  if (vit == nullptr) return;
  CHECK(distance(values.at("features").value(), vit->forward_head(vit->forward_features(x), true).value()) <= 1e-5);
  if (vit->config().projection > 0) CHECK(distance(values.at("embedding").value(), vit->embedding(x).value()) <= 1e-5);
}

}  // namespace

TEST_CASE("an exported ONNX model, run node by node, gives the model's own results") {
  for (const ExportCase& example : export_cases())
    for (const int64_t opset : {17, 21}) {
      CAPTURE(example.name);
      CAPTURE(opset);
      LoadedModel model = export_model_of(example);
      const Exported e = exported(model, opset);
      check_same_results(model, e.file);
    }
}

TEST_CASE("an ONNX model says what it is: versions, inputs, outputs, preprocessing and class names") {
  LoadedModel model = export_model_of(export_cases()[0]);
  const Exported e = exported(model, 17);
  const OnnxFile& file = e.file;
  CHECK(file.ir_version == 8);
  CHECK(file.opset == 17);
  CHECK(file.producer == "vitrail");
  CHECK(file.inputs == std::map<std::string, std::vector<int64_t>>{{"pixel_values", {-1, 3, 16, 16}}});
  CHECK(file.outputs == std::map<std::string, std::vector<int64_t>>{{"logits", {-1, 5}}, {"features", {-1, 24}}});
  CHECK(preprocessing_from_json(file.metadata.at("preprocessing")) == model.card.preprocessing);
  CHECK(file.metadata.at("model") == model.model->config_json());
  const JsonDocument names("{\"names\":" + file.metadata.at("class_names") + "}", "metadata");
  CHECK(JsonObject(names.root(), "metadata").texts_or("names", {}) == model.card.class_names);
}

TEST_CASE("names of an ONNX graph are unique, and its weights are the model's bits") {
  LoadedModel model = export_model_of(export_cases()[0]);
  const Exported e = exported(model, 17);
  std::set<std::string> names;
  for (const OnnxNode& node : e.file.nodes) CHECK(names.insert(node.outputs.at(0)).second);
  for (const auto& entry : e.file.weights) CHECK(names.insert(entry.first).second);
  int64_t found = 0;
  for (const auto& [name, value] : model.model->state_dict()) {
    CAPTURE(name);
    const auto plain = e.file.weights.find(name), turned = e.file.weights.find(name + ".transposed");
    if (plain != e.file.weights.end()) CHECK(bit_equal(plain->second, contiguous(value)));
    if (turned != e.file.weights.end()) CHECK(bit_equal(turned->second, contiguous(transpose(value))));
    found += plain != e.file.weights.end() || turned != e.file.weights.end();
  }
  CHECK(found == static_cast<int64_t>(model.model->state_dict().size()));
}

TEST_CASE("an ONNX model that is larger than its format can hold is refused with its size") {
  weights::OnnxGraph graph(17);
  graph.output("logits", graph.node("", "Identity", {graph.weight("w", ones({1000}))}), {1000});
  CHECK(graph.model(5000).size() > 4000);
  CHECK(refuses([&] { graph.model(4000); }, ErrorKind::kValue, "an ONNX file holds at most 2 GiB: this model needs 4"));
}

TEST_CASE("protocol buffer fields have the bytes of the encoding's definition") {
  weights::ProtobufMessage inner, message;
  inner.integer(1, 150);
  const std::vector<uint8_t> content{7, 8, 9};
  message.integer(1, 0).integer(2, -1).real(3, 1.0f).text(16, "ab").message(4, std::move(inner)).bytes(5, content);
  std::string bytes;
  for (const auto& piece : message.pieces()) bytes.append(piece.begin(), piece.end());
  const std::string wanted(
      "\x08\x00\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1d\x00\x00\x80\x3f\x82\x01\x02"
      "ab\x22\x03\x08\x96\x01\x2a\x03\x07\x08\x09",
      33);
  CHECK(bytes == wanted);
  CHECK(message.size() == static_cast<int64_t>(wanted.size()));
}
