// Training with everything of data/augment switched on.
#include "train/augmentation.h"

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>

#include "autograd/ops.h"
#include "data/image/image.h"
#include "data/loader.h"
#include "tensor/machine/parallel.h"
#include "tensor/view.h"
#include "tests/support/learn_helpers.h"
#include "train/task/classification.h"
#include "train/trainer.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

TrainConfig everything() {
  TrainConfig config = quick(2, 8);
  config.epochs = 2;
  config.max_steps = 0;
  config.crop_scale = 0.3;
  config.mirror = config.flip_vertical = true;
  config.rotate = 10;
  config.augment = "randaugment";
  config.jitter = 0.3;
  config.grayscale = config.blur = config.erase = 0.25;
  config.mixup = 0.8, config.cutmix = 1;
  config.mixup_off_epoch = 1;
  config.repeats = 3;
  return config;
}

std::vector<double> losses(const TrainConfig& config, const DatasetPtr& data) {
  const auto model = tiny_vit(data->info());
  std::vector<double> result;
  TrainCallbacks callbacks;
  callbacks.quiet = true;
  callbacks.on_step = [&](int64_t, double loss) { result.push_back(loss); };
  train_model(*model, data, nullptr, preprocessing_for(*model, data->info()), config, callbacks);
  return result;
}

}  // namespace

TEST_CASE("a run with every augmentation has the same bits for any number of workers and threads") {
  const DatasetPtr data = glyphs(20);
  const int before = num_threads();
  TrainConfig config = everything();
  const std::vector<double> expected = losses(config, data);
  CHECK(expected.size() == 6);  // two epochs of 8 + 8 + 4 images
  for (const double loss : expected) CHECK(std::isfinite(loss));
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    for (const int64_t workers : {0, 1, 2, 3}) {
      config.workers = workers;
      CHECK(losses(config, data) == expected);
    }
  }
  set_num_threads(before);
  config.seed = 8;
  CHECK(losses(config, data) != expected);
}

TEST_CASE("a mixed batch is trained with its soft labels") {
  const DatasetPtr data = glyphs(8);
  const auto model = tiny_vit(data->info());
  TrainConfig config = quick(1, 8);
  config.mixup = 1;
  config.label_smoothing = 0.1;
  const Preprocessing preprocessing = preprocessing_for(*model, data->info());
  ClassificationTask task(*model, classification_options(config, preprocessing, data->class_names()));
  LoaderOptions options{.batch_size = 8};
  set_augmentation(config, options);
  Loader loader(data, Transform{preprocessing, {}}, options);
  const Batch batch = loader.batch(0, 0);
  REQUIRE(batch.soft_labels.defined());
  model->eval();
  // timm's definition: smoothed targets of both, mixed by lambda.
  const int64_t classes = data->num_classes();
  const Tensor log_probabilities = log_softmax(Variable((*model)(batch.images).value())).value();
  double expected = 0;
  for (int64_t i = 0; i < 8; ++i)
    for (int64_t c = 0; c < classes; ++c)
      expected -= (0.9 * batch.soft_labels.at({i, c}) + 0.1 / static_cast<double>(classes)) * log_probabilities.at({i, c}) / 8;
  const Loss loss = task.loss(batch);
  CHECK(loss.total.item() == doctest::Approx(expected).epsilon(1e-5));
}

TEST_CASE("the pictures of training can be looked at") {
  const DatasetPtr data = glyphs(20);
  TrainConfig config = quick(1, 8);
  config.crop_padding = 0, config.mirror = false;
  const Preprocessing preprocessing = preprocessing_for(data->info());
  const Tensor plain = training_pictures(data, preprocessing, config, 0, 10);
  CHECK(plain.shape() == Shape{10, 1, 28, 28});
  const std::vector<int64_t> order = epoch_order(20, config.seed, 0);
  CHECK(bit_equal(select(plain, 0, 9), data->sample(order[9]).image));
  const Tensor changed = training_pictures(data, preprocessing, everything(), 0, 100);
  CHECK(changed.shape() == Shape{20, 1, 28, 28});
  CHECK(!bit_equal(slice(changed, 0, 0, 10), plain));
  CHECK(contact_sheet(changed, 5).shape() == Shape{1, 4 * 28 + 3 * 2, 5 * 28 + 4 * 2});
}

TEST_CASE("augmentation fields are refused by name and range") {
  const auto refuses = [](auto change, const char* part) {
    TrainConfig config;
    change(config);
    CHECK_THROWS_WITH_AS(validate(config), doctest::Contains(part), Error);
  };
  refuses([](TrainConfig& c) { c.augment = "auto"; },
          "unknown policy: it is \"auto\". Hint: one of none, randaugment, trivial, three.");
  refuses([](TrainConfig& c) { c.crop_scale = 1.1; }, "crop_scale must be in [0, 1]: it is 1.1");
  refuses([](TrainConfig& c) { c.rotate = 181; }, "rotate must be in [0, 180]: it is 181");
  refuses([](TrainConfig& c) { c.hue = 0.6; }, "hue must be in [0, 0.5]: it is 0.6");
  refuses([](TrainConfig& c) { c.magnitude = 11; }, "magnitude must be in [0, 10]: it is 11");
  refuses([](TrainConfig& c) { c.mixup = -1; }, "mixup must be in [0, 100]: it is -1");
  refuses([](TrainConfig& c) { c.mixup = 1e6; }, "mixup must be in [0, 100]: it is 1e+06");
  refuses([](TrainConfig& c) { c.cutmix = 101; }, "cutmix must be in [0, 100]: it is 101");
  refuses([](TrainConfig& c) { c.jitter = 50; }, "jitter must be in [0, 10]: it is 50");
  refuses([](TrainConfig& c) { c.repeats = 0; }, "repeats must be in [1, 1000]: it is 0");
  refuses([](TrainConfig& c) { c.workers = -1; }, "workers must be in [0, 256]: it is -1");
  refuses([](TrainConfig& c) { c.erase = 2; }, "erase must be in [0, 1]: it is 2");
}
