// Models with batch norm are never trained on one value a channel.
#include <doctest/doctest.h>

#include "base/file.h"
#include "tests/support/cases.h"
#include "tests/support/learn_helpers.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// Four stages bring 8 x 8 pixels down to one.
std::unique_ptr<models::Classifier> narrow_resnet(const DatasetInfo& info) {
  Rng rng(1);
  return models::make_model(models::ResNetConfig{.img_size = 8,
                                                 .in_chans = info.channels,
                                                 .num_classes = std::ssize(info.class_names),
                                                 .widths = {2, 2, 4, 4},
                                                 .blocks_per_stage = 1},
                            rng);
}

TrainResult train(models::Classifier& model, const DatasetPtr& data, int64_t batch_size) {
  return train_model(model, data, nullptr, preprocessing_for(model, data->info()), quick(2, batch_size), {.quiet = true});
}

std::string refusal(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const Error& error) {
    return error.kind() == ErrorKind::kValue ? error.what() : "another kind";
  }
  return "";
}

}  // namespace

TEST_CASE("a last batch of one image joins the batch before it in a model with batch norm, and in no other") {
  const DatasetPtr data = glyphs(17);
  const auto resnet = narrow_resnet(data->info());
  CHECK(total_steps(quick(2, 8), 17, *resnet) == 4);
  CHECK(train(*resnet, data, 8).steps == 4);
  const auto vit = tiny_vit(data->info());
  CHECK(total_steps(quick(2, 8), 17, *vit) == 6);
  CHECK(train(*vit, data, 8).steps == 6);
}

TEST_CASE("batches of one image are refused where batch norm would see one value a channel") {
  const DatasetPtr data = glyphs(4);
  const auto model = narrow_resnet(data->info());
  CHECK(refusal([&] { train(*model, data, 1); }).find("training needs more than one value a channel") != std::string::npos);
  CHECK_NOTHROW(train(*model, data, 2));
}

TEST_CASE("the configuration that once trained to chance level in silence is refused with batches of one") {
  const std::filesystem::path path = case_path("public/rn.json");
  if (path.empty()) return;
  const DatasetPtr data = glyphs(4);
  Rng rng(1);
  const auto model = models::make_model(read_text_file(path.string()), rng,
                                        {.in_chans = 1, .num_classes = data->num_classes()});
  CHECK(refusal([&] { train(*model, data, 1); }).find("Hint: larger batches") != std::string::npos);
}
