// Every option means what timm's VisionTransformer means by it: parameters, logits and initial values.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "models/presets.h"
#include "tensor/ops.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using namespace models;

// One entry of golden/timm_vit.txt, which golden/timm_vit.py wrote.
struct Golden {
  std::string config;
  std::vector<std::string> parameters;  // "cls_token:1x1x16", by name
  Shape images;
  std::vector<double> logits;
};

template <class T>
std::vector<T> words(const std::string& line) {
  std::istringstream in(line);
  std::vector<T> result;
  for (T word; in >> word;) result.push_back(word);
  return result;
}

std::vector<Golden> golden_table() {
  std::ifstream file("tests/models/golden/timm_vit.txt");
  REQUIRE_MESSAGE(file.good(), "run from the repository's root");
  std::vector<Golden> table;
  for (std::string line; std::getline(file, line);) {
    const std::string key = line.substr(0, line.find(' ')), rest = line.substr(key.size() + 1);
    if (key == "config") table.push_back({rest, {}, {}, {}});
    if (key == "parameters") table.back().parameters = words<std::string>(rest);
    if (key == "logits") table.back().logits = words<double>(rest);
    if (key == "images")
      for (const int64_t extent : words<int64_t>(rest)) table.back().images.push_back(extent);
  }
  return table;
}

// The values that golden/timm_vit.py gives to parameter or input k.
Tensor formula(const Shape& shape, int64_t k) {
  std::vector<double> values(static_cast<size_t>(checked_numel(shape)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(0.37 * static_cast<double>(i) + 1.3 * static_cast<double>(k) + 0.5);
  return from_vector(values, shape);
}

std::string described(const nn::NamedParameter& p) {
  std::string text = p.name + ":";
  for (int i = 0; i < p.parameter->dim(); ++i) text += (i > 0 ? "x" : "") + std::to_string(p.parameter->size(i));
  return text;
}

TEST_CASE("parameters and logits are timm's for every option") {
  const std::vector<Golden> table = golden_table();
  CHECK(table.size() >= 28);
  for (const Golden& golden : table) {
    CAPTURE(golden.config);
    const ModelConfig config = config_from_json(golden.config);
    Rng rng(1);
    const auto model = make_model(config, rng);
    auto parameters = model->named_parameters();
    std::sort(parameters.begin(), parameters.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    std::vector<std::string> names;
    for (const auto& p : parameters) names.push_back(described(p));
    CHECK(names == golden.parameters);
    CHECK(model->num_parameters() == parameter_count(config));
    model->to(Dtype::f64);
    for (size_t k = 0; k < parameters.size(); ++k) {
      const bool scale = parameters[k].name.find("norm") != std::string::npos && parameters[k].name.ends_with("weight");
      const Tensor values = formula(parameters[k].parameter->shape(), static_cast<int64_t>(k)) * 0.2;
      // timm's script rounds its weights to f32
      parameters[k].parameter->set_value(to(to(add(values, scale ? 1 : 0), Dtype::f32), Dtype::f64));
    }
    model->eval();
    const auto logits = to_vector<double>((*model)(formula(golden.images, 100)).value());
    REQUIRE(logits.size() == golden.logits.size());
    for (size_t i = 0; i < logits.size(); ++i) CHECK(logits[i] == doctest::Approx(golden.logits[i]).epsilon(1e-6));
  }
}

std::unique_ptr<ViT> make(const ViTConfig& c) {
  Rng rng(9);
  return std::make_unique<ViT>(c, rng);
}

TEST_CASE("without positions there is no position dropout") {
  ViTConfig c = tiny_config();
  c.pos_embed = "none", c.pos_drop_rate = 0.9;
  const auto model = make(c);
  const Tensor images = random_images({2, 3, 8, 8});
  const Tensor trained = model->embed(images).value();
  model->eval();
  CHECK(bit_equal(trained, model->embed(images).value()));
  c.pos_embed = "learn";
  const auto learned = make(c);
  const Tensor dropped = learned->embed(images).value();
  learned->eval();
  CHECK_FALSE(bit_equal(dropped, learned->embed(images).value()));
}

TEST_CASE("skip leaves fix_init out too; reset has PyTorch's matrices and fix_init") {
  ViTConfig c = tiny_config();
  c.weight_init = "skip";
  const auto skipped = make(c);
  c.fix_init = true;
  const auto skipped_fixed = make(c);
  CHECK(bit_equal(skipped->blocks[1].mlp.fc2.weight.value(), skipped_fixed->blocks[1].mlp.fc2.weight.value()));
  c.weight_init = "reset";
  const auto reset = make(c);
  CHECK(bit_equal(reset->blocks[1].mlp.fc1.weight.value(), skipped->blocks[1].mlp.fc1.weight.value()));
  CHECK(largest_difference(reset->blocks[1].mlp.fc2.weight.value(), mul(skipped->blocks[1].mlp.fc2.weight.value(), 0.5)) < 1e-8);
}

TEST_CASE("every initialisation builds without the biases of proj_bias, and the model trains") {
  for (const char* scheme : {"timm", "jax", "jax_nlhb", "moco", "skip", "reset"}) {
    CAPTURE(scheme);
    ViTConfig c = tiny_config();
    c.proj_bias = c.qkv_bias = false, c.weight_init = scheme;
    const auto model = make(c);
    CHECK_FALSE(model->blocks[0].mlp.fc1.bias.defined());
    CHECK_FALSE(model->blocks[0].mlp.fc2.bias.defined());
    sum(square((*model)(random_images({2, 3, 8, 8})))).backward();
    CHECK(model->blocks[0].attn.qkv.weight.grad().defined());
    const NoGradGuard no_grad;
    CHECK((*model)(random_images({2, 3, 8, 8})).shape() == Shape{2, 5});
  }
}

TEST_CASE("the empty name of no positions is that of none, other image sizes included") {
  ViTConfig c = tiny_config();
  c.pos_embed = "", c.dynamic_img_size = true;
  CHECK((*make(c))(random_images({1, 3, 12, 16})).shape() == Shape{1, 5});
}

}  // namespace
}  // namespace vitrail::testing
