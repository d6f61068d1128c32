// What every operator of the table owes a call from a file: it runs a valid one, and refuses by name what it does not know,
// before it uses anything that is out of range.
#include <doctest/doctest.h>

#include <set>

#include "tests/runop/run_op.h"
#include "tests/runop/sample_calls.h"

using namespace vitrail;
using onnx::Attributes;
using onnx::Call;
using onnx::Operator;
using onnx::SampleCall;

namespace {

// What is said against the call; "" if it runs. Any exception but Error and Unsupported gets out and fails the test.
std::string refusal(const Operator& op, const Call& call) {
  try {
    apply(op, call);
  } catch (const Error& e) {
    return e.what();
  } catch (const onnx::Unsupported& e) {
    return e.what();
  }
  return "";
}

std::string refusal(const std::string& name, const Call& call) { return refusal(onnx::operators().at(name), call); }

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// For each operator and its sample.
template <class Check>
void for_all_operators(Check check) {
  for (const auto& entry : onnx::operators()) {
    const std::string& name = entry.first;  // clang 14 captures no structured binding
    const auto found = onnx::sample_calls().find(name);
    REQUIRE_MESSAGE(found != onnx::sample_calls().end(), name << " has no sample call");
    CAPTURE(name);
    check(name, entry.second, found->second);
  }
}

Call call_with(SampleCall sample, const std::string& attribute, const std::string& value) {
  sample.attributes[attribute] = value;
  return sample.call();
}

}  // namespace

TEST_CASE("every operator runs its sample, forward and backward") {
  for_all_operators([](const std::string& name, const Operator&, const SampleCall& sample) {
    SafetensorsFile file;
    for (size_t i = 0; i < sample.inputs.size(); ++i) file.tensors.emplace_back(cat("input.", i), sample.inputs[i]);
    file.metadata.emplace_back("attrs", sample.attribute_text());
    const SafetensorsFile result = onnx::run_op(name, file, "sample");
    REQUIRE_FALSE(result.tensors.empty());
    Call call = sample.call();
    for (Variable& x : call.inputs)
      if (is_float(x.dtype())) x = Variable(x.value(), true);
    const onnx::Outputs outputs = apply(onnx::operators().at(name), call);
    if (!outputs[0].requires_grad()) return;
    file.tensors.emplace_back("grad_output.0", ones(outputs[0].shape(), outputs[0].dtype()));
    CHECK(onnx::run_op(name, file, "sample").tensors.size() > result.tensors.size());
  });
}

TEST_CASE("every operator refuses by name an attribute that it does not know") {
  for_all_operators([](const std::string&, const Operator& op, const SampleCall& sample) {
    CHECK(contains(refusal(op, call_with(sample, "unheard_of", "1")), "unheard_of is not known"));
  });
  const SampleCall& softmax = onnx::sample_calls().at("softmax");
  CHECK(
      contains(refusal("softmax", call_with(softmax, "axes", "0")), "attrs.axes is not known here. Hint: did you mean axis?"));
}

TEST_CASE("every attribute that an operator knows is read: one of another type is refused by name") {
  for_all_operators([](const std::string&, const Operator& op, const SampleCall& sample) {
    for (const std::string& attribute : op.attributes) {
      for (const char* value : {"{}", "[[1]]", "null", "[true]"}) {
        CAPTURE(value);
        CHECK_MESSAGE(contains(refusal(op, call_with(sample, attribute, value)), attribute), attribute);
      }
    }
  });
}

TEST_CASE("an operator only ever throws Error, whatever its attributes hold") {
  const char* values[] = {"0",
                          "-1",
                          "8",
                          "0.5",
                          "4294967296",
                          "-9223372036854775808",
                          "9223372036854775807",
                          "1e300",
                          "18446744073709551615",
                          "[]",
                          "[0]",
                          "[0, 0]",
                          "[0.5]",
                          "[4294967296, 1]",
                          "[-1, -1, -1, -1]",
                          "[9223372036854775807, 9223372036854775807, 1, 1]",
                          "\"\"",
                          "\"reflect\"",
                          "true",
                          "[1, 1, 1, 1]"};
  for_all_operators([&](const std::string&, const Operator& op, const SampleCall& sample) {
    for (const std::string& attribute : op.attributes)
      for (const char* value : values) CHECK_NOTHROW(refusal(op, call_with(sample, attribute, value)));
  });
}

