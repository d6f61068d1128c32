#include "models/weights/adapter.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "base/crc32c.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "data/sets/content_hash.h"
#include "models/presets.h"
#include "models/weights/adapt.h"
#include "tensor/ops.h"
#include "tensor/safetensors_checksums.h"

namespace vitrail {

namespace {

constexpr const char* kKey = "vitrail_adapter";  // in the safetensors header
constexpr int kFormat = 1;

template <class... Parts>
[[noreturn]] void bad_file(const std::string& path, const Parts&... parts) {
  fail(ErrorKind::kData, "adapter", escaped_path(path), ": ", parts...);
}

uint32_t bits_of(const Tensor& tensor) {
  const Tensor x = contiguous(tensor);
  const auto size = static_cast<size_t>(x.numel() * size_of(x.dtype()));
  const auto* data = static_cast<const uint8_t*>(x.storage()->data()) + x.offset() * size_of(x.dtype());
  return x.numel() == 0 ? 0 : crc32c({data, size});
}

std::string header(const Adapter& a) {
  JsonWriter json(2);
  json.begin_object().field("format", kFormat);
  json.key("base").begin_object().field("name", a.base).field("hash", a.base_hash).end_object();
  json.key("lora").begin_object().field("rank", a.options.rank).field("alpha", a.options.alpha);
  json.field("dropout", a.options.dropout).field("rank_stabilized", a.options.rank_stabilized).field("dora", a.options.dora);
  json.field("targets", a.options.targets).end_object();
  return json.key("card").raw(card_json(a.architecture, a.card)).end_object().text();
}

nn::LoraOptions read_options(const std::string& text, const std::string& where) {
  const JsonDocument document(text, where);
  JsonObject json(document.root(), where, "lora", ErrorKind::kData);
  nn::LoraOptions o;
  o.rank = json.integer("rank", 1, 4096);
  o.alpha = json.number("alpha", 0, 1e6);
  o.dropout = json.number("dropout", 0, 1);
  o.rank_stabilized = json.boolean_or("rank_stabilized", false);
  o.dora = json.boolean_or("dora", false);
  o.targets = json.text("targets");
  json.finish();
  return o;
}

void read_header(const std::string& text, const std::string& where, Adapter& a) {
  const JsonDocument document(text, where);
  JsonObject json(document.root(), where, "", ErrorKind::kData);
  json.integer("format", kFormat, kFormat);
  const JsonDocument base_document(json.json_text("base"), where);
  JsonObject base(base_document.root(), where, "base", ErrorKind::kData);
  a.base = base.text("name"), a.base_hash = base.text("hash");
  base.finish();
  a.options = read_options(json.json_text("lora"), where);
  SavedModel card = read_card_json(json.json_text("card"), where);
  a.card = std::move(card.card), a.architecture = std::move(card.architecture);
  json.finish();
}

const Tensor* find(const nn::StateDict& state, const std::string& key) {
  const auto found = std::find_if(state.begin(), state.end(), [&](const auto& entry) { return entry.first == key; });
  return found == state.end() ? nullptr : &found->second;
}

// The weights of the base that the adapter does not replace, for a model of the adapter's architecture.
nn::StateDict kept_of(models::Classifier& model, const Adapter& a, const SavedModel& base) {
  nn::StateDict kept;
  for (const auto& [key, own] : model.state_dict()) {
    if (find(a.tensors, key)) continue;
    const Tensor* given = find(base.weights, key);
    check(given && given->shape() == own.shape(), ErrorKind::kValue, "adapter", escaped_path(base.file), " is not the base of ",
          escaped_path(a.file), ", which was trained on ", quote(a.base), ": ", escaped(key), " is ",
          given ? to_string(given->shape()) : "missing", ", expected ", own.shape(), ".");
    kept.emplace_back(key, *given);
  }
  return kept;
}

}  // namespace

std::string weights_hash(const nn::StateDict& state, const std::function<bool(const std::string& key)>& without) {
  std::vector<std::string> lines;
  for (const auto& [key, tensor] : state)
    if (!without(key)) lines.push_back(cat(key, " ", name_of(tensor.dtype()), " ", tensor.shape(), " ", bits_of(tensor), "\n"));
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line;
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, content_hash({reinterpret_cast<const uint8_t*>(all.data()), all.size()}));
  return text;
}

