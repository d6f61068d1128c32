// 24 layers, initialised in four ways: the size of the activations of each layer (forward) and of its gradients (backward).
// Runs the plain loops.
#include <cmath>
#include <iostream>
#include <memory>
#include <vector>

#include "autograd/ops.h"
#include "base/file.h"
#include "base/svg.h"
#include "labs/common/milestone.h"
#include "nn/init.h"
#include "nn/nn.h"
#include "tensor/ops.h"
#include "tensor/plain.h"

using namespace vitrail;

namespace {

constexpr int kDepth = 24;
constexpr int64_t kWidth = 96, kBatch = 32, kClasses = 10;

struct DeepLayer : nn::Module {
  explicit DeepLayer(Rng& rng)
      : norm(kWidth), fc(nn::LinearValues{nn::kaiming_normal({kWidth, kWidth}, rng), zeros({kWidth})}) {
    register_module("norm", norm);
    register_module("fc", fc);
  }
  nn::LayerNorm norm;
  nn::Linear fc;
};

struct Deep : nn::Module {
  explicit Deep(bool with_norms) : normed(with_norms), head(kWidth, kClasses, Rng(9)) {
    Rng rng(4);
    for (int i = 0; i < kDepth; ++i) {
      layers.push_back(std::make_unique<DeepLayer>(rng));
      register_module("layer" + std::to_string(i + 1), *layers.back());
    }
    register_module("head", head);
  }
  // The activations of all layers.
  std::vector<Variable> forward(const Tensor& x) {
    std::vector<Variable> h{Variable(x)};
    for (const auto& layer : layers)
      h.push_back(normed ? gelu(layer->fc.forward(layer->norm.forward(h.back()))) : relu(layer->fc.forward(h.back())));
    return h;
  }
  bool normed;
  std::vector<std::unique_ptr<DeepLayer>> layers;
  nn::Linear head;
};

double size_of(const Tensor& x) { return std::sqrt(mean(square(to(x, Dtype::f64))).item()); }  // root of the mean square

struct Measured {
  std::string name;
  std::vector<Tensor> activations, weight_gradients, bias_gradients;  // of layers 1 to kDepth
  double loss = 0;
};

// A network whose weights are `factor` times those of the healthy one.
Measured measure(const std::string& name, double factor, bool normed, const Tensor& input, const Tensor& classes) {
  Deep healthy(normed), net(normed);
  nn::StateDict state;
  for (const auto& [key, value] : healthy.state_dict())
    state.emplace_back(key, key.ends_with("fc.weight") ? mul(value, factor) : value);
  net.load_state_dict(state);
  Measured m{name, {}, {}, {}};
  const std::vector<Variable> h = net.forward(input);
  m.loss = cross_entropy(net.head.forward(h.back()), classes).item();
  h.back().backward(rand_normal(h.back().shape(), 0, 1, Rng(6)));
  for (int i = 0; i < kDepth; ++i) {
    m.activations.push_back(h[static_cast<size_t>(i) + 1].value());
    m.weight_gradients.push_back(net.layers[static_cast<size_t>(i)]->fc.weight.grad());
    m.bias_gradients.push_back(net.layers[static_cast<size_t>(i)]->fc.bias.grad());
  }
  return m;
}

// A ReLU network is homogeneous: weights times c make layer l's activations c^l times as large, and the gradient of each weight
// matrix c^(kDepth - 1) times. If c is a power of two, nothing is rounded, so this holds to the bit.
bool homogeneous(const Measured& one, const Measured& scaled, double c) {
  bool holds = true;
  for (size_t l = 0; l < kDepth; ++l) {
    holds = holds && bit_equal(scaled.activations[l], mul(one.activations[l], std::pow(c, static_cast<double>(l + 1))));
    holds = holds && bit_equal(scaled.weight_gradients[l], mul(one.weight_gradients[l], std::pow(c, kDepth - 1)));
  }
  return holds;
}

// ---- the picture ----

constexpr double kLeft = 46, kTop = 40, kPanelWidth = 300, kPanelHeight = 260, kApart = 60, kMost = 26;  // +-2^26

struct Style {
  const char *colour, *dash, *mark;  // mark: a small path around (0, 0)
};
constexpr Style kStyles[] = {{"#1f5fa8", "6 3", "M-4 -3h8l-4 7z"},
                             {"#222", "", "M-3 -3h6v6h-6z"},
                             {"#b03a2e", "2 3", "M-4 3h8l-4 -7z"},
                             {"#777", "9 3 2 3", "M0 -4l4 4l-4 4l-4 -4z"}};

void draw_panel(Svg& svg, double left, const std::string& title, const std::vector<Measured>& all, bool gradients) {
  const auto x_of = [&](size_t layer) { return left + kPanelWidth * (static_cast<double>(layer) + 0.5) / kDepth; };
  const auto y_of = [&](double size) {
    return kTop + kPanelHeight * (1 - (std::clamp(std::log2(size), -kMost, kMost) / kMost + 1) / 2);
  };
  svg.text(left, kTop - 12, title, "font-weight=\"bold\"");
  svg.rect(left, kTop, kPanelWidth, kPanelHeight, "fill=\"none\" stroke=\"#999\"");
  for (const int power : {-24, -12, 0, 12, 24}) {
    const double y = y_of(std::ldexp(1, power));
    svg.path("M" + svg_number(left) + " " + svg_number(y) + "h" + svg_number(kPanelWidth), "stroke=\"#ddd\"");
    svg.text(left - 6, y + 4, "2^" + std::to_string(power), "text-anchor=\"end\"");
  }
  for (const size_t layer : {size_t{0}, size_t{11}, size_t{23}})
    svg.text(x_of(layer), kTop + kPanelHeight + 16, std::to_string(layer + 1), "text-anchor=\"middle\"");
  svg.text(left + kPanelWidth / 2 + 40, kTop + kPanelHeight + 16, "layer", "text-anchor=\"middle\"");
  for (size_t i = 0; i < all.size(); ++i) {
    const std::vector<Tensor>& values = gradients ? all[i].bias_gradients : all[i].activations;
    std::string line, marks;
    for (size_t l = 0; l < values.size(); ++l) {
      const std::string at = svg_number(x_of(l)) + " " + svg_number(y_of(size_of(values[l])));
      line += (l == 0 ? "M" : "L") + at;
      if (l % 4 == 3) marks += "M" + at + "m" + std::string(kStyles[i].mark + 1);
    }
    const std::string colour = kStyles[i].colour;
    svg.path(line, "fill=\"none\" stroke=\"" + colour + "\" stroke-width=\"1.6\" stroke-dasharray=\"" + kStyles[i].dash + "\"");
    svg.path(marks, "fill=\"" + colour + "\"");
  }
}

std::string picture(const std::vector<Measured>& all) {
  const double width = kLeft + 2 * kPanelWidth + kApart + 26;
  Svg svg(width, kTop + kPanelHeight + 70, "text{font:12px sans-serif}");
  draw_panel(svg, kLeft, "size of the activations", all, false);
  draw_panel(svg, kLeft + kPanelWidth + kApart, "size of the gradients that come back", all, true);
  for (size_t i = 0; i < all.size(); ++i) {
    const double x = kLeft + static_cast<double>(i) * (width - kLeft) / 4, y = kTop + kPanelHeight + 48;
    const std::string colour = kStyles[i].colour;
    svg.path("M" + svg_number(x) + " " + svg_number(y - 4) + "h28",
             "stroke=\"" + colour + "\" stroke-width=\"1.6\" stroke-dasharray=\"" + kStyles[i].dash + "\"");
    svg.path("M" + svg_number(x + 14) + " " + svg_number(y - 4) + "m" + (kStyles[i].mark + 1), "fill=\"" + colour + "\"");
    svg.text(x + 34, y, all[i].name);
  }
  return svg.str();
}

int draw_all(const std::string& out) {
  const PlainGuard plain("linear,softmax,gelu,cross_entropy,layer_norm");
  const Tensor input = rand_normal({kBatch, kWidth}, 0, 1, Rng(1)), classes = rand_int({kBatch}, 0, kClasses, Rng(2));
  const std::vector<Measured> all{
      measure("weights x 1/2", 0.5, false, input, classes), measure("weights as drawn", 1, false, input, classes),
      measure("weights x 2", 2, false, input, classes), measure("x 2, layer norm, GELU", 2, true, input, classes)};
  for (const Measured& m : all)
    std::cout << "  " << m.name << ": size 1 goes in, " << size_of(m.activations.back()) << " arrives in layer " << kDepth
              << ", the loss is " << m.loss << "\n";
  const bool holds = homogeneous(all[1], all[0], 0.5) && homogeneous(all[1], all[2], 2);
  std::cout << "  weights x 2 and x 1/2 change layer l by exactly 2^l and 2^-l, and every weight's gradient by 2^23 and 2^-23: "
            << (holds ? "true to the bit" : "NOT TRUE") << "\n";
  write_file_atomically(out + "/lab4.svg", picture(all));
  const double healthy = size_of(all[1].activations.back()), normed = size_of(all[3].activations.back());
  return holds && healthy > 0.1 && healthy < 10 && normed > 0.1 && normed < 10 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return lab::milestone(argc, argv, draw_all); }
