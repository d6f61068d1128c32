#include "data/batch.h"

#include <algorithm>
#include <utility>

#include "data/augment/geometry.h"
#include "tensor/machine/parallel.h"

namespace vitrail {
namespace {

constexpr int64_t kSampleGrain = 4;  // pictures per thread: a copy costs 10 microseconds and more

// Target::classes of each as rows; undefined if the first has none.
Tensor class_rows(const std::vector<Example>& examples) {
  const Tensor& first = examples.front().target.classes;
  if (!first.defined()) return {};
  const int64_t classes = first.numel();
  Tensor rows = empty({static_cast<int64_t>(examples.size()), classes}, Dtype::f32, "collate");
  float* out = rows.mutable_data<float>();
  for (const Example& example : examples) {
    check(example.target.classes.defined() && example.target.classes.numel() == classes, ErrorKind::kValue, "collate", "image ",
          example.index, " has other classes than image ", examples.front().index, " of the same batch.");
    const Tensor own = contiguous(example.target.classes);
    out = std::copy_n(own.data<float>(), classes, out);
  }
  return rows;
}

}  // namespace

Prepare prepare_with(Transform transform) {
  transform.preprocessing.validate();
  return [transform = std::move(transform)](const Sample& sample, const Rng* rng) {
    if (!rng) return Example{transform.eval(sample.image), sample.target};
    Augmented augmented = transform.augmented(sample.image, *rng);
    return Example{std::move(augmented.image), augment::follow(sample.target, augmented.geometry)};
  };
}

Batch collate_examples(std::vector<Example> examples) {
  const auto count = static_cast<int64_t>(examples.size());
  check(count >= 1, ErrorKind::kValue, "collate", "there are no examples");
  const Shape one = examples.front().image.shape();
  for (const Example& example : examples) {
    check(example.image.dtype() == Dtype::f32, ErrorKind::kValue, "collate", "images must be f32: image ", example.index,
          " is ", name_of(example.image.dtype()), ".");
    check(example.image.shape() == one, ErrorKind::kShape, "collate", "images of a batch must have one shape: image ",
          examples.front().index, " is ", one, ", image ", example.index, " is ", example.image.shape(),
          ". Hint: resize, crop or pad them to one size.");
  }
  Shape shape{count};
  for (const int64_t extent : one) shape.push_back(extent);
  Batch batch{empty(shape, Dtype::f32, "collate"), empty({count}, Dtype::i64, "collate"), {}, {}};
  float* images = batch.images.mutable_data<float>();
  parallel_for(count, kSampleGrain, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const Tensor x = contiguous(examples[i].image);
      std::copy_n(x.data<float>(), x.numel(), images + i * x.numel());
    }
  });
  batch.class_labels = class_rows(examples);
  int64_t* labels = batch.labels.mutable_data<int64_t>();
  for (Example& example : examples) {
    *labels++ = example.target.label;
    batch.targets.push_back(std::move(example.target));
    batch.indices.push_back(example.index);
  }
  return batch;
}

}  // namespace vitrail