Adapter make_adapter(models::Classifier& model, const ModelCard& card, const std::function<bool(const std::string& path)>& own,
                     const std::string& base) {
  const std::optional<nn::LoraOptions> options = nn::lora_of(model);
  check(options.has_value(), ErrorKind::kValue, "adapter", "the model has no low-rank updates.");
  Adapter a;
  a.options = *options, a.base = base, a.architecture = model.config_json(), a.card = card;
  const auto is_own = [&](const std::string& path) { return nn::is_lora(path) || own(path); };
  const nn::StateDict state = model.state_dict();
  for (const auto& entry : state)
    if (is_own(entry.first)) a.tensors.push_back(entry);
  a.base_hash = weights_hash(state, is_own);
  return a;
}

void save_adapter(const std::string& path, const Adapter& adapter) {
  SafetensorsFile file;
  file.tensors = adapter.tensors;
  check_finite_weights("adapter", file.tensors);
  file.metadata.emplace_back(kKey, header(adapter));
  add_checksums(file);
  save_safetensors(path, file);
}

Adapter read_adapter(const std::string& path) {
  verify_checksums(path);
  SafetensorsFile file = load_safetensors(path);
  Adapter a;
  a.file = path;
  bool found = false;
  for (const auto& [key, text] : file.metadata)
    if (key == kKey) read_header(text, path, a), found = true;
  if (!found) bad_file(path, "this is no adapter: its header has no ", kKey, ". Hint: a model is read by --model or --init.");
  a.tensors = std::move(file.tensors);
  check_finite_weights("adapter", a.tensors, cat(escaped_path(path), ": "));
  return a;
}

namespace {

// What the base was when the adapter was trained on it: of another image size, patch size or number of channels.
SavedModel as_trained_on(SavedModel base, const Adapter& a) {
  const models::ModelConfig own = models::config_from_json(base.architecture, base.file),
                            wanted = models::config_from_json(a.architecture, a.file);
  AdaptTo to;
  const auto sizes = [&](const auto& from, const auto& c) {
    if (!(from.img_size == c.img_size)) to.img_size = c.img_size;
    if (from.in_chans != c.in_chans) to.in_chans = c.in_chans;
  };
  if (const auto* vit = std::get_if<models::ViTConfig>(&wanted), *from = std::get_if<models::ViTConfig>(&own); vit && from) {
    sizes(*from, *vit);
    if (!(from->patch_size == vit->patch_size)) to.patch_size = vit->patch_size;
  } else if (const auto* cct = std::get_if<models::CctConfig>(&wanted), *old = std::get_if<models::CctConfig>(&own);
             cct && old) {
    sizes(*old, *cct);
  }
  adapt(base, to);
  return base;
}

}  // namespace

LoadedModel apply_adapter(const Adapter& a, const SavedModel& given) {
  LoadedModel loaded;
  SavedModel base;
  try {
    loaded.model = models::make_model(models::config_from_json(a.architecture, a.file), Rng(0));
    nn::validate(a.options);
    base = as_trained_on(given, a);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kValue) bad_file(a.file, error.what());
    throw;
  }
  nn::StateDict state = kept_of(*loaded.model, a, base);
  const std::string hash = weights_hash(state, [](const std::string&) { return false; });
  // PEFT has no hash.
  check(a.base_hash.empty() || hash == a.base_hash, ErrorKind::kValue, "adapter", escaped_path(base.file),
        " is not the base of ", escaped_path(a.file), ", which was trained on ", quote(a.base), ": the hash of its weights is ",
        hash, ", expected ", escaped(a.base_hash), ".");
  state.insert(state.end(), a.tensors.begin(), a.tensors.end());
  try {
    Rng rng(0);
    nn::add_lora(*loaded.model, a.options, rng);
    loaded.model->load_state_dict(state);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kValue) bad_file(a.file, error.what());
    throw;
  }
  check(static_cast<int64_t>(a.card.class_names.size()) == loaded.model->num_classes(), ErrorKind::kData, "adapter",
        escaped_path(a.file), ": class names and model differ: ", a.card.class_names.size(), " names, ",
        loaded.model->num_classes(), " classes.");
  loaded.card = a.card;
  loaded.model->eval();
  return loaded;
}

}  // namespace vitrail
