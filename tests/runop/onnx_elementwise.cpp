// ONNX operators that work element by element.
#include <limits>

#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

Operator unary(Variable (*fn)(const Variable&)) {
  return [fn](const Call& c) -> Outputs { return {fn(c.in(0))}; };
}

Operator binary(Variable (*fn)(const Variable&, const Variable&)) {
  return [fn](const Call& c) -> Outputs { return {fn(c.in(0), c.in(1))}; };
}

// Any number of inputs, from the left.
Operator variadic(Variable (*fn)(const Variable&, const Variable&)) {
  return [fn](const Call& c) -> Outputs {
    Variable result = c.in(0);
    for (size_t i = 1; i < c.inputs.size(); ++i) result = fn(result, c.in(i));
    return {result};
  };
}

Operator comparison(Tensor (*fn)(const Tensor&, const Tensor&)) {
  return [fn](const Call& c) -> Outputs { return {Variable(fn(c.tensor(0), c.tensor(1)))}; };
}

// The base's dtype is the result's; mixed dtypes meet in f64.
Outputs power(const Call& c) {
  const Dtype dtype = c.in(0).dtype();
  if (dtype == c.in(1).dtype() && is_float(dtype)) return {pow(c.in(0), c.in(1))};
  return {Variable(to(pow(to(c.tensor(0), Dtype::f64), to(c.tensor(1), Dtype::f64)), dtype))};
}

Outputs clip(const Call& c) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double low = c.has(1) ? c.tensor(1).item() : -kInfinity, high = c.has(2) ? c.tensor(2).item() : kInfinity;
  return {clamp(c.in(0), low, high)};
}

Outputs prelu(const Call& c) { return {relu(c.in(0)) - c.in(1) * relu(-c.in(0))}; }

Outputs average(const Call& c) { return {variadic(add)(c)[0] / static_cast<double>(c.inputs.size())}; }

Gelu gelu_kind(const Call& c) {
  const std::string kind = c.attributes.text("approximate", "none");
  if (kind == "none") return Gelu::kExact;
  if (kind == "tanh") return Gelu::kTanh;
  if (kind == "quick") return Gelu::kQuick;
  throw Unsupported("approximate=" + kind);
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
  t["Sign"] = [](const Call& c) -> Outputs { return {Variable(sign(c.tensor(0)))}; };
  t["Floor"] = [](const Call& c) -> Outputs { return {Variable(floor(c.tensor(0)))}; };
  t["Ceil"] = [](const Call& c) -> Outputs { return {Variable(ceil(c.tensor(0)))}; };
  t["Round"] = [](const Call& c) -> Outputs { return {Variable(round(c.tensor(0)))}; };
  t["Not"] = [](const Call& c) -> Outputs { return {Variable(logical_not(c.tensor(0)))}; };
  t["Gelu"] = [](const Call& c) -> Outputs { return {gelu(c.in(0), gelu_kind(c))}; };
  t["LeakyRelu"] = [](const Call& c) -> Outputs { return {leaky_relu(c.in(0), c.attributes.number("alpha", 0.01))}; };
  t["Elu"] = [](const Call& c) -> Outputs { return {elu(c.in(0), c.attributes.number("alpha", 1))}; };
  t["Selu"] = [](const Call& c) -> Outputs {
    return {c.attributes.number("gamma", 1.05070102214813232421875) *
            elu(c.in(0), c.attributes.number("alpha", 1.67326319217681884765625))};
  };
  t["HardSigmoid"] = [](const Call& c) -> Outputs {
    return {clamp(c.in(0) * c.attributes.number("alpha", 0.2) + c.attributes.number("beta", 0.5), 0, 1)};
  };
  t["Softsign"] = [](const Call& c) -> Outputs { return {c.in(0) / (abs(c.in(0)) + 1.0)}; };
  t["Mish"] = [](const Call& c) -> Outputs { return {c.in(0) * tanh(softplus(c.in(0)))}; };
  t["Swish"] = [](const Call& c) -> Outputs { return {c.in(0) * sigmoid(c.in(0) * c.attributes.number("alpha", 1))}; };
  t["PRelu"] = prelu;
  t["Clip"] = clip;

  t["Add"] = binary(add);
  t["Sub"] = binary(sub);
  t["Mul"] = binary(mul);
  t["Div"] = binary(div);
  t["Pow"] = power;
  t["Max"] = variadic(maximum);
  t["Min"] = variadic(minimum);
  t["Sum"] = variadic(add);
  t["Mean"] = average;
  t["Equal"] = comparison(equal);
  t["Less"] = comparison(less);
  t["LessOrEqual"] = comparison(less_equal);
  t["Greater"] = comparison(greater);
  t["GreaterOrEqual"] = comparison(greater_equal);
  t["And"] = comparison(logical_and);
  t["Or"] = comparison(logical_or);
  t["Where"] = [](const Call& c) -> Outputs { return {where(c.tensor(0), c.in(1), c.in(2))}; };
}

}  // namespace vitrail::onnx
