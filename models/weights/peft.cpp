#include "models/weights/peft.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "models/presets.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tensor/view.h"

namespace vitrail {

namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = "adapter_config.json";
constexpr const char* kTensors = "adapter_model.safetensors";
constexpr const char* kRoot = "base_model.model.";

template <class... Parts>
[[noreturn]] void bad_file(const std::string& path, const Parts&... parts) {
  fail(ErrorKind::kData, "peft", escaped_path(path), ": ", parts...);
}

// A module of a block: what LoraOptions::targets call it, and its names in transformers 5 and 4.
struct Name {
  const char *own, *five, *four;
};
constexpr Name kNames[] = {{"attn.q", "attention.q_proj", "attention.attention.query"},
                           {"attn.k", "attention.k_proj", "attention.attention.key"},
                           {"attn.v", "attention.v_proj", "attention.attention.value"},
                           {"attn.proj", "attention.o_proj", "attention.output.dense"},
                           {"mlp.fc1", "mlp.fc1", "intermediate.dense"},
                           {"mlp.fc2", "mlp.fc2", "output.dense"}};

struct Module {
  int64_t block;
  std::string own;  // of kNames, or attn.qkv
};

// "blocks.3.attn.qkv.lora_q." of attn.q, "blocks.3.mlp.fc1.lora." of mlp.fc1
std::string prefix_of(const Module& m) {
  const bool part = m.own == "attn.q" || m.own == "attn.k" || m.own == "attn.v";
  return part ? cat("blocks.", m.block, ".attn.qkv.lora_", m.own.back(), ".") : cat("blocks.", m.block, ".", m.own, ".lora.");
}

// "layers.3.attention.q_proj", "encoder.layer.3.attention.attention.query", "blocks.3.attn.qkv"
std::optional<Module> module_of(std::string path) {
  for (const char* model : {"vit.", "deit.", "dinov2."})
    if (path.starts_with(model)) path = path.substr(std::string(model).size());
  for (const char* blocks : {"encoder.layer.", "layers.", "blocks."}) {
    if (!path.starts_with(blocks)) continue;
    const size_t start = std::string(blocks).size(), dot = path.find('.', start);
    if (dot == std::string::npos || dot == start || dot - start > 6) return std::nullopt;
    const std::string number = path.substr(start, dot - start), rest = path.substr(dot + 1);
    if (number.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    for (const Name& name : kNames) {
      const bool timm = std::string(blocks) == "blocks.";
      if (rest == (timm ? name.own : std::string(blocks) == "layers." ? name.five : name.four))
        return Module{std::stoll(number), name.own};
    }
    if (std::string(blocks) == "blocks." && rest == "attn.qkv") return Module{std::stoll(number), rest};
  }
  return std::nullopt;
}

std::string without(std::string text, const std::string& part) {
  if (const size_t at = text.find(part); at != std::string::npos) text.erase(at, part.size());
  return text;
}

// Our name of a tensor, and the module that it updates; none for the head.
struct Place {
  std::string key;
  std::optional<Module> module;
};
Place place_of(const std::string& key, const std::string& file) {
  std::string path = without(without(key, ".default"), ".modules_to_save");
  if (path.starts_with(kRoot)) path = path.substr(std::string(kRoot).size());
  for (const char* head : {"classifier.", "head."})
    if (path.starts_with(head)) return {"head." + path.substr(std::string(head).size()), std::nullopt};
  for (const auto& [ending, own] : {std::pair(".lora_A.weight", "A"),
                                    {".lora_B.weight", "B"},
                                    {".lora_magnitude_vector", "magnitude"},
                                    {".lora_magnitude_vector.weight", "magnitude"}}) {
    if (!path.ends_with(ending)) continue;
    if (const auto module = module_of(path.substr(0, path.size() - std::string(ending).size())))
      return {prefix_of(*module) + own, module};
  }
  bad_file(file, "a tensor belongs to no module that is known here: ", escaped(key, 100),
           ". Hint: linear layers of the blocks, and the classifier.");
}

// The blocks of each kind of layer as patterns: "blocks.0-11.attn.q,blocks.0-11.attn.v".
std::string targets_of(const std::map<std::string, std::set<int64_t>>& blocks) {
  std::string targets;
  for (const auto& [own, numbers] : blocks) {
    const int64_t low = *numbers.begin(), high = *numbers.rbegin();
    const bool all = high - low + 1 == static_cast<int64_t>(numbers.size());
    for (const int64_t number : numbers) {
      targets += cat(targets.empty() ? "" : ",", "blocks.", all ? cat(low, "-", high) : cat(number), ".", own);
      if (all) break;
    }
  }
  return targets;
}

bool says_nothing(const std::string& json) {
  static const std::set<std::string> nothing{"null", "false", "{}", "[]", "\"none\"", "\"\""};
  return nothing.count(json) > 0;
}

nn::LoraOptions read_config(const std::string& path) {
  const JsonDocument document(read_text_file(path), path);
  JsonObject json(document.root(), path, "", ErrorKind::kData);
  const std::string type = json.text("peft_type");
  if (type != "LORA") bad_file(path, "peft_type must be LORA: it is ", quote(type), ".");
  nn::LoraOptions o;
  o.rank = json.integer("r", 1, 4096);
  o.alpha = json.number("lora_alpha", 1e-9, 1e6);
  o.dropout = json.number_or("lora_dropout", 0, 0.999, 0);
  o.rank_stabilized = json.boolean_or("use_rslora", false);
  o.dora = json.boolean_or("use_dora", false);
  const std::string init = json.has("init_lora_weights") ? json.json_text("init_lora_weights") : "true";
  if (init != "true" && init != "false" && init != "\"gaussian\"" && init != "\"orthogonal\"" && init != "\"eva\"")
    bad_file(path, "init_lora_weights changes the base model, which is not supported: it is ", escaped(init), ".");
  // These say how it was made, or what the names of the tensors say anyway.
  const std::set<std::string> known{"peft_type",
                                    "r",
                                    "lora_alpha",
                                    "lora_dropout",
                                    "use_rslora",
                                    "use_dora",
                                    "init_lora_weights",
                                    "auto_mapping",
                                    "base_model_name_or_path",
                                    "peft_version",
                                    "inference_mode",
                                    "task_type",
                                    "revision",
                                    "megatron_core",
                                    "qalora_group_size",
                                    "target_modules",
                                    "exclude_modules",
                                    "layers_to_transform",
                                    "layers_pattern",
                                    "modules_to_save",
                                    "eva_config",
                                    "runtime_config"};
  for (const std::string& key : json.keys()) {
    if (known.count(key)) continue;
    const std::string value = json.json_text(key);
    if (!says_nothing(value)) bad_file(path, "the setting ", escaped(key), " is not supported: it is ", escaped(value), ".");
  }
  return o;
}

std::vector<std::string> numbered(int64_t classes) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < classes; ++i) names.push_back(cat("class ", i));
  return names;
}

}  // namespace

