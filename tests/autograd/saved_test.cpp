// Whatever an op reads in backward is guarded: after a change in place, backward either does not depend on what was changed
// (and gives the same gradient) or throws. Never another gradient.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "autograd/ops.h"
#include "tests/op_cases.h"

using namespace vitrail;

namespace {

// Leaves over copies, so that the change disturbs nobody.
std::vector<Variable> copies(const std::vector<Variable>& inputs) {
  std::vector<Variable> result;
  for (size_t i = 0; i < inputs.size(); ++i) {
    size_t twin = i;
    for (size_t j = 0; j < i; ++j) {
      if (inputs[i].defined() && inputs[j].meta() == inputs[i].meta()) twin = j;
    }
    if (twin != i) {
      result.push_back(result[twin]);
    } else {
      result.push_back(inputs[i].defined() ? Variable(clone(inputs[i].value()), inputs[i].requires_grad()) : Variable());
    }
  }
  return result;
}

// Backward after `change`: true if it threw the error of a saved tensor, or gave the bits of `wanted`.
bool guarded(const Variable& y, const std::vector<Variable>& inputs, const std::vector<Tensor>& wanted,
             const std::function<void()>& change) {
  change();
  try {
    y.backward(rand_normal(y.shape(), 0, 1, Rng(3), y.dtype()));
  } catch (const Error& error) {
    return std::string(error.what()).find("changed in place") != std::string::npos;
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (wanted[i].defined() && !bit_equal(inputs[i].grad(), wanted[i])) return false;
  }
  return true;
}

std::vector<Tensor> gradients(const Variable& y, const std::vector<Variable>& inputs) {
  y.backward(rand_normal(y.shape(), 0, 1, Rng(3), y.dtype()));
  std::vector<Tensor> result;
  for (const Variable& x : inputs) result.push_back(x.defined() && x.requires_grad() ? x.grad() : Tensor());
  return result;
}

// The op with one raw tensor among its arguments, and a change of that tensor that would be valid as an argument.
struct Optional {
  std::string name;
  Tensor argument;
  double other;  // what the argument is filled with
  std::function<Variable(const Variable& x, const Tensor& argument)> fn;
};

}  // namespace

TEST_CASE("an input that is changed in place after the forward pass never gives another gradient") {
  int threw_or_same = 0;
  for (const auto& op : testing::op_cases()) {
    for (const auto& sample : op.samples) {
      const std::vector<Variable> reference = copies(sample.inputs);
      const Variable y_reference = sample.fn(reference);
      if (!y_reference.requires_grad()) continue;
      const std::vector<Tensor> wanted = gradients(y_reference, reference);
      for (size_t i = 0; i < sample.inputs.size(); ++i) {
        const std::vector<Variable> inputs = copies(sample.inputs);
        if (!inputs[i].defined()) continue;
        const Variable y = sample.fn(inputs);
        INFO(op.name << ", " << sample.label << ", input " << i);
        // Through a view over the same memory, which every alias must notice.
        CHECK(guarded(y, inputs, wanted, [&] { fill_(reshape(inputs[i].value(), {-1}), 0.625); }));
        ++threw_or_same;
      }
    }
  }
  CHECK(threw_or_same > 1000);
}

TEST_CASE("an optional argument that is changed in place after the forward pass never gives another gradient") {
  const Tensor index = from_vector(std::vector<int64_t>{0, 2, 1, 1}, {4});
  const Tensor per_row = from_vector(std::vector<int64_t>{0, 2, 1, 1}, {4, 1});
  const auto soft = [] { return softmax(rand_normal({4, 3}, 0, 1, Rng(8), Dtype::f64)); };
  const std::vector<Optional> all{
      {"index_select", index, 0, [](const Variable& x, const Tensor& a) { return index_select(x, 0, a); }},
      {"gather", per_row, 0, [](const Variable& x, const Tensor& a) { return gather(x, 1, a); }},
      {"scatter_add index", per_row, 0,
       [](const Variable& x, const Tensor& a) { return scatter_add(x, 1, a, slice(square(x), 1, 0, 1)); }},
      {"embedding", index, 0, [](const Variable& x, const Tensor& a) { return embedding(x, a); }},
      {"where", to(equal(per_row, scalar(1, Dtype::i64)), Dtype::u8), 1,
       [](const Variable& x, const Tensor& a) { return where(a, x, x * 2.0); }},
      {"cross_entropy target", index, 0, [](const Variable& x, const Tensor& a) { return cross_entropy(x, a); }},
      {"cross_entropy soft target", soft(), 0.5, [](const Variable& x, const Tensor& a) { return cross_entropy(x, a); }},
      {"cross_entropy class weights", from_vector(std::vector<double>{1, 2, 3}, {3}), 1,
       [=](const Variable& x, const Tensor& a) { return cross_entropy(x, index, {.class_weights = a}); }},
      {"nll_loss target", index, 0, [](const Variable& x, const Tensor& a) { return nll_loss(x, a); }},
      {"nll_loss class weights", from_vector(std::vector<double>{1, 2, 3}, {3}), 1,
       [=](const Variable& x, const Tensor& a) { return nll_loss(x, index, {.class_weights = a}); }},
      {"attention mask", zeros({4, 4}, Dtype::f64), 1,
       [](const Variable& x, const Tensor& a) {
         const Variable q = reshape(x, {1, 1, 4, 3});
         return attention(q, q * 2.0, q, Variable(a));
       }},
      {"batch_norm running mean", zeros({3}, Dtype::f64), 2,
       [](const Variable& x, const Tensor& a) { return batch_norm(x, x.dim() ? select(x, 0, 0) : x, {}, a, ones({3}, Dtype::f64), false); }},
      {"batch_norm running var", ones({3}, Dtype::f64), 2,
       [](const Variable& x, const Tensor& a) { return batch_norm(x, select(x, 0, 0), {}, zeros({3}, Dtype::f64), a, false); }},
      {"batch_norm in training", ones({3}, Dtype::f64), 2,
       [](const Variable& x, const Tensor& a) { return batch_norm(x, select(x, 0, 0), {}, zeros({3}, Dtype::f64), a, true); }},
      {"bce_with_logits target", soft(), 1, [](const Variable& x, const Tensor& a) { return bce_with_logits(x, Variable(a)); }},
      {"kl_div target", soft(), 1, [](const Variable& x, const Tensor& a) { return kl_div(x, Variable(a)); }},
      {"mse_loss target", soft(), 1, [](const Variable& x, const Tensor& a) { return mse_loss(x, Variable(a)); }},
      {"smooth_l1_loss target", soft(), 1, [](const Variable& x, const Tensor& a) { return smooth_l1_loss(x, Variable(a)); }},
  };
  for (const Optional& one : all) {
    INFO(one.name);
    const auto input = [] { return std::vector<Variable>{Variable(rand_normal({4, 3}, 0, 1, Rng(1), Dtype::f64), true)}; };
    const std::vector<Variable> reference = input(), inputs = input();
    const std::vector<Tensor> wanted = gradients(one.fn(reference[0], clone(one.argument)), reference);
    const Tensor argument = clone(one.argument);
    const Variable y = one.fn(inputs[0], argument);
    CHECK(guarded(y, inputs, wanted, [&] { fill_(argument, one.other); }));
  }
}