TEST_CASE("every operator refuses inputs that it does not take, and misses those that it needs") {
  for_all_operators([](const std::string&, const Operator& op, const SampleCall& sample) {
    Call call = sample.call();
    while (call.inputs.size() <= op.max_inputs) call.inputs.push_back(call.inputs[0]);
    CHECK(contains(refusal(op, call), cat("input ", op.max_inputs, " is not known")));
    for (size_t i = 0; i < op.min_inputs; ++i) {
      call = sample.call();
      call.inputs[i] = Variable();
      CHECK(contains(refusal(op, call), cat("input ", i, " is missing")));
    }
  });
}

TEST_CASE("every operator refuses an opset that it does not know") {
  for_all_operators([](const std::string&, const Operator& op, const SampleCall& sample) {
    Call call = sample.call();
    call.opset = onnx::kNewestOpset;
    CHECK(refusal(op, call) == "");
    call.opset = onnx::kNewestOpset + 1;
    CHECK(contains(refusal(op, call), "opset 27"));
    call.opset = op.since - 1;
    if (call.opset > 0) CHECK(contains(refusal(op, call), cat("opset ", op.since - 1)));
  });
  SafetensorsFile file{{{"input.0", ones({2}, Dtype::f32)}}, {{"opset", "{\"ai.onnx.preview.training\": 1}"}}};
  CHECK_THROWS_WITH_AS(onnx::run_op("Relu", file, "x"), doctest::Contains("ai.onnx.preview.training is not known"), Error);
}

TEST_CASE("lists of integers are integers: floats are refused, whole or not") {
  const std::set<std::string> take_floats = {"CastLike", "OneHot"};
  for_all_operators([&](const std::string& name, const Operator& op, const SampleCall& sample) {
    for (size_t i = 1; i < sample.inputs.size() && take_floats.count(name) == 0; ++i) {
      if (sample.inputs[i].dtype() != Dtype::i64) continue;
      Call call = sample.call();
      call.inputs[i] = Variable(to(sample.inputs[i], Dtype::f32));
      CHECK_MESSAGE(refusal(op, call) != "", "input " << i);
    }
  });
}

TEST_CASE("two tensors for one place, names beyond the last place and foreign names are refused") {
  const Tensor x = ones({2}, Dtype::f32);
  const auto said = [&](const std::string& first, const std::string& second) {
    try {
      onnx::run_op("Relu", {{{first, x}, {second, x}}, {}}, "file");
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(contains(said("input.0", "input.0.x"), "two tensors for one place"));
  CHECK(contains(said("input.0", "input.64"), "input.64"));
  CHECK(contains(said("input.0", "weight\n"), "found weight"));
  CHECK_FALSE(contains(said("input.0", "weight\n"), "\n"));
  CHECK(contains(said("input.0", "grad_output.1"), "there is no output.1"));
}

TEST_CASE("rows without elements take no time, however many there are") {
  constexpr int64_t kHuge = int64_t{1} << 36;  // a loop over them would take minutes
  const auto result = [](const std::string& name, const std::vector<Shape>& shapes, const std::string& attributes = "") {
    Call call;
    for (const Shape& shape : shapes) call.inputs.emplace_back(zeros(shape, Dtype::f32));
    call.attributes = Attributes(attributes, "call");
    const onnx::Outputs outputs = apply(onnx::operators().at(name), call);
    return outputs[0].value();
  };
  CHECK(result("softmax", {{kHuge, 0}}).shape() == Shape{kHuge, 0});
  CHECK(result("attention", {{2, kHuge, 3, 0}, {2, kHuge, 3, 0}, {2, kHuge, 3, 0}}).shape() == Shape{2, kHuge, 3, 0});
  CHECK(result("Attention", {{kHuge, 0, 1, 4}, {kHuge, 0, 1, 4}, {kHuge, 0, 1, 4}}, "{\"is_causal\": 1}").numel() == 0);
  const Tensor y = result("conv2d", {{2, 0, 5, kHuge}, {6, 0, 3, kHuge}, {6}});
  CHECK(y.shape() == Shape{2, 6, 3, 1});
  CHECK(max(y).item() == 0);
  const Tensor rows = zeros({kHuge, 0}, Dtype::f32);
  CHECK(sort(rows, 1).first.shape() == Shape{kHuge, 0});
  CHECK(topk(rows, 0, 1).first.shape() == Shape{kHuge, 0});
  CHECK(cumsum(rows, 1).shape() == Shape{kHuge, 0});
  CHECK(to_vector<float>(conv2d_backward_bias(zeros({kHuge, 2, 0, 5}, Dtype::f32))) == std::vector<float>{0, 0});
}
