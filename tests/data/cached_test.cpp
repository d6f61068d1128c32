#include "data/cached.h"

#include "data/loader.h"
#include "data/relabelled.h"
#include "data/sets/registry.h"
#include "tests/support/picture_folder.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

DatasetPtr ten_pictures(PictureFolder& root) {
  root.put_class("train/a", 5, 1);
  root.put_class("train/b", 5, 100);
  root.put_class("val/a", 1, 200);
  root.put_class("val/b", 1, 300);
  return open_dataset(root.path(), Split::kTrain);
}

}  // namespace

TEST_CASE("a cache gives the same pictures, keeps no more than its bytes, and does not read the file again") {
  PictureFolder root;
  const DatasetPtr data = ten_pictures(root);
  const int64_t one = data->sample(0).image.numel();
  const CachedDataset cache(data, 4 * one + 1);
  for (int64_t i = 0; i < 10; ++i) {
    CHECK(to_vector<uint8_t>(cache.sample(i).image) == to_vector<uint8_t>(data->sample(i).image));
    CHECK(cache.label(i) == data->label(i));
    CHECK(cache.sample_name(i) == data->sample_name(i));
  }
  CHECK(cache.bytes() == 4 * one);
  root.put_text("train/a/0.png", "gone");
  CHECK_NOTHROW(cache.sample(0));
  CHECK_THROWS_AS(data->sample(0), Error);
}

TEST_CASE("batches through a cache have the same bits") {
  PictureFolder root;
  const DatasetPtr data = ten_pictures(root);
  const Transform transform{preprocessing_for(data->info()), {.crop_padding = 2, .mirror = true}};
  for (const int64_t bytes : {int64_t{1}, int64_t{500}, int64_t{1} << 20}) {
    Loader plain(data, transform, {.batch_size = 4}), through(cached(data, bytes), transform, {.batch_size = 4});
    for (int64_t epoch = 0; epoch < 3; ++epoch)
      for (int64_t i = 0; i < plain.batches(); ++i)
        CHECK(to_vector<float>(plain.batch(epoch, i).images) == to_vector<float>(through.batch(epoch, i).images));
  }
}

TEST_CASE("only files are worth a cache") {
  PictureFolder root;
  const DatasetPtr files = ten_pictures(root), drawn = open_dataset("glyphs", Split::kTrain, {.train_size = 5});
  CHECK(cached(drawn, 1 << 20) == drawn);
  CHECK(cached(files, 0) == files);
  CHECK(cached(files, 1 << 20) != files);
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { CachedDataset(files, -1); }), "max_bytes must not be negative");
}

TEST_CASE("labels go by the names of the classes") {
  PictureFolder root;
  const DatasetPtr data = ten_pictures(root);
  CHECK(with_classes(data, {"a", "b"}) == data);
  const DatasetPtr other = with_classes(data, {"b", "c", "a"});
  CHECK(other->num_classes() == 3);
  CHECK(data->label(0) == 0);
  CHECK(other->label(0) == 2);
  CHECK(other->label(9) == 0);
  CHECK(other->sample(0).target.label == 2);
  CHECK(other->sample_name(9) == data->sample_name(9));
  const std::string message = refusal(ErrorKind::kValue, [&] { with_classes(data, {"a", "z"}); });
  CHECK_SAYS(message, "has 1 that the model does not know (b); the model knows a, z. Hint: --by-index");
}

TEST_CASE("classes that the model does not know can be left out, counted; an order that differs is said") {
  PictureFolder root;
  const DatasetPtr data = ten_pictures(root);
  const KnownClasses known = with_known_classes(data, {"z", "b"});
  CHECK(known.unknown == std::vector<std::string>{"a"});
  CHECK(known.left_out + known.data->size() == 10);
  for (int64_t i = 0; i < known.data->size(); ++i) {
    CHECK(known.data->label(i) == 1);
    CHECK(known.data->sample(i).target.label == 1);
  }
  CHECK(with_known_classes(data, {"a", "b"}).left_out == 0);
  CHECK_SAYS(refusal(ErrorKind::kValue,
                     [&] {
                       with_known_classes(data, {"y", "z"});
                     }),
             "no class in common: " + data->name() + " has a, b; the model knows y, z");
  CHECK(about_order({"a", "b"}, {"a", "b"}).empty());
  CHECK(about_order({"a", "c"}, {"a", "b"}).empty());  // refused elsewhere
  CHECK(about_order({"a", "b"}, {"b", "a"}) == "classes are matched by name: 2 of 2 have another number in the model (a, b)");
  CHECK(about_order({"a"}, {"a", "b"}) == "the data has no class b, which the model knows");
}
