// The preprocessing record: what it does to a picture, its JSON, and sizes, offsets and pixels of the libraries that it
// follows.
#include "data/preprocessing.h"

#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "data/image/image.h"
#include "data/transforms.h"
#include "tensor/safetensors.h"
#include "tensor/view.h"
#include "tests/support/checkpoint_folder.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

Tensor noise_image(int64_t channels, int64_t height, int64_t width) {
  return to(rand_int({channels, height, width}, 1, 256, Rng(4)), Dtype::u8);
}

Preprocessing example() { return {.height = 8, .width = 6, .channels = 3, .mean = {0.1, 0.2, 0.3}, .std = {0.5, 0.6, 0.7}}; }

}  // namespace

TEST_CASE("preprocessing fits any picture to the model") {
  Preprocessing p = example();
  for (const Shape& shape :
       {Shape{3, 8, 6}, Shape{1, 8, 6}, Shape{3, 100, 3}, Shape{1, 1, 1}, Shape{3, 5, 90}, Shape{1, 1, 16384}}) {
    for (const ResizeMode mode : {ResizeMode::kNone, ResizeMode::kSquash, ResizeMode::kCover, ResizeMode::kContain}) {
      p.resize = mode;
      p.resize_height = mode == ResizeMode::kCover ? 9 : 0, p.resize_width = mode == ResizeMode::kCover ? 7 : 0;
      const Tensor y = preprocess(noise_image(shape[0], shape[1], shape[2]), p);
      CHECK(y.shape() == Shape{3, 8, 6});
      for (double v : to_vector<double>(y)) CHECK((v > -1 && v < 2));
    }
  }
}

TEST_CASE("a picture of one colour keeps it through resizing") {
  Preprocessing p = example();
  for (const Resample filter :
       {Resample::kNearest, Resample::kBox, Resample::kBilinear, Resample::kHamming, Resample::kBicubic, Resample::kLanczos}) {
    p.interpolation = filter;
    const Tensor y = preprocess(full({3, 37, 21}, 200, Dtype::u8), p);
    for (int64_t c = 0; c < 3; ++c)
      CHECK(y.at({c, 4, 4}) == doctest::Approx((200 / 255.0 - p.mean[c]) / p.std[c]).epsilon(1e-6));
  }
}

TEST_CASE("a picture that has the model's size keeps its exact values") {
  Preprocessing p = example();
  const Tensor image = noise_image(3, 8, 6);
  for (const ResizeMode mode : {ResizeMode::kNone, ResizeMode::kSquash, ResizeMode::kCover, ResizeMode::kContain}) {
    p.resize = mode;
    CHECK(bit_equal(preprocess(image, p), normalize(image, p.mean, p.std)));
  }
}

TEST_CASE("cropping takes the middle") {
  Preprocessing p{.height = 4, .width = 4, .channels = 1, .mean = {0}, .std = {1}, .resize = ResizeMode::kShortSide};
  const Tensor image = noise_image(1, 4, 10);
  const Tensor y = preprocess(image, p);
  for (int64_t x = 0; x < 4; ++x) CHECK(y.at({0, 2, x}) == doctest::Approx(image.at({0, 2, x + 3}) / 255).epsilon(1e-6));
}

TEST_CASE("a picture smaller than the crop is padded with the colour of the record") {
  Preprocessing p = example();
  p.resize = ResizeMode::kNone;
  p.padding = {10, 20, 30};
  p.mean = {0, 0, 0}, p.std = {1, 1, 1}, p.rescale = 1;
  const Tensor image = noise_image(3, 3, 9);
  const Tensor y = preprocess(image, p);  // 5 rows missing: 2 above, 3 below; 3 columns too many: from 1.5, rounded to 2
  for (int64_t c = 0; c < 3; ++c) {
    CHECK(y.at({c, 1, 0}) == 10 * (c + 1));
    CHECK(y.at({c, 5, 5}) == 10 * (c + 1));
    CHECK(y.at({c, 2, 0}) == image.at({c, 0, 2}));
    CHECK(y.at({c, 4, 5}) == image.at({c, 2, 7}));
  }
  p.crop_offset = CropOffset::kFloor;
  CHECK(preprocess(image, p).at({1, 3, 0}) == image.at({1, 0, 1}));
}

TEST_CASE("rescaling and normalising can each be left out") {
  Preprocessing p = example();
  p.rescale = 1;
  p.mean = {0, 0, 0}, p.std = {1, 1, 1};
  const Tensor image = noise_image(3, 8, 6);
  CHECK(preprocess(image, p).at({1, 2, 3}) == image.at({1, 2, 3}));
  p.rescale = 1 / 127.5, p.mean = {1, 1, 1};
  CHECK(preprocess(image, p).at({1, 2, 3}) == doctest::Approx(image.at({1, 2, 3}) / 127.5 - 1).epsilon(1e-6));
}

