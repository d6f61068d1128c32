// From files to a data set: split, bad pictures, size, statistics.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "data/sets/content_hash.h"
#include "data/sets/content_split.h"
#include "data/sets/picture_facts.h"
#include "data/sets/registry.h"
#include "tensor/machine/parallel.h"
#include "tests/support/picture_folder.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

std::vector<PictureFile> labelled(const std::vector<int64_t>& labels) {
  std::vector<PictureFile> files;
  for (const int64_t label : labels) files.push_back({std::to_string(files.size()), label});
  return files;
}

bool says(const std::vector<std::string>& sentences, const std::string& part) {
  return std::any_of(sentences.begin(), sentences.end(), [&](const std::string& s) { return s.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("the hash of content gives the published values of FNV-1a") {
  const auto hash = [](const std::string& text) {
    return content_hash({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  };
  CHECK(hash("") == 0xcbf29ce484222325u);
  CHECK(hash("a") == 0xaf63dc4c8601ec8cu);
  CHECK(hash("foobar") == 0x85944171f73967e8u);
}

TEST_CASE("a fifth of each class is held out, and neither names nor folders have a say in it") {
  PictureFolder root, copy;
  root.put_class("a", 20, 0);
  root.put_class("b", 10, 100);
  for (int i = 0; i < 20; ++i) copy.put("a/x" + std::to_string(19 - i) + ".png", noise_picture(i));
  for (int i = 0; i < 10; ++i) copy.put("b/deep/" + std::to_string(i) + ".png", noise_picture(100 + i));
  const DatasetSource source = open_source(root.path());
  const DatasetPtr train = source.open(Split::kTrain), held = source.open(Split::kValidation);
  CHECK(train->size() == 24);
  CHECK(held->size() == 6);
  CHECK(source.open(Split::kTest)->size() == 6);
  CHECK(source.parts == std::vector<Split>{Split::kTrain, Split::kValidation});
  CHECK(says(source.notes, "no validation part: 6 of 30 pictures are held out"));
  const DatasetPtr other = open_dataset(copy.path(), Split::kValidation);
  std::set<std::string> here, there;
  for (int64_t i = 0; i < 6; ++i) here.insert(content_of(held->sample_name(i))), there.insert(content_of(other->sample_name(i)));
  CHECK(here == there);
}

TEST_CASE("equal files are on one side, also across classes, and no class loses all its pictures") {
  std::vector<PictureFile> files;
  std::vector<uint64_t> hashes;
  const Rng rng(3);
  for (uint64_t i = 0; i < 4000; ++i) {
    files.push_back({std::to_string(i), static_cast<int64_t>(rng.below(2 * i, 50))});
    hashes.push_back(rng.below(2 * i + 1, 1500));  // many copies, many of them in several classes
  }
  const SplitFiles split = split_by_content(files, hashes, 0.2);
  CHECK(split.train.size() + split.validation.size() == files.size());
  std::map<std::string, uint64_t> hash_of;
  for (size_t i = 0; i < files.size(); ++i) hash_of[files[i].path] = hashes[i];
  std::set<uint64_t> left, right;
  std::set<int64_t> classes;
  for (const PictureFile& file : split.train) left.insert(hash_of[file.path]), classes.insert(file.label);
  for (const PictureFile& file : split.validation) right.insert(hash_of[file.path]);
  for (const uint64_t hash : right) CHECK_FALSE(left.contains(hash));
  CHECK(classes.size() == 50);
  CHECK(split.validation.size() > 400);
  CHECK(split.validation.size() < 1200);
}

TEST_CASE("small classes: one picture trains, of two one is held out, of many copies of two contents one content") {
  const auto held = [](const std::vector<int64_t>& labels, const std::vector<uint64_t>& hashes) {
    return split_by_content(labelled(labels), hashes, 0.2).validation.size();
  };
  CHECK(held({0}, {1}) == 0);
  CHECK(held({0, 0}, {1, 2}) == 1);
  CHECK(held({0, 0}, {1, 1}) == 0);
  CHECK(held({0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {1, 1, 1, 1, 1, 2, 2, 2, 2, 2}) == 5);
  CHECK(held({0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {1, 2, 2, 2, 2, 2, 2, 2, 2, 2}) == 1);
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { split_by_content({}, {}, 1.0); }), "must be in (0, 1): it is 1");
}

TEST_CASE("a damaged picture stops the run with its name; skipped, it is named and counted, and the rest is in order") {
  PictureFolder root;
  for (const char* name : {"a", "b"}) root.put_class(std::string("train/") + name, 20, 100 * name[0]);
  for (const char* name : {"a", "b"}) root.put_class(std::string("val/") + name, 3, 100 * name[0] + 50);
  root.put_text("train/a/3.png", "no picture at all");
  root.put_text("train/b/7.png", "");
  root.put_text("val/b/anim.gif", "GIF89a...........");
  const std::string message = refusal(ErrorKind::kData, [&] { open_dataset(root.path(), Split::kTrain); });
  CHECK_SAYS(message, "train/a/3.png");
  CHECK_SAYS(message, "Hint: --bad-image skip leaves such pictures out");
  for (const int threads : {1, 4}) {
    const int before = num_threads();
    set_num_threads(threads);
    const DatasetSource source = open_source(root.path(), {.bad_images = BadImages::kSkip});
    set_num_threads(before);
    REQUIRE(source.bad.size() == 3);
    CHECK(source.bad[0].path == root.file("train/a/3.png"));
    CHECK(source.bad[1].path == root.file("train/b/7.png"));
    CHECK_SAYS(source.bad[1].reason, "the file is empty");
    CHECK(source.bad[2].path == root.file("val/b/anim.gif"));
    CHECK(source.open(Split::kTrain)->size() + source.open(Split::kValidation)->size() == 38 + 6);
  }
}

TEST_CASE("a class that has no picture left is refused even where bad pictures are skipped") {
  PictureFolder root;
  root.put_class("a", 2, 1);
  root.put_text("b/0.png", "x");
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { open_dataset(root.path(), Split::kTrain, {.bad_images = BadImages::kSkip}); }),
             "no picture of class \"b\" can be read in the part for training");
}

TEST_CASE("pictures of one small size keep it; others get 224 or what is asked for, and that is said") {
  PictureFolder same, mixed;
  for (int i = 0; i < 4; ++i) same.put(i % 2 ? "a/" + std::to_string(i) + ".png" : "b/" + std::to_string(i) + ".png", noise_picture(i, 3, 10, 12));
  for (int i = 0; i < 4; ++i) mixed.put(i % 2 ? "a/" + std::to_string(i) + ".png" : "b/" + std::to_string(i) + ".png", noise_picture(i, 3, 10 + i, 12));
  const DatasetPtr as_is = open_dataset(same.path(), Split::kTrain);
  CHECK(as_is->height() == 10);
  CHECK(as_is->width() == 12);
  const DatasetSource resized = open_source(mixed.path());
  CHECK(resized.open(Split::kTrain)->height() == 224);
  CHECK(says(resized.notes, "pictures of different sizes are brought to 224 x 224 (--image-size)"));
  CHECK(open_dataset(mixed.path(), Split::kTrain, {.image_size = 32})->width() == 32);
  CHECK(open_dataset(mixed.path(), Split::kTrain, {.image_size = 32})->sample(0).image.size(2) == 12);  // its own size
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { open_dataset(mixed.path(), Split::kTrain, {.image_size = -1}); }), "image_size must be in");
}

TEST_CASE("one channel where every picture is grey, else three") {
  PictureFolder grey, mixed;
  grey.put_class("a", 3, 1, 1);
  grey.put_class("b", 3, 10, 1);
  mixed.put_class("a", 3, 1, 1);
  mixed.put_class("b", 3, 10, 3);
  CHECK(open_dataset(grey.path(), Split::kTrain)->channels() == 1);
  const DatasetPtr data = open_dataset(mixed.path(), Split::kTrain);
  CHECK(data->channels() == 3);
  CHECK(data->sample(0).image.size(0) == 3);
}

TEST_CASE("mean and deviation are those of the training pixels, or those of ImageNet") {
  PictureFolder root;
  for (const char* name : {"train/a", "train/b", "val/a", "val/b"}) root.put_class(name, 5, 10 * name[0] + 50 * name[std::string(name).size() - 1]);
  const DatasetPtr train = open_dataset(root.path(), Split::kTrain);
  for (size_t c = 0; c < 3; ++c) {
    double sum = 0, squares = 0, count = 0;
    for (int64_t i = 0; i < train->size(); ++i) {
      const Tensor image = train->sample(i).image;
      for (int64_t p = 0; p < 64; ++p) {
        const double v = image.data<uint8_t>()[c * 64 + static_cast<size_t>(p)] / 255.0;
        sum += v, squares += v * v, count += 1;
      }
    }
    CHECK(train->info().mean[c] == doctest::Approx(sum / count).epsilon(1e-9));
    CHECK(train->info().std[c] == doctest::Approx(std::sqrt(squares / count - sum / count * (sum / count))).epsilon(1e-9));
  }
  const DatasetPtr imagenet = open_dataset(root.path(), Split::kTrain, {.mean_std = MeanStd::kImagenet});
  CHECK(imagenet->info().mean == std::vector<double>{0.485, 0.456, 0.406});
  CHECK(imagenet->info().std == std::vector<double>{0.229, 0.224, 0.225});
}

TEST_CASE("pictures of one colour have a deviation that divides") {
  PictureFolder root;
  for (int i = 0; i < 3; ++i) root.put("a/" + std::to_string(i) + ".png", full({1, 4, 4}, 100, Dtype::u8));
  const DatasetPtr data = open_dataset(root.path(), Split::kTrain);
  CHECK(data->info().mean[0] == doctest::Approx(100 / 255.0));
  CHECK(data->info().std[0] == 1);
}

TEST_CASE("facts of a picture: its extents, whether it is grey, whether it is of one colour") {
  const PictureFacts grey = facts_of(full({3, 2, 5}, 51, Dtype::u8));
  CHECK(grey.grey);
  CHECK(grey.one_colour);
  CHECK(grey.height == 2);
  CHECK(grey.width == 5);
  CHECK(grey.mean[2] == doctest::Approx(0.2));
  CHECK(grey.square[2] == doctest::Approx(0.04));
  const PictureFacts noise = facts_of(noise_picture(1));
  CHECK_FALSE(noise.grey);
  CHECK_FALSE(noise.one_colour);
  CHECK(facts_of(noise_picture(1, 1)).mean[1] == facts_of(noise_picture(1, 1)).mean[0]);
  CHECK_SAYS(refusal(ErrorKind::kShape, [] { facts_of(zeros({2, 3, 3}, Dtype::u8)); }), "needs a u8 image [1 or 3, H, W]");
}

TEST_CASE("a limit takes pictures of all classes, evenly spread") {
  PictureFolder root;
  for (const char* name : {"a", "b", "c"}) root.put_class(name, 10, 100 * name[0]);
  const DatasetPtr few = open_dataset(root.path(), Split::kTrain, {.limit = 6});
  CHECK(few->size() == 6);
  std::set<int64_t> labels;
  for (int64_t i = 0; i < 6; ++i) labels.insert(few->label(i));
  CHECK(labels.size() == 3);
}
