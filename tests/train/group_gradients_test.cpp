// Batches in groups: the update of the large batch from several small passes.
#include "train/group_gradients.h"

#include <doctest/doctest.h>

#include <cmath>

#include "data/loader.h"
#include "nn/norm.h"
#include "tensor/ops.h"
#include "tests/support/learn_helpers.h"
#include "train/task/classification.h"
#include "train/trainer.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

ClassificationTask task_for(models::Classifier& model, const DatasetPtr& data) {
  return ClassificationTask(model, {preprocessing_for(model, data->info()), data->class_names(), {}, 0.1});
}

Batch batch_of(Task& task, const DatasetPtr& data, int64_t images) {
  return make_loader(task, data, {.batch_size = images}).batch(0, 0);
}

std::vector<Tensor> gradients_of(nn::Module& model) {
  std::vector<Tensor> result;
  for (const nn::NamedParameter& entry : model.named_parameters()) result.push_back(clone(entry.parameter->grad()));
  return result;
}

// The largest difference of two lists of gradients, beside the largest gradient.
double relative_difference(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double largest = 0, difference = 0;
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, max(vitrail::abs(b[i])).item());
    difference = std::max(difference, max(vitrail::abs(sub(a[i], b[i]))).item());
  }
  return difference / largest;
}

}  // namespace

TEST_CASE("a batch in groups has the gradient of the whole batch within 1e-6, whatever the sizes of the groups") {
  const DatasetPtr data = glyphs(32);
  const auto model = tiny_vit(data->info());
  ClassificationTask task = task_for(*model, data);
  for (const int64_t images : {32, 31, 7, 5}) {
    const Batch batch = batch_of(task, data, images);
    const BatchLoss whole = backward_in_groups(task, batch, 1, Rng(1));
    const std::vector<Tensor> expected = gradients_of(*model);
    for (const int64_t groups : {2, 3, 4, 5, 8, 100}) {
      CAPTURE(images);
      CAPTURE(groups);
      const BatchLoss parts = backward_in_groups(task, batch, groups, Rng(1));
      CHECK(relative_difference(gradients_of(*model), expected) < 1e-6);
      CHECK(std::abs(parts.total - whole.total) < 1e-6);
      CHECK(parts.parts[0].name == "top1");
      CHECK(std::abs(parts.parts[0].value - whole.parts[0].value) < 1e-9);
    }
  }
}

TEST_CASE("each image of a short batch weighs as much as the others, so unequal groups are not averaged as equals") {
  const DatasetPtr data = glyphs(7);
  const auto model = tiny_vit(data->info());
  ClassificationTask task = task_for(*model, data);
  const Batch batch = batch_of(task, data, 7);
  // Groups of 2, 2 and 3 images: the mean of their means is another number.
  double of_means = 0;
  for (int64_t g = 0; g < 3; ++g) {
    const Batch part = group_of(batch, g, 3);
    CHECK(part.size() == (g == 2 ? 3 : 2));
    CHECK(part.images.size(0) == part.size());
    CHECK(part.indices.front() == batch.indices[static_cast<size_t>(g * 7 / 3)]);
    of_means += task.loss(part).total.item() / 3;
  }
  const BatchLoss whole = backward_in_groups(task, batch, 1, Rng(1)), parts = backward_in_groups(task, batch, 3, Rng(1));
  CHECK(std::abs(parts.total - whole.total) < 1e-6);
  CHECK(std::abs(of_means - whole.total) > 1e-4);
}

TEST_CASE("the gradients of groups are added in one binary tree over their numbers") {
  const DatasetPtr data = glyphs(10);
  const auto model = tiny_vit(data->info());
  ClassificationTask task = task_for(*model, data);
  const Batch batch = batch_of(task, data, 10);
  std::vector<std::vector<Tensor>> of_group;
  for (int64_t g = 0; g < 5; ++g) {
    model->zero_grad();
    task.loss(group_of(batch, g, 5)).total.backward(full({}, 0.2));
    of_group.push_back(gradients_of(*model));
  }
  backward_in_groups(task, batch, 5, Rng(1));
  const std::vector<Tensor> sum = gradients_of(*model);
  for (size_t i = 0; i < sum.size(); ++i) {
    const Tensor four = add(add(of_group[0][i], of_group[1][i]), add(of_group[2][i], of_group[3][i]));
    CHECK(bit_equal(sum[i], add(four, of_group[4][i])));
  }
}

