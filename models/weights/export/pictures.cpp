#include "models/weights/export/pictures.h"

#include <array>
#include <cmath>

#include "base/json_writer.h"
#include "base/text.h"

namespace vitrail::weights {

namespace {

constexpr double kByte = 1.0 / 255;

// What neither library's configuration can say, as one note. `alpha` is the library's own rule.
void note_unsaid(const std::string& library, const Preprocessing& p, AlphaRule alpha, std::vector<std::string>& notes) {
  std::vector<std::string> unsaid;
  if (p.apply_orientation) unsaid.emplace_back("turn pictures as their EXIF orientation says");
  if (p.alpha != alpha)
    unsaid.emplace_back(p.alpha == AlphaRule::kDrop            ? "drop transparency"
                        : p.alpha == AlphaRule::kPremultiplied ? "weigh transparent pixels while it resizes"
                                                               : "lay transparent pictures on a canvas");
  if (p.pass_order != PassOrder::kHorizontalFirst) unsaid.emplace_back("resize vertically first (Pillow 13 does)");
  if (!unsaid.empty()) notes.push_back(cat(library, " does not ", listed(unsaid, 3, 80), "; this model's preprocessing does"));
}

// The sizes that timm makes of them, and nothing else.
bool same_sizes(const Preprocessing& a, const Preprocessing& b) {
  const auto sides = [](const Preprocessing& p) {
    return std::array{p.resize_height ? p.resize_height : p.height, p.resize_width ? p.resize_width : p.width};
  };
  return a.resize == b.resize && sides(a) == sides(b);
}

// Fractions whose floor(size / fraction) may be `resized`, round ones first.
std::vector<double> fractions(int64_t size, int64_t resized) {
  const double exact = static_cast<double>(size) / static_cast<double>(resized);
  std::vector<double> all{1.0, 0.95, 0.9, 0.875};
  for (const double digits : {100.0, 1000.0, 10000.0}) all.push_back(std::round(exact * digits) / digits);
  all.push_back(exact);
  all.push_back(std::nextafter(exact, 0));
  all.push_back(static_cast<double>(size) / (static_cast<double>(resized) + 0.5));
  return all;
}

constexpr std::pair<Resample, const char*> kFilters[] = {{Resample::kNearest, "nearest"},   {Resample::kLanczos, "lanczos"},
                                                         {Resample::kBilinear, "bilinear"}, {Resample::kBicubic, "bicubic"},
                                                         {Resample::kBox, "box"},           {Resample::kHamming, "hamming"}};

// Pillow's numbers are the places in the list above.
int64_t pillow_number(Resample filter) {
  int64_t number = 0;
  while (kFilters[number].first != filter) ++number;
  return number;
}

void put_size(JsonWriter& json, const char* key, int64_t height, int64_t width) {
  json.key(key).begin_object().field("height", height).field("width", width).end_object();
}

}  // namespace

std::string interpolation_name(Resample filter) { return kFilters[pillow_number(filter)].second; }

TimmPictures to_timm_pictures(const Preprocessing& p, std::vector<std::string>& notes) {
  check(p.rescale == kByte, ErrorKind::kValue, "convert", "timm divides pixels by 255: rescale is ", p.rescale, ".");
  TimmPictures t;
  t.size = {p.height, p.width}, t.mean = p.mean, t.std = p.std;
  t.interpolation = interpolation_name(p.interpolation);
  note_unsaid("timm", p, AlphaRule::kDrop, notes);
  const int64_t resized = p.resize_height ? p.resize_height : p.height;
  for (const char* mode : {"center", "squash", "border"})
    for (const double fraction : fractions(p.height, resized)) {
      if (fraction < 0.01 || fraction > 1) continue;
      t.crop_mode = mode, t.crop_pct = fraction;
      if (same_sizes(timm_preprocessing(t, "convert"), p)) return t;
    }
  fail(ErrorKind::kValue, "convert", "timm's crop_pct and crop_mode cannot express how pictures are resized: to ", resized,
       " x ", p.resize_width ? p.resize_width : p.width, " for ", p.height, " x ", p.width,
       ". Hint: --preprocess FAMILY chooses another preprocessing.");
}

std::string to_hugging_face_processor(const Preprocessing& p, std::vector<std::string>& notes) {
  const int64_t tall = p.resize_height ? p.resize_height : p.height, wide = p.resize_width ? p.resize_width : p.width;
  const bool short_side = p.resize == ResizeMode::kShortSide, none = p.resize == ResizeMode::kNone;
  check(short_side || none || p.resize == ResizeMode::kSquash, ErrorKind::kValue, "convert",
        "no image processor of transformers resizes like this: it keeps proportions to ", tall, " x ", wide,
        ". Hint: --preprocess FAMILY chooses another preprocessing.");
  const bool crops = short_side || none || tall != p.height || wide != p.width;
  const bool clip = short_side || p.alpha == AlphaRule::kWhite;
  JsonWriter json(2);
  json.begin_object();
  if (crops) put_size(json, "crop_size", p.height, p.width);
  json.field("do_center_crop", crops).field("do_convert_rgb", clip && p.channels == 3);
  json.field("do_normalize", true).field("do_rescale", true).field("do_resize", !none);
  json.field("image_mean", p.mean);
  json.field("image_processor_type", short_side ? "CLIPImageProcessor" : crops ? "DeiTImageProcessor" : "ViTImageProcessor");
  json.field("image_std", p.std).field("resample", pillow_number(p.interpolation)).field("rescale_factor", p.rescale);
  if (short_side)
    json.key("size").begin_object().field("shortest_edge", tall).end_object();
  else
    put_size(json, "size", tall, wide);
  note_unsaid("transformers", p, clip && p.channels == 3 ? AlphaRule::kWhite : AlphaRule::kDrop, notes);
  if (crops && p.crop_offset != CropOffset::kFloor)
    notes.emplace_back("transformers rounds the offset of its crop down: it may lie one pixel beside this model's");
  return json.end_object().text() + "\n";
}

}  // namespace vitrail::weights
