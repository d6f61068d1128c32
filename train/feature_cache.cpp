#include "train/feature_cache.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "autograd/modes.h"
#include "base/text.h"
#include "data/loader.h"
#include "models/classifier.h"
#include "tensor/ops.h"
#include "train/batch_groups.h"
#include "train/evaluate.h"
#include "train/finetune/trained_part.h"
#include "train/interrupt.h"

namespace vitrail {

class StageDataset : public Dataset {
 public:
  StageDataset(DatasetPtr pictures, Tensor rows, std::vector<Target> targets)
      : Dataset(pictures->info()), pictures_(std::move(pictures)), rows_(std::move(rows)), targets_(std::move(targets)) {}
  int64_t size() const override { return pictures_->size(); }
  Sample sample(int64_t index) const override {
    check_index(index);
    return {select(rows_, 0, index), targets_[static_cast<size_t>(index)]};
  }
  int64_t label(int64_t index) const override { return pictures_->label(index); }
  std::vector<int64_t> labels(int64_t index) const override { return pictures_->labels(index); }
  std::string sample_name(int64_t index) const override { return pictures_->sample_name(index); }

 private:
  DatasetPtr pictures_;
  Tensor rows_;
  std::vector<Target> targets_;
};

namespace {

constexpr int64_t kTestBatch = 256;  // of evaluate()

// The settings that change a picture at random, by name.
std::vector<std::string> random_settings(const TrainConfig& c) {
  const std::pair<const char*, bool> all[] = {{"crop_scale", c.crop_scale > 0},
                                              {"crop_padding", c.crop_padding > 0},
                                              {"mirror", c.mirror},
                                              {"flip_vertical", c.flip_vertical},
                                              {"rotate", c.rotate > 0},
                                              {"augment", c.augment != "none"},
                                              {"jitter", c.jitter > 0},
                                              {"hue", c.hue > 0},
                                              {"grayscale", c.grayscale > 0},
                                              {"blur", c.blur > 0},
                                              {"erase", c.erase > 0},
                                              {"mixup", c.mixup > 0},
                                              {"cutmix", c.cutmix > 0}};
  std::vector<std::string> names;
  for (const auto& [name, on] : all)
    if (on) names.emplace_back(name);
  return names;
}

std::string millions(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) * 1e-6);
  return text;
}

int64_t bytes_of(const std::shared_ptr<StageDataset>& data) {
  return data ? data->size() * data->sample(0).image.numel() * size_of(Dtype::f32) : 0;
}

}  // namespace

std::string feature_cache_obstacle(Task& task, const TrainConfig& c, int64_t images) {
  choose_trained(task.model(), c);
  if (!trains_part(c)) return "every part of the model is trained";
  if (const std::vector<std::string> names = random_settings(c); !names.empty())
    return cat("pictures are augmented at random (", listed(names, 4), ")");
  models::Classifier* model = task.staged_model();
  if (model == nullptr) return "the task needs the pictures themselves";
  if (model->fixed_stages() == 0) return "no block at the start of the model is frozen";
  if (c.batch_size % count_groups(std::min(c.batch_size, images), c.groups, task.model()) != 0)
    return "the groups of a batch differ in size";
  return images < c.batch_size ? "an epoch has no whole batch" : "";
}

int64_t feature_bytes(Task& task, const Dataset& data) {
  models::Classifier* model = task.staged_model();
  const NoGradGuard no_grad;
  const Tensor image = unsqueeze(task.prepare(data.sample(0), nullptr).image, 0);
  return model->run_stages(Variable(image), model->fixed_stages()).value().numel() * size_of(Dtype::f32);
}

FeatureCache::FeatureCache(Task& task, const TrainConfig& config, const LoaderOptions& options, int64_t max_bytes)
    : task_(task), config_(config), options_(options), max_bytes_(max_bytes) {
  // Before the epochs of the head alone, which freeze more for a while.
  if (max_bytes_ > 0 && task.staged_model() != nullptr) stages_ = task.staged_model()->fixed_stages();
}

FeatureCache::~FeatureCache() = default;