Adapter read_peft(const std::string& folder, const SavedModel& base) {
  const std::string config = (fs::path(folder) / kConfig).string(), weights = (fs::path(folder) / kTensors).string();
  Adapter a;
  a.options = read_config(config);
  a.file = weights, a.base = base.file, a.card = base.card;
  // Those were the base's own.
  a.card.training = ModelCard().training, a.card.calibration.reset();
  std::map<std::string, std::set<int64_t>> blocks;
  const SafetensorsFile file = load_safetensors(weights);
  int64_t classes = -1;
  for (const auto& [key, tensor] : file.tensors) {
    const Place place = place_of(key, weights);
    if (place.module) blocks[place.module->own].insert(place.module->block);
    if (place.key == "head.weight" && tensor.dim() == 2) classes = tensor.size(0);
    const bool taken =
        std::any_of(a.tensors.begin(), a.tensors.end(), [&](const auto& entry) { return entry.first == place.key; });
    if (taken) bad_file(weights, "two tensors have one place: ", escaped(key, 100), ".");
    a.tensors.emplace_back(place.key, tensor);
  }
  if (blocks.empty()) bad_file(weights, "there is no low-rank update in it.");
  a.options.targets = targets_of(blocks);
  check_finite_weights("peft", a.tensors, cat(escaped_path(weights), ": "));
  const models::ModelConfig architecture = models::config_from_json(base.architecture, base.file);
  a.architecture = models::to_json(classes < 0 ? architecture : models::adapted(architecture, {.num_classes = classes}));
  if (classes >= 0 && static_cast<int64_t>(a.card.class_names.size()) != classes) a.card.class_names = numbered(classes);
  return a;
}