TEST_CASE("no size is lost to a ratio: the short side comes out exactly") {
  Preprocessing p{.height = 1, .width = 1, .channels = 1, .mean = {0}, .std = {1}, .resize = ResizeMode::kShortSide};
  for (int64_t size : {40, 53, 224, 248, 256, 1023}) {
    p.resize_height = p.resize_width = size;
    for (int64_t h : {37, 53, 224, 4000}) {
      const PictureGeometry g = picture_geometry(p, h, h + 913);
      CHECK(g.height == size);
      CHECK(g.width == (h + 913) * size / h);
    }
  }
}

TEST_CASE("a picture too elongated to be resized is refused by its numbers") {
  Preprocessing p{.height = 65536, .width = 65536, .channels = 1, .mean = {0}, .std = {1}, .resize = ResizeMode::kShortSide};
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { picture_geometry(p, 1, 65536); }), "image 1 x 65536 is too elongated");
  CHECK_SAYS(refusal(ErrorKind::kShape, [&] { picture_geometry(p, 0, 5); }), "the image is empty: it is 0 x 5");
}

TEST_CASE("how files are decoded follows from the record") {
  Preprocessing p = example();
  CHECK(decode_options(p).min_side == 0);
  CHECK(decode_options(p).apply_orientation);
  p.alpha = AlphaRule::kDrop, p.apply_orientation = false, p.scaled_decoding = true;
  CHECK(decode_options(p).alpha == AlphaRule::kDrop);
  CHECK(!decode_options(p).apply_orientation);
  CHECK(decode_options(p).min_side == 16);
  p.resize_height = p.resize_width = 40;
  CHECK(decode_options(p).min_side == 80);
}

namespace {

// timm's transform for evaluation with crop_mode "center": the short side to floor(size / crop_pct).
Preprocessing timm(int64_t size, int64_t resized, std::vector<double> mean, std::vector<double> std) {
  Preprocessing p{.height = size,
                  .width = size,
                  .channels = static_cast<int64_t>(mean.size()),
                  .mean = std::move(mean),
                  .std = std::move(std)};
  p.resize = ResizeMode::kShortSide, p.resize_height = p.resize_width = resized;
  p.interpolation = Resample::kBicubic, p.alpha = AlphaRule::kDrop;
  return p;
}

Preprocessing hugging_face(int64_t size) {
  Preprocessing p{.height = size, .width = size, .mean = {0.5, 0.5, 0.5}, .std = {0.5, 0.5, 0.5}};
  p.crop_offset = CropOffset::kFloor, p.alpha = AlphaRule::kDrop;
  return p;
}

}  // namespace

TEST_CASE("pictures become the pixels that timm, Hugging Face and open_clip make of them") {
  const std::string folder = checkpoint_folder();
  if (folder.empty()) return;
  const std::vector<double> half{0.5, 0.5, 0.5}, mean{0.485, 0.456, 0.406}, std{0.229, 0.224, 0.225};
  const std::vector<double> clip_mean{0.48145466, 0.4578275, 0.40821073}, clip_std{0.26862954, 0.26130258, 0.27577711};
  Preprocessing deit = hugging_face(48), clip = timm(32, 32, clip_mean, clip_std), open_clip = clip;
  deit.resize_height = deit.resize_width = 55, deit.interpolation = Resample::kBicubic;
  clip.crop_offset = CropOffset::kFloor, clip.alpha = AlphaRule::kWhite;
  const std::map<std::string, Preprocessing> cases = {{"timm-augreg", timm(48, 53, half, half)},
                                                      {"timm-deit-distilled", timm(40, 47, mean, std)},
                                                      {"timm-deit3", timm(48, 53, mean, std)},
                                                      {"timm-avg-fcnorm", timm(32, 35, half, half)},
                                                      {"timm-grey", timm(28, 31, {0.286}, {0.353})},
                                                      {"timm-clip-quickgelu", timm(48, 53, clip_mean, clip_std)},
                                                      {"timm-siglip-map", timm(32, 35, half, half)},
                                                      {"timm-so150m-reg4-gap", timm(48, 50, half, half)},
                                                      {"hf-vit", hugging_face(32)},
                                                      {"hf-vit-2021", hugging_face(48)},
                                                      {"hf-deit", deit},
                                                      {"hf-clip", clip},
                                                      {"open-clip", open_clip}};
  const std::string pictures[] = {"landscape.jpg", "portrait.jpg", "rotated.jpg", "grey.jpg", "alpha.png", "progressive.jpg"};
  int compared = 0;
  for (const auto& entry : cases) {
    const SafetensorsFile file = load_safetensors(folder + "/references/" + entry.first + ".safetensors");
    const Preprocessing& p = entry.second;
    for (const auto& tensor : file.tensors) {
      if (tensor.first != "pictures.pixels" && tensor.first != "pictures.pixels.pil") continue;
      for (int64_t i = 0; i < 6; ++i) {
        // open_clip resizes colours multiplied by alpha and drops alpha afterwards.
        if (entry.first == "open-clip" && pictures[i] == "alpha.png") continue;
        const Tensor x = preprocess(read_image(folder + "/pictures/" + pictures[i], decode_options(p)), p);
        const Tensor expected = select(tensor.second, 0, i);
        REQUIRE(x.shape() == expected.shape());
        double worst = 0;
        for (int64_t j = 0; j < x.numel(); ++j)
          worst = std::max(
              worst, std::abs(static_cast<double>(x.data<float>()[j]) - to_vector<double>(expected)[static_cast<size_t>(j)]));
        CHECK_MESSAGE(worst < 1e-6, entry.first, " ", pictures[i], ": ", worst);
        ++compared;
      }
    }
  }
  CHECK(compared == 6 * 13 - 1);
}