TEST_CASE("a training run with a short last batch ends near the run with whole batches") {
  const DatasetPtr data = glyphs(44);
  std::vector<nn::StateDict> ends;
  for (const int64_t groups : {1, 4}) {
    const auto model = tiny_vit(data->info());
    TrainConfig config = quick(1, 32);  // batches of 32 and of 12
    config.optimizer = "sgd";
    config.lr = 0.1;
    config.groups = groups;
    train_model(*model, data, nullptr, preprocessing_for(*model, data->info()), config, {.quiet = true});
    nn::StateDict end;
    for (const auto& [name, tensor] : model->state_dict()) end.emplace_back(name, clone(tensor));
    ends.push_back(std::move(end));
  }
  for (size_t i = 0; i < ends[0].size(); ++i) {
    const double difference = max(vitrail::abs(sub(ends[0][i].second, ends[1][i].second))).item();
    CHECK_MESSAGE(difference < 1e-6, ends[0][i].first);
  }
}

TEST_CASE("dropout draws other numbers in each group, and the same ones again for the same step") {
  const DatasetPtr data = glyphs(8);
  const auto model = tiny_vit(data->info(), 0, 0.5);
  ClassificationTask task = task_for(*model, data);
  const Batch batch = batch_of(task, data, 8);
  backward_in_groups(task, batch, 2, Rng(1));
  const std::vector<Tensor> first = gradients_of(*model);
  default_rng() = Rng(99);
  backward_in_groups(task, batch, 2, Rng(1));
  const std::vector<Tensor> again = gradients_of(*model);
  for (size_t i = 0; i < first.size(); ++i) CHECK(bit_equal(first[i], again[i]));
  // Group 1 with the numbers of group 0 would differ.
  default_rng() = Rng(1).at(1);
  const double right = task.loss(group_of(batch, 1, 2)).total.item();
  default_rng() = Rng(1).at(0);
  CHECK(task.loss(group_of(batch, 1, 2)).total.item() != right);
}

TEST_CASE("batch norm: statistics per group, and the mean of what the groups leave stays") {
  const DatasetPtr data = glyphs(12);
  const auto model = models::make_model(
      models::ResNetConfig{
          .img_size = 16, .in_chans = 1, .num_classes = data->num_classes(), .widths = {2, 2, 4, 4}, .blocks_per_stage = 1},
      Rng(1));
  REQUIRE(nn::has_batch_norm(*model));
  ClassificationTask task = task_for(*model, data);
  const Batch batch = batch_of(task, data, 12);
  const auto running_mean = [&]() -> Tensor& {
    for (const nn::NamedBuffer& entry : model->named_buffers())
      if (entry.name.find("running_mean") != std::string::npos) return *entry.buffer;
    FAIL("no running mean");
    return *model->named_buffers()[0].buffer;
  };
  const Tensor before = clone(running_mean());
  std::vector<Tensor> left;
  for (int64_t g = 0; g < 3; ++g) {
    copy_(running_mean(), before);
    task.loss(group_of(batch, g, 3));
    left.push_back(clone(running_mean()));
  }
  copy_(running_mean(), before);
  backward_in_groups(task, batch, 3, Rng(1));
  const Tensor expected = div(add(add(to(left[0], Dtype::f64), to(left[1], Dtype::f64)), to(left[2], Dtype::f64)), 3.0);
  CHECK(max(vitrail::abs(sub(to(running_mean(), Dtype::f64), expected))).item() < 1e-7);
  CHECK(!bit_equal(running_mean(), before));
  // A group of one image has no statistics.
  CHECK(count_groups(12, 12, *model) == 6);
  CHECK(count_groups(1, 4, *model) == 1);
  CHECK(count_groups(3, 8, *tiny_vit(data->info())) == 3);
}