namespace {

// "vit.layers.3.attention.q_proj" in the spelling that is asked for; a pointer to its name without the block too.
const Name& name_of_module(const std::string& own) {
  return *std::find_if(std::begin(kNames), std::end(kNames), [&](const Name& name) { return own == name.own; });
}

class Writer {
 public:
  explicit Writer(PeftNames names) : five_(names == PeftNames::kTransformers5) {}

  void add(const std::string& key, const Tensor& value) {
    if (key.starts_with("head.")) {
      file_.tensors.emplace_back(kRoot + ("classifier." + key.substr(5)), value);
      saves_head_ = true;
      return;
    }
    const size_t last = key.rfind('.');
    const std::string kind = key.substr(last + 1);
    for (const std::string own : {"attn.q", "attn.k", "attn.v", "attn.proj", "mlp.fc1", "mlp.fc2"}) {
      const std::optional<int64_t> block = block_in(key, prefix_of({0, own}));
      if (block) return add(*block, own, kind, value);
    }
    if (const std::optional<int64_t> block = block_in(key, "blocks.0.attn.qkv.lora.")) {
      const int64_t third = value.size(0) / 3;
      for (int64_t i = 0; i < 3; ++i)
        add(*block, kNames[i].own, kind, kind == "A" ? value : slice(value, 0, i * third, (i + 1) * third));
      return;
    }
    fail(ErrorKind::kValue, "peft", "there is no place for ", escaped(key),
         ". Hint: low-rank updates of the blocks' attention and MLP, and the head.");
  }

  void save(const std::string& folder, const nn::LoraOptions& o) {
    std::error_code error;
    fs::create_directories(folder, error);
    check(!error, ErrorKind::kIo, "peft", escaped_path(folder), " cannot be made: ", error.message(), ".");
    file_.metadata.emplace_back("format", "pt");
    save_safetensors((fs::path(folder) / kTensors).string(), file_);
    JsonWriter json(2);
    json.begin_object().key("auto_mapping").begin_object().field("base_model_class", "ViTForImageClassification");
    json.field("parent_library", "transformers.models.vit.modeling_vit").end_object();
    json.key("base_model_name_or_path")
        .null()
        .field("bias", "none")
        .field("fan_in_fan_out", false)
        .field("inference_mode", true);
    json.field("init_lora_weights", true).field("lora_alpha", o.alpha).field("lora_dropout", o.dropout);
    json.field("modules_to_save", saves_head_ ? std::vector<std::string>{"classifier"} : std::vector<std::string>{});
    json.field("peft_type", "LORA").field("r", o.rank);
    json.field("target_modules", std::vector<std::string>(targets_.begin(), targets_.end())).key("task_type").null();
    json.field("use_dora", o.dora).field("use_rslora", o.rank_stabilized).end_object();
    write_file_atomically((fs::path(folder) / kConfig).string(), json.text() + "\n");
  }

 private:
  // The number in place of the 0 of "blocks.0.REST", if the key begins so.
  static std::optional<int64_t> block_in(const std::string& key, const std::string& pattern) {
    const std::string rest = pattern.substr(std::string("blocks.0").size());
    if (!key.starts_with("blocks.")) return std::nullopt;
    const size_t dot = key.find('.', 7);
    if (dot == std::string::npos || key.compare(dot, rest.size(), rest) != 0) return std::nullopt;
    return std::stoll(key.substr(7, dot - 7));
  }
  void add(int64_t block, const std::string& own, const std::string& kind, const Tensor& value) {
    const Name& name = name_of_module(own);
    const std::string module = cat(five_ ? "layers." : "encoder.layer.", block, ".", five_ ? name.five : name.four);
    const std::string ending = kind == "magnitude" ? "lora_magnitude_vector" : "lora_" + kind + ".weight";
    file_.tensors.emplace_back(cat(kRoot, "vit.", module, ".", ending), value);
    targets_.insert(cat("vit.", module));
  }

  bool five_;
  bool saves_head_ = false;
  SafetensorsFile file_;
  std::set<std::string> targets_;  // whole names: "output.dense" alone would name two layers of a block
};

}  // namespace

void write_peft(const std::string& folder, const Adapter& adapter, PeftNames names) {
  check_finite_weights("peft", adapter.tensors);
  Writer writer(names);
  for (const auto& [key, value] : adapter.tensors) writer.add(key, value);
  writer.save(folder, adapter.options);
}

}  // namespace vitrail
