#include "cli/model_options.h"

#include <charconv>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"

namespace vitrail::cli {

const char* const kModelHelp =
    "A model: a folder or file of train, timm, Hugging Face, torchvision, Google, open_clip (.safetensors, .pth, .npz)";

void add_model_flags(Command& command, ModelFlags& flags) {
  command.option("--num-heads", flags.num_heads, "Of a file that does not say it: attention heads", 1, 65536);
  command.option("--img-size", flags.img_size, "Of a file that does not say it: input size, N or H,W");
  command.option("--weights", flags.weights, "Of a training file with several: model, ema, teacher, student (model)");
  command.option("--preprocess", flags.preprocess,
                 "Of another program's model: preprocessor_config.json, or timm, deit, huggingface, torchvision, google, clip");
  command.flag("--no-exif", flags.no_exif, "Pictures as they are stored, whatever their EXIF orientation says");
  command.flag("--strict", flags.strict, "Refuse a file with tensors that the model does not need");
}

OpenOptions open_options(const ModelFlags& flags) {
  OpenOptions o;
  o.num_heads = flags.num_heads, o.weights = flags.weights, o.preprocess = flags.preprocess;
  o.no_exif = flags.no_exif, o.strict = flags.strict;
  if (flags.img_size.empty()) return o;
  const char* at = flags.img_size.data();
  const char* const end = at + flags.img_size.size();
  const auto number = [&](int64_t& side) {
    const auto [next, error] = std::from_chars(at, end, side);
    at = next;
    return error == std::errc() && side >= 1 && side <= models::kMaxSide;
  };
  bool good = number(o.img_height);
  o.img_width = o.img_height;
  if (good && at != end) good = (*at == ',' || *at == 'x') && (++at, number(o.img_width));
  check(good && at == end, ErrorKind::kValue, "model", "--img-size must be N or H,W with sides from 1 to ", models::kMaxSide,
        ": it is ", quote(flags.img_size), ".");
  return o;
}

std::string preprocessing_text(const Preprocessing& p) {
  const JsonDocument json(preprocessing_to_json(p), "preprocessing");
  JsonObject object(json.root(), "preprocessing");
  std::string text = cat(p.height, " x ", p.width, " x ", p.channels, ": ", object.text("resize"));
  if (p.resize != ResizeMode::kNone)
    text += cat(" to ", p.resize_height ? p.resize_height : p.height, " x ", p.resize_width ? p.resize_width : p.width, ", ",
                object.text("interpolation"));
  text += "; mean";
  for (const double value : p.mean) text += cat(" ", value);
  text += ", std";
  for (const double value : p.std) text += cat(" ", value);
  if (!p.apply_orientation) text += "; EXIF ignored";
  return text;
}

std::string origin_text(const Origin& o) {
  std::string text = cat("names of ", o.family, ", ", o.format, o.part.empty() ? "" : cat(", part ", escaped(o.part)), "\n");
  for (const weights::Fact& fact : o.facts)
    text += cat("  ", fact.name, std::string(fact.name.size() < 14 ? 14 - fact.name.size() : 1, ' '), escaped(fact.value, 100),
                fact.value.empty() ? "" : "  ", "(", escaped(fact.source, 120), ")\n");
  text += cat("  tensors       ", o.same, " as they are, ", o.renamed, " renamed, ", o.rearranged, " rearranged, ",
              o.unused.size(), " not used, ", o.unexpected.size(), " unexpected\n");
  if (!o.unused.empty()) text += cat("  not used      ", listed(o.unused, 5), "\n");
  if (!o.unexpected.empty()) text += cat("  unexpected    ", listed(o.unexpected, 5), "\n");
  if (!o.other_parts.empty()) text += cat("  other weights ", listed(o.other_parts, 5), " (--weights)\n");
  return text;
}

void origin_json(JsonWriter& json, const Origin& o) {
  json.begin_object()
      .field("family", o.family)
      .field("format", o.format)
      .field("part", o.part)
      .field("other_parts", o.other_parts);
  json.key("facts").begin_object();
  for (const weights::Fact& fact : o.facts)
    json.key(fact.name).begin_object().field("value", fact.value).field("source", fact.source).end_object();
  json.end_object();
  json.field("same", o.same).field("renamed", o.renamed).field("rearranged", o.rearranged);
  json.field("unused", o.unused).field("unexpected", o.unexpected).field("not_computed", o.not_computed).end_object();
}

void print_origin_notes(const Origin& o) {
  for (const weights::Fact& fact : o.facts)
    if (fact.source.starts_with("assumed") || fact.name == weights::kResampledFact)
      complain(cat("note: ", fact.name, fact.value.empty() ? "" : " " + escaped(fact.value), ": ", escaped(fact.source, 120)));
  if (!o.unexpected.empty())
    complain(cat("note: ", o.unexpected.size(), " tensors are not a part of the model: ", listed(o.unexpected)));
  if (!o.not_computed.empty())
    complain(cat("warning: ", o.not_computed.size(),
                 " of them stand in the blocks or the patch embedding: ", listed(o.not_computed),
                 ". The file is probably of another architecture, whose answers are others. Hint: --strict "
                 "refuses it."));
}

}  // namespace vitrail::cli
