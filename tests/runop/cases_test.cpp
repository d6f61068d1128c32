// Calls that once crashed, were accepted, or gave a wrong value: the files below VITRAIL_CASES, and what is right for each
// (numerics/LIST). The property behind each has its own test in call_test.cpp or beside the tensor op.
#include "tests/support/cases.h"

#include <doctest/doctest.h>

#include "tests/runop/run_op.h"

using namespace vitrail;
using vitrail::testing::case_path;

namespace {

// What the call answers: the name of its error's kind, else its output.0 as text ("[1, 2] f32: 3 4").
std::string answer(const std::string& op, const std::string& file, const std::string& wanted = "output.0") {
  const std::string path = case_path(file).string();
  try {
    const SafetensorsFile result = onnx::run_op(op, load_safetensors(path), path);
    for (const auto& [name, tensor] : result.tensors) {
      if (name != wanted) continue;
      std::string text = cat(tensor.shape(), " ", name_of(tensor.dtype()), ":");
      const auto append = [&](const auto& values) {
        for (auto value : values) text += cat(" ", +value);
      };
      is_float(tensor.dtype()) ? append(to_vector<double>(tensor)) : append(to_vector<int64_t>(tensor));
      return text;
    }
    return "no " + wanted;
  } catch (const Error& e) {
    return e.kind() == ErrorKind::kData || e.kind() == ErrorKind::kValue || e.kind() == ErrorKind::kShape ? "refused"
                                                                                                          : e.what();
  }
}

struct Case {
  const char* op;
  const char* file;
  const char* right;
  const char* wanted = "output.0";
};

}  // namespace

TEST_CASE("calls that once went wrong are refused, or give the right value") {
  const Case cases[] = {
      {"BatchNormalization", "numerics/bn_no_channels.safetensors", "[2, 0, 2] f32:"},
      {"BatchNormalization", "numerics/bn_empty.safetensors", "[1] f32: 1", "output.2"},
      {"Conv", "numerics/conv_pads2.safetensors", "refused"},
      {"MaxPool", "numerics/maxpool_kernel0.safetensors", "refused"},
      {"Resize", "numerics/resize_sizes3.safetensors", "refused"},
      {"GatherND", "numerics/gathernd_out.safetensors", "refused"},
      {"GlobalAveragePool", "numerics/gap_5d.safetensors", "[1, 1, 1, 1, 1] f32: 3.5"},
      {"softmax", "numerics/unknown_attr.safetensors", "refused"},
      {"Clip", "numerics/clip_old_attrs.safetensors", "[2] f32: -1 1"},
      {"Squeeze", "numerics/squeeze_old_attrs.safetensors", "[1, 2] f32: 1 1"},
      {"Resize", "numerics/resize_channels.safetensors", "refused"},
      {"Conv", "numerics/kernel_shape_lie.safetensors", "refused"},
      {"Flatten", "numerics/flatten_axis.safetensors", "refused"},
      {"Unsqueeze", "numerics/unsqueeze_dup.safetensors", "refused"},
      {"topk", "numerics/topk_axis.safetensors", "refused"},
      {"Trilu", "numerics/trilu_k.safetensors", "[2, 3] f32: 0 0 0 0 0 0"},
      {"pad", "numerics/pad_value.safetensors", "[2] i64: 1 9007199254740993"},
      {"clamp", "numerics/clamp_bound.safetensors", "[1] i64: 9007199254740993"},
      {"pow", "numerics/pow_i64.safetensors", "[1] i64: 4052555153018976267"},
      {"cumsum", "numerics/cumsum_u8.safetensors", "[2] i64: 200 300"},
      {"clamp", "numerics/clamp_low_high.safetensors", "[3] f32: 1 1 1"},
      {"MaxPool", "numerics/ceil_kernel.safetensors", "[1, 1, 1, 1] f32: 1"},
      {"logsumexp", "numerics/logsumexp_inf.safetensors", "[2] f32: 1 0", "grad_input.0"},
      {"max", "numerics/max_empty_grad.safetensors", "[0, 2, 1] f32:", "grad_input.0"},
      {"Attention", "reliability/attention_rank0.st", "refused"},
      {"BatchNormalization", "reliability/bn_c0.st", "[2, 0, 3] f32:"},
      {"GatherND", "reliability/gathernd.st", "refused"},
      {"Pad", "reliability/pad_rank0.st", "refused"},
      {"qkv_attention", "reliability/qkv_hang.st", "refused"},
      {"var", "reliability/var_axis.st", "refused"},
  };
  for (const Case& c : cases) {
    if (case_path(c.file).empty()) return;
    CHECK_MESSAGE(answer(c.op, c.file, c.wanted) == std::string(c.right), std::string(c.file));
  }
}

TEST_CASE("a float mask of Attention has a gradient") {
  if (case_path("numerics/attention_mask_grad.safetensors").empty()) return;
  const std::string gradient = answer("Attention", "numerics/attention_mask_grad.safetensors", "grad_input.3");
  CHECK(gradient == answer("attention", "numerics/attention_mask_grad.safetensors", "grad_input.3"));
  CHECK(gradient.find("0.3932") != std::string::npos);
}