// In groups of the same size as those of training or of a test; `padded`: the last one is filled up with the first pictures.
std::shared_ptr<StageDataset> FeatureCache::computed(const DatasetPtr& data, int64_t group, bool padded) {
  const NoGradGuard no_grad;
  const int64_t size = data->size(), whole = padded ? (size + group - 1) / group * group : size;
  std::vector<int64_t> order(static_cast<size_t>(whole));
  for (int64_t i = 0; i < whole; ++i) order[static_cast<size_t>(i)] = i % size;
  Loader loader = make_loader(task_, std::make_shared<SubsetDataset>(data, order),
                              {.batch_size = group, .train = false, .workers = options_.workers});
  Tensor rows;
  std::vector<Target> targets;
  for (int64_t i = 0; i < loader.batches(); ++i) {
    Batch batch = loader.batch(0, i);
    const Tensor x = task_.staged_model()->run_stages(Variable(batch.images), stages_).value();
    if (i == 0) {
      Shape shape = x.shape();
      shape[0] = size;
      rows = empty(shape, Dtype::f32, "feature cache");
    }
    const int64_t from = i * group, count = std::min(batch.size(), size - from);
    copy_(slice(rows, 0, from, from + count), slice(x, 0, 0, count));
    targets.insert(targets.end(), batch.targets.begin(), batch.targets.begin() + count);
    if (interrupt_signal() != 0) return nullptr;
  }
  return std::make_shared<StageDataset>(data, rows, std::move(targets));
}

std::unique_ptr<Loader> FeatureCache::loader_of(std::shared_ptr<StageDataset> data, const LoaderOptions& options) const {
  const auto prepare = [](const Sample& sample, const Rng*) { return Example{sample.image, sample.target}; };
  const auto collate = [this](std::vector<Example> examples) {
    Batch batch = task_.collate(std::move(examples));
    batch.stages = stages_;
    return batch;
  };
  return std::make_unique<Loader>(std::move(data), prepare, collate, options);
}

// Whether a picture's activations have the bits that they get in another batch of training, as training computes them.
bool FeatureCache::same_bits(Loader& pictures) {
  const Batch kept = training_->batch(0, 0), fresh = pictures.batch(0, 0);
  const int64_t groups = count_groups(fresh.size(), config_.groups, task_.model());
  for (int64_t g = 0; g < groups; ++g) {
    const Tensor x = task_.staged_model()->run_stages(Variable(group_of(fresh, g, groups).images), stages_).value();
    if (!bit_equal(x, contiguous(group_of(kept, g, groups).images))) return false;
  }
  return true;
}

std::string FeatureCache::start(Loader& pictures, const DatasetPtr& test, const DatasetPtr& clean) {
  if (stages_ == 0 || !feature_cache_obstacle(task_, config_, pictures.dataset().size()).empty()) return "";
  const auto began = std::chrono::steady_clock::now();
  const DatasetPtr train(std::shared_ptr<const Dataset>(), &pictures.dataset());
  const int64_t each = feature_bytes(task_, *train), groups = count_groups(config_.batch_size, config_.groups, task_.model());
  int64_t left = max_bytes_ - train->size() * each;
  if (left < 0) return "";
  const auto of_train = computed(train, config_.batch_size / groups, /*padded=*/true);
  if (!of_train) return "";
  training_ = loader_of(of_train, options_);
  if (!same_bits(pictures)) {
    training_.reset();
    return "";
  }
  const nn::EvalGuard evaluation(task_.model());
  int64_t bytes = bytes_of(of_train);
  std::string tested;
  for (const auto& [data, place] : {std::pair(&test, &test_), {&clean, &clean_}}) {
    if (!*data || (left -= (*data)->size() * each) < 0) continue;
    const auto rows = computed(*data, kTestBatch, /*padded=*/false);
    if (!rows) break;
    bytes += bytes_of(rows);
    *place = loader_of(rows, {.batch_size = kTestBatch, .train = false});
    if (data == &test) tested = cat(" and ", (*data)->size(), " test");
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  char text[96];
  std::snprintf(text, sizeof text, "%.1f s, which each further epoch saves", seconds);
  return cat("computed once, as it is frozen: ", task_.staged_model()->describe_stages(stages_), ", of ", train->size(),
             " training", tested, " images; ", millions(bytes), ", ", text);
}

Loader* FeatureCache::training(int64_t index) const {
  if (!training_) return nullptr;
  const bool last = index == training_->batches() - 1;
  const int64_t size = last ? training_->samples() - index * config_.batch_size : config_.batch_size;
  return size == config_.batch_size ? training_.get() : nullptr;
}

}  // namespace vitrail