TEST_CASE("sizes and crop offsets are those of torchvision, timm and Hugging Face") {
  const std::string folder = checkpoint_folder();
  if (folder.empty()) return;
  const auto root = nlohmann::json::parse(read_text_file(folder + "/resampling/sizes.json"));
  using Pair = std::vector<int64_t>;
  int compared = 0;
  for (const auto& entry : root.at("resize")) {
    const Pair in = entry.at("in");
    const int64_t side = entry.at("short_side");
    const auto check_size = [&](const char* key, ResizeMode mode, const Pair& size) {
      const Preprocessing p{.height = 1, .width = 1, .resize = mode, .resize_height = size.at(0), .resize_width = size.at(1)};
      const PictureGeometry g = picture_geometry(p, in.at(0), in.at(1));
      CHECK_MESSAGE((entry.at(key).get<Pair>() == Pair{g.height, g.width}), key, " of ", in[0], " x ", in[1]);
      ++compared;
    };
    check_size("torchvision", ResizeMode::kShortSide, {side, side});
    check_size("hf", ResizeMode::kShortSide, {side, side});
    check_size("timm_keep_ratio", ResizeMode::kCover, entry.at("timm_keep_ratio_to"));
    check_size("timm_border", ResizeMode::kContain, {side, side});
  }
  for (const auto& entry : root.at("crop")) {
    const Pair in = entry.at("in"), crop = entry.at("crop");
    const auto check_offset = [&](const char* key, CropOffset rule) {
      const Preprocessing p{.height = crop.at(0), .width = crop.at(1), .resize = ResizeMode::kNone, .crop_offset = rule};
      const PictureGeometry g = picture_geometry(p, in.at(0), in.at(1));
      CHECK_MESSAGE((entry.at(key).get<Pair>() == Pair{g.top, g.left}), key, " of ", in[0], " x ", in[1]);
      ++compared;
    };
    check_offset("torchvision", CropOffset::kHalfEven);
    check_offset("timm_border", CropOffset::kHalfEven);
    check_offset("hf_pil", CropOffset::kFloor);
    check_offset("hf_torchvision", CropOffset::kTowardZero);
  }
  CHECK(root.at("resize").size() == 40);
  CHECK(root.at("crop").size() == 40);
  CHECK(compared == 40 * 4 + 40 * 4);
}

TEST_CASE("preprocessing survives JSON, field by field") {
  const Preprocessing p = example();
  CHECK(preprocessing_from_json(preprocessing_to_json(p)) == p);
  const std::function<void(Preprocessing&)> changes[] = {
      [](Preprocessing& q) { q.resize = ResizeMode::kNone; },
      [](Preprocessing& q) { q.resize = ResizeMode::kShortSide, q.resize_height = q.resize_width = 9; },
      [](Preprocessing& q) { q.resize = ResizeMode::kCover, q.resize_height = 9, q.resize_width = 7; },
      [](Preprocessing& q) { q.resize = ResizeMode::kContain; },
      [](Preprocessing& q) { q.rescale = 1 / 127.5; },
      [](Preprocessing& q) { q.interpolation = Resample::kLanczos; },
      [](Preprocessing& q) { q.pass_order = PassOrder::kPillow13; },
      [](Preprocessing& q) { q.crop_offset = CropOffset::kFloor; },
      [](Preprocessing& q) { q.crop_offset = CropOffset::kTowardZero; },
      [](Preprocessing& q) {
        q.padding = {0, 128, 255};
      },
      [](Preprocessing& q) { q.alpha = AlphaRule::kWhite; },
      [](Preprocessing& q) { q.apply_orientation = false; },
      [](Preprocessing& q) { q.scaled_decoding = true; }};
  for (const auto& change : changes) {
    Preprocessing q = p;
    change(q);
    CHECK(q != p);
    CHECK(preprocessing_from_json(preprocessing_to_json(q)) == q);
  }
}

