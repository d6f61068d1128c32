#include "train/ranks/test_share.h"

#include <algorithm>

#include "base/error.h"
#include "comm/collectives.h"
#include "data/loader.h"
#include "tensor/ops.h"
#include "train/interrupt.h"
#include "train/ranks/pack.h"

namespace vitrail {

namespace {

void put_floats(Packer& packer, const Tensor& x) {
  const Tensor values = x.defined() ? contiguous(x) : Tensor();
  packer.put(values.defined() ? values.data<float>() : nullptr, values.defined() ? static_cast<size_t>(values.numel()) : 0);
}

Tensor floats(std::vector<float> values, Shape shape) {
  Tensor x = empty(shape, Dtype::f32, "test");
  std::copy(values.begin(), values.end(), x.mutable_data<float>());
  return x;
}

void put_batch(Packer& packer, const Batch& batch, const std::vector<Prediction>& predictions) {
  packer.put(batch.indices.data(), batch.indices.size());
  std::vector<int64_t> labels;
  for (const Target& target : batch.targets) labels.push_back(target.label);
  packer.put(labels.data(), labels.size());
  put_floats(packer, batch.class_labels);
  for (const Prediction& prediction : predictions) {
    check(prediction.logits.defined() && !prediction.boxes.defined() && !prediction.mask.defined() &&
              !prediction.embedding.defined(),
          ErrorKind::kValue, "ranks", "several ranks test models that answer with logits.");
    put_floats(packer, prediction.logits);
  }
}

// What the metrics of classification read of a batch: no pictures.
void add_batch(Unpacker& unpacker, Metric& metric) {
  Batch batch;
  batch.indices = unpacker.array<int64_t>();
  const auto images = static_cast<int64_t>(batch.indices.size());
  batch.labels = empty({images}, Dtype::i64, "test");
  const std::vector<int64_t> labels = unpacker.array<int64_t>();
  std::copy(labels.begin(), labels.end(), batch.labels.mutable_data<int64_t>());
  for (const int64_t label : labels) batch.targets.emplace_back(label);
  std::vector<float> classes = unpacker.array<float>();
  if (!classes.empty()) {
    const auto width = static_cast<int64_t>(classes.size()) / images;
    batch.class_labels = floats(std::move(classes), {images, width});
    for (int64_t i = 0; i < images; ++i) batch.targets[static_cast<size_t>(i)].classes = select(batch.class_labels, 0, i);
  }
  std::vector<Prediction> predictions(static_cast<size_t>(images));
  for (Prediction& prediction : predictions) {
    std::vector<float> logits = unpacker.array<float>();
    const auto width = static_cast<int64_t>(logits.size());
    prediction.logits = floats(std::move(logits), {width});
  }
  metric.add(batch, predictions);
}

}  // namespace

void add_over_ranks(Communicator& comm, Task& task, Loader& loader, Metric& metric) {
  comm.set_activity_after("the test");
  for (int64_t first = 0; first < loader.batches(); first += comm.size()) {
    const int64_t own = first + comm.rank();
    Packer packer;
    if (own < loader.batches()) {
      const Batch batch = loader.batch(0, own);
      put_batch(packer, batch, task.predict(batch));
    }
    Packer message;
    message.put(signal_or_save_request()).put(packer.bytes());
    int signal = 0;
    for (const std::string& bytes : all_gather(comm, message.bytes())) {
      Unpacker unpacker(bytes);
      signal = std::max(signal, unpacker.get<int>());
      const auto batch = unpacker.get<std::string>();
      if (batch.empty()) continue;
      Unpacker content(batch);
      add_batch(content, metric);
    }
    if (signal != 0) throw Interrupted(signal);
  }
}

}  // namespace vitrail
