#include "tests/runop/run_op.h"

#include "base/file.h"
#include "base/json.h"
#include "tests/runop/onnx_vector.h"

namespace vitrail::onnx {
namespace {

const Operator& find_operator(const std::string& name) {
  const Table& table = operators();
  const auto found = table.find(name);
  if (found != table.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [other, op] : table) known.push_back(other);
  const std::string near = name.size() <= 64 ? nearest(name, known) : "";
  fail(ErrorKind::kValue, "runop", "unknown operation ", escaped(name, 60),
       ". Hint: ", near.empty() ? "runop --help lists all." : cat("did you mean ", near, "?"));
}

// Gradients of sum over outputs of <output, grad_output>, for every float input.
void differentiate(const StoredCall& stored, const std::vector<Variable>& outputs) {
  for (size_t i = 0; i < stored.grad_outputs.size(); ++i) {
    const Tensor& dy = stored.grad_outputs[i];
    if (!dy.defined()) continue;
    check(i < outputs.size() && outputs[i].defined(), ErrorKind::kData, "runop", "grad_output.", i,
          " is given, but there is no output.", i);
    check(outputs[i].requires_grad(), ErrorKind::kData, "runop", "output.", i, " has no gradient");
    outputs[i].backward(dy, /*retain_graph=*/true);
  }
}

}  // namespace

SafetensorsFile run_op(const std::string& name, const SafetensorsFile& file, const std::string& source) {
  const Operator& op = find_operator(name);
  StoredCall stored = stored_call(file, source);
  const bool backward = !stored.grad_outputs.empty();
  for (Variable& x : stored.call.inputs) {
    if (backward && x.defined() && is_float(x.dtype())) x = Variable(x.value(), true);
  }
  std::vector<Variable> outputs;
  try {
    outputs = apply(op, stored.call);
  } catch (const Unsupported& reason) {
    fail(ErrorKind::kValue, "runop", name, " does not do this: ", reason.what());
  }
  differentiate(stored, outputs);
  SafetensorsFile result;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].defined()) result.tensors.emplace_back("output." + std::to_string(i), contiguous(outputs[i].value()));
  }
  for (size_t i = 0; i < stored.call.inputs.size(); ++i) {
    const Variable& x = stored.call.inputs[i];
    if (!x.defined() || !x.requires_grad()) continue;
    result.tensors.emplace_back("grad_input." + std::to_string(i),
                                x.grad().defined() ? contiguous(x.grad()) : zeros_like(x.value()));
  }
  return result;
}

}  // namespace vitrail::onnx
