// ONNX operators that work element by element.
#include <limits>

#include "base/file.h"
#include "tensor/view.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

Operator unary(Variable (*fn)(const Variable&)) {
  return {1, 1, {}, [fn](const Call& c) -> Outputs { return {fn(c.in(0))}; }};
}

// Without a gradient.
Operator unary_tensor(Tensor (*fn)(const Tensor&)) {
  return {1, 1, {}, [fn](const Call& c) -> Outputs { return {Variable(fn(c.tensor(0)))}; }};
}

Operator binary(Variable (*fn)(const Variable&, const Variable&)) {
  return {2, 2, {}, [fn](const Call& c) -> Outputs { return {fn(c.in(0), c.in(1))}; }};
}

Variable folded(Variable (*fn)(const Variable&, const Variable&), const Call& c) {
  Variable result = c.in(0);
  for (size_t i = 1; i < c.inputs.size(); ++i) result = fn(result, c.in(i));
  return result;
}

// Any number of inputs, from the left.
Operator variadic(Variable (*fn)(const Variable&, const Variable&)) {
  return {1, kManyInputs, {}, [fn](const Call& c) -> Outputs { return {folded(fn, c)}; }};
}

Operator comparison(Tensor (*fn)(const Tensor&, const Tensor&)) {
  return {2, 2, {}, [fn](const Call& c) -> Outputs { return {Variable(fn(c.tensor(0), c.tensor(1)))}; }};
}

// fn(x, alpha), alpha a finite attribute.
Operator with_alpha(double otherwise, Variable (*fn)(const Variable&, double)) {
  return {1, 1, {"alpha"}, [=](const Call& c) -> Outputs { return {fn(c.in(0), c.attributes.number("alpha", otherwise))}; }};
}

// The base's dtype is the result's. Integers are raised exactly; a float and an integer meet in the float's dtype, or in f64.
Outputs power(const Call& c) {
  const Dtype base = c.in(0).dtype(), exponent = c.in(1).dtype();
  if (base == exponent && is_float(base)) return {pow(c.in(0), c.in(1))};
  if (base == exponent) return {Variable(pow(c.tensor(0), c.tensor(1)))};
  if (!is_float(base) && !is_float(exponent))
    return {Variable(to(pow(to(c.tensor(0), Dtype::i64), to(c.tensor(1), Dtype::i64)), base))};
  if (is_float(base) && !is_float(exponent)) return {pow(c.in(0), Variable(to(c.tensor(1), base)))};
  return {Variable(to(pow(to(c.tensor(0), Dtype::f64), to(c.tensor(1), Dtype::f64)), base))};
}

// min(max(x, low), high), the bounds scalars of x's dtype; those of opset 6 are attributes.
Outputs clip(const Call& c) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (c.attributes.given("min") || c.attributes.given("max")) {
    const double low = c.attributes.number("min", -kInfinity), high = c.attributes.number("max", kInfinity);
    check(c.inputs.size() == 1, ErrorKind::kData, "Clip", "bounds are attributes or inputs, not both");
    return {clamp(c.in(0), low, high)};
  }
  if (is_float(c.in(0).dtype()))
    return {clamp(c.in(0), c.has(1) ? c.number(1) : -kInfinity, c.has(2) ? c.number(2) : kInfinity)};
  Tensor x = c.tensor(0);  // a double cannot hold every integer
  const auto bound = [&](size_t i) {
    check(c.in(i).numel() == 1 && c.in(i).dtype() == x.dtype(), ErrorKind::kData, "Clip", "input ", i, " must be one ",
          name_of(x.dtype()), ": it is ", name_of(c.in(i).dtype()), " ", c.in(i).shape());
    return reshape(c.tensor(i), {});
  };
  if (c.has(1)) x = maximum(x, bound(1));
  if (c.has(2)) x = minimum(x, bound(2));
  return {Variable(x)};
}

Outputs prelu(const Call& c) {
  const Variable slope = broadcast_to(c.in(1), c.in(0).shape());
  return {relu(c.in(0)) - slope * relu(-c.in(0))};
}

Gelu gelu_kind(const Call& c) {
  const std::string kind = c.attributes.text("approximate", "none");
  if (kind == "none") return Gelu::kExact;
  if (kind == "tanh") return Gelu::kTanh;
  if (kind == "quick") return Gelu::kQuick;
  throw Unsupported("approximate=" + escaped(kind, 60));
}

}  // namespace

void add_elementwise(Table& t) {
  t["Abs"] = unary(abs);
  t["Neg"] = unary(neg);
  t["Exp"] = unary(exp);
  t["Log"] = unary(log);
  t["Sqrt"] = unary(sqrt);
  t["Reciprocal"] = unary(reciprocal);
  t["Sin"] = unary(sin);
  t["Cos"] = unary(cos);
  t["Tanh"] = unary(tanh);
  t["Erf"] = unary(erf);
  t["Sigmoid"] = unary(sigmoid);
  t["Softplus"] = unary(softplus);
  t["Relu"] = unary(relu);
  t["Sign"] = unary_tensor(sign);
  t["Floor"] = unary_tensor(floor);
  t["Ceil"] = unary_tensor(ceil);
  t["Round"] = unary_tensor(round);
  t["Not"] = unary_tensor(logical_not);
  t["Gelu"] = {1, 1, {"approximate"}, [](const Call& c) -> Outputs { return {gelu(c.in(0), gelu_kind(c))}; }};
  t["LeakyRelu"] = with_alpha(0.01, leaky_relu);
  t["Elu"] = with_alpha(1, elu);
  t["Swish"] = with_alpha(1, [](const Variable& x, double alpha) { return x * sigmoid(x * alpha); });
  t["Selu"] = {1, 1, {"alpha", "gamma"}, [](const Call& c) -> Outputs {
                 return {c.attributes.number("gamma", 1.05070102214813232421875) *
                         elu(c.in(0), c.attributes.number("alpha", 1.67326319217681884765625))};
               }};
  t["HardSigmoid"] = {1, 1, {"alpha", "beta"}, [](const Call& c) -> Outputs {
                        const double alpha = c.attributes.number("alpha", 0.2), beta = c.attributes.number("beta", 0.5);
                        return {clamp(c.in(0) * alpha + beta, 0, 1)};
                      }};
  t["Softsign"] = unary([](const Variable& x) { return x / (abs(x) + 1.0); });
  t["Mish"] = unary([](const Variable& x) { return x * tanh(softplus(x)); });
  t["PRelu"] = {2, 2, {}, prelu, 7};
  t["Clip"] = {1, 3, {"min", "max"}, clip};

  t["Add"] = binary(add);
  t["Sub"] = binary(sub);
  t["Mul"] = binary(mul);
  t["Div"] = binary(div);
  t["Pow"] = {2, 2, {}, power};
  t["Max"] = variadic(maximum);
  t["Min"] = variadic(minimum);
  t["Sum"] = variadic(add);
  t["Mean"] = {
      1, kManyInputs, {}, [](const Call& c) -> Outputs { return {folded(add, c) / static_cast<double>(c.inputs.size())}; }};
  t["Equal"] = comparison(equal);
  t["Less"] = comparison(less);
  t["LessOrEqual"] = comparison(less_equal);
  t["Greater"] = comparison(greater);
  t["GreaterOrEqual"] = comparison(greater_equal);
  t["And"] = comparison(logical_and);
  t["Or"] = comparison(logical_or);
  t["Where"] = {3, 3, {}, [](const Call& c) -> Outputs { return {where(c.tensor(0), c.in(1), c.in(2))}; }};
}

}  // namespace vitrail::onnx
