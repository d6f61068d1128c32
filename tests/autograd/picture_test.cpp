// The graph as a picture, in DOT and in SVG.
#include "autograd/graph_picture.h"

#include <doctest/doctest.h>

#include <string>

#include "autograd/checkpoint.h"
#include "autograd/ops.h"

using namespace vitrail;

namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// What nn::Module offers, without nn.
struct FakeModel {
  struct Entry {
    std::string name;
    Variable* parameter;
  };
  Variable weight{ones({2}), true};
  std::vector<Entry> named_parameters() { return {{"blocks.0.weight", &weight}}; }
};

}  // namespace

TEST_CASE("a picture shows each op and leaf once, and constants beside them") {
  const Variable x(ones({2}), true);
  const Variable h = exp(x);
  const Variable y = sum(h * h + Variable(ones({2})));
  for (const std::string& picture : {to_dot(y), to_svg(y)}) {
    CAPTURE(picture);
    CHECK(count(picture, "exp") == 1);
    CHECK(count(picture, "mul") == 1);
    CHECK(count(picture, "leaf") >= 1);
    CHECK(count(picture, "constant") >= 1);
  }
  CHECK(count(to_dot(y), "shape=ellipse, style=dashed, label=\"constant\\n[2]\"") == 1);
  CHECK(count(to_dot(y), " -> ") == 6);
  CHECK(count(to_svg(y), "<path") == 6);
  CHECK(count(to_svg(y), "class=\"op\"") == 4);
  CHECK(to_svg(y).find("<svg") == 0);
  CHECK(count(to_svg(y), "</svg>") == 1);
}

TEST_CASE("an optional input that was left out is not drawn") {
  const Variable x(ones({1, 2}), true), w(ones({3, 2}), true);
  CHECK(count(to_dot(linear(x, w)), " -> ") == 2);
}

TEST_CASE("leaves are named by the model's paths, or by a list") {
  FakeModel model;
  const Variable x(ones({2}), true);
  const Variable loss = sum(model.weight * x);
  CHECK(count(to_dot(loss, model), "label=\"blocks.0.weight\\n[2]\"") == 1);
  CHECK(count(to_svg(loss, model), ">blocks.0.weight</text>") == 1);
  CHECK(count(to_dot(loss, {{"input \"x\"", x}}), "input \\\"x\\\"") == 1);
  CHECK(count(to_svg(loss, {{"<x>", x}}), "&lt;x&gt;") == 1);
}

TEST_CASE("a leaf, a constant and a checkpoint can be drawn") {
  const Variable x(ones({2}), true);
  CHECK(count(to_dot(x), "shape=ellipse, label=\"leaf") == 1);
  CHECK(count(to_svg(Variable(ones({2}))), "constant") >= 1);
  CHECK(count(to_dot(Variable()), "label") == 0);
  const std::string dot = to_dot(sum(checkpoint([](const Variable& h) { return exp(h); }, x)));
  CHECK(count(dot, "label=\"checkpoint") == 1);
  CHECK(count(dot, " -> ") == 2);  // nothing of how a checkpoint is made shows
}

TEST_CASE("a chain of ten thousand ops is drawn without recursion") {
  Variable y(ones({1}), true);
  for (int i = 0; i < 10000; ++i) y = neg(y);
  CHECK(count(to_svg(y), "class=\"op\"") == 10000);
}