TEST_CASE("models that were saved with a crop fraction still load") {
  const auto old = [](const std::string& rest, int64_t height, int64_t width) {
    return preprocessing_from_json(
        cat(R"({"height": )", height, R"(, "width": )", width, R"(, "channels": 1, "mean": [0.5], "std": [0.5], )", rest, "}"));
  };
  const Preprocessing squash = old(R"("resize": "squash", "crop_fraction": 1, "interpolation": "bilinear")", 28, 28);
  CHECK(squash == Preprocessing{.height = 28, .width = 28, .channels = 1, .mean = {0.5}, .std = {0.5}});
  const Preprocessing crop = old(R"("resize": "crop", "crop_fraction": 0.875, "interpolation": "bicubic")", 224, 224);
  CHECK(crop.resize == ResizeMode::kShortSide);
  CHECK(crop.resize_height == 256);
  CHECK(crop.resize_width == 256);
  CHECK(crop.interpolation == Resample::kBicubic);
  const Preprocessing rectangle = old(R"("resize": "crop", "crop_fraction": 0.9)", 32, 80);
  CHECK(rectangle.resize == ResizeMode::kCover);
  CHECK(rectangle.resize_height == 35);
  CHECK(rectangle.resize_width == 88);
}

TEST_CASE("preprocessing from JSON names what is wrong") {
  const auto message = [](const std::string& key, const std::string& value) {
    std::map<std::string, std::string> fields{
        {"height", "8"}, {"width", "6"}, {"channels", "3"}, {"mean", "[0.1,0.2,0.3]"}, {"std", "[0.5,0.5,0.5]"}};
    fields[key] = value;
    std::string json;
    for (const auto& [name, text] : fields) json += (json.empty() ? "{\"" : ",\"") + name + "\":" + text;
    return refusal(ErrorKind::kValue, [&] { preprocessing_from_json(json + "}"); });
  };
  CHECK_SAYS(message("hieght", "3"), "hieght is not known here. Hint: did you mean height?");
  CHECK_SAYS(message("height", "3.5"), "height must be an integer from 1 to 65536: it is 3.5");
  CHECK_SAYS(message("height", "0"), "height must be an integer from 1 to 65536: it is 0");
  CHECK_SAYS(message("channels", "2"), "channels must be 1 or 3: it is 2");
  CHECK_SAYS(message("mean", "[0.5]"), "they have 1 and 3 for 3");
  CHECK_SAYS(message("std", "[0.5,0.5,0]"), "std must be positive: it is 0");
  CHECK_SAYS(message("rescale", "0"), "rescale must be positive: it is 0");
  CHECK_SAYS(message("resize", "\"stretch\""), "resize must be one of none, squash, short_side, cover, contain: it is stretch");
  CHECK_SAYS(message("resize", "\"short_side\""), "resize short_side needs one size for both sides: it is 8 x 6");
  CHECK_SAYS(message("resize_height", "9"), "must both be given or both be 0: they are 9 and 0");
  CHECK_SAYS(message("interpolation", "\"cubic\""),
             "interpolation must be one of nearest, box, bilinear, hamming, bicubic, lanczos");
  CHECK_SAYS(message("pass_order", "1"), "pass_order must be a text");
  CHECK_SAYS(message("crop_offset", "\"up\""), "crop_offset must be one of half_even, floor, toward_zero");
  CHECK_SAYS(message("alpha", "\"black\""), "alpha must be one of canvas, white, drop");
  CHECK_SAYS(message("padding", "[1]"), "padding must have one value per channel or none: it has 1 for 3");
  CHECK_SAYS(message("padding", "[1, 2, 256]"), "padding");
  CHECK_SAYS(message("scaled_decoding", "1"), "scaled_decoding");
  CHECK_SAYS(message("crop_fraction", "0"), "crop_fraction must be in (0, 1]: it is 0");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { preprocessing_from_json("{\"height\": 3}"); }), "width is missing");
}
