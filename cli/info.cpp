// vitrail info: opens whatever it is given and says what it is.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "base/gzip.h"
#include "base/json_writer.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "data/image/image.h"
#include "data/sets/find_file.h"
#include "data/sets/idx.h"
#include "data/sets/registry.h"
#include "models/presets.h"
#include "models/weights/formats/tensor_file.h"
#include "models/weights/save.h"
#include "nn/summary.h"
#include "tensor/ops.h"
#include "tensor/rng.h"
#include "tensor/safetensors.h"
#include "train/checkpoint.h"
#include "train/recipes.h"

namespace vitrail::cli {

namespace {

namespace fs = std::filesystem;

// What info found: for people, and for programs.
struct Report {
  std::string text;
  JsonWriter json = JsonWriter(2);  // an object that is still open

  Report(const char* kind, std::string for_people) : text(std::move(for_people)) { json.begin_object().field("kind", kind); }
};

std::vector<int64_t> extents(const Shape& shape) { return {shape.begin(), shape.end()}; }

Report about_model(models::Classifier& model, const std::string& kind) {
  const nn::Summary summary = nn::summarize(model, model.input_shape());
  Report report(kind.c_str(), cat(kind, "\n", nn::to_string(summary)));
  report.json.field("parameters", summary.parameters).field("macs", summary.macs);
  report.json.field("input", extents(model.input_shape())).field("classes", model.num_classes());
  report.json.key("model").raw(model.config_json());
  return report;
}

Report about_config(const models::ModelConfig& config, const std::string& kind) {
  Rng rng(0);
  return about_model(*models::make_model(config, rng), kind);
}

Report about_recipe(const Recipe& recipe) {
  const DatasetInfo pictures = example_pictures();
  const TrainConfig config = recipe.config({pictures, 0});
  Report report("recipe", cat("recipe ", recipe.name, ": ", recipe.help, "\nvalues from ", recipe.source,
                              "; for colour pictures of 32 x 32:\n", recipe_json(config), "\n"));
  report.json.field("name", recipe.name).field("source", recipe.source).key("recipe").raw(recipe_json(config));
  return report;
}

Report about_saved(const std::string& path, const OpenOptions& options) {
  const LoadedModel loaded = load_model(path, options);
  Report report = about_model(*loaded.model, loaded.origin ? "model" : "trained model");
  if (loaded.origin) {
    report.text += origin_text(*loaded.origin);
    report.json.field("family", loaded.origin->family).key("origin");
    origin_json(report.json, *loaded.origin);
  }
  report.text += "preprocessing: " + preprocessing_text(loaded.card.preprocessing) + "\n";
  report.json.key("preprocessing").raw(preprocessing_to_json(loaded.card.preprocessing));
  report.json.field("task", loaded.card.task);
  if (loaded.card.task == kMultiLabel) report.text += "labels: any number per picture, each by its own probability\n";
  if (const auto& c = loaded.card.calibration) {
    report.text += cat("calibration: temperature ", c->temperature, ", unknown below ", c->unknown_below, ", on ", c->images,
                       " pictures of ", escaped(c->data), "\n");
    report.json.key("calibration").begin_object().field("temperature", c->temperature).field("unknown_below", c->unknown_below);
    report.json.field("images", c->images).field("data", c->data).end_object();
  }
  report.json.field("class_names", loaded.card.class_names).key("training").raw(loaded.card.training);
  report.text += "classes:";
  for (const std::string& name : loaded.card.class_names) report.text += " " + escaped(name) + ";";
  report.text += "\n";
  return report;
}

Report about_checkpoint(const std::string& path) {
  const Checkpoint checkpoint = read_checkpoint(path);
  const RunState& s = checkpoint.state;
  Report report("checkpoint",
                cat("checkpoint of a training run: step ", s.step, ", epoch ", s.epoch + 1, ", batch ", s.batch + 1,
                    " is next, ", tensors_of(s).size(), " tensors. It is for vitrail train --resume; the model to use is ",
                    kModelFile, " beside it.\n"));
  report.json.field("step", s.step).field("epoch", s.epoch).field("batch", s.batch);
  report.json.key("model").raw(checkpoint.architecture).key("recipe").raw(recipe_json(s.config)).key("job").raw(checkpoint.job);
  return report;
}

Report about_dataset(const std::string& spec) {
  const DatasetSource source = open_source(spec);
  for (const std::string& note : source.notes) complain(cat("note: ", note));
  const DatasetPtr train = source.open(Split::kTrain), test = source.open(Split::kTest);
  const Shape image{train->channels(), train->height(), train->width()};
  Report report("data set", cat("data set ", train->name(), ": ", train->size(), " training and ", test->size(), " ",
                                result_name(test->info()), " images ", image, ", ", train->num_classes(), " classes\n"));
  report.json.field("name", train->name()).field("train_images", train->size()).field("test_images", test->size());
  report.json.field("image", extents(image)).field("class_names", train->class_names());
  for (const std::string& name : train->class_names()) report.text += "  " + escaped(name) + "\n";
  return report;
}

Report about_safetensors(const std::string& path, const OpenOptions& options) {
  const SafetensorsHeader file = read_safetensors_info(path);
  for (const auto& [key, value] : file.metadata) {
    if (key == "vitrail") return about_saved(path, options);
    if (key == kRunKey) return about_checkpoint(path);
  }
  std::vector<std::string> names;
  for (const SafetensorsEntry& e : file.entries) names.push_back(e.name);
  if (weights::knows_names(names)) return about_saved(path, options);
  Report report("safetensors", cat("safetensors file with ", file.entries.size(), " tensors\n"));
  report.json.key("tensors").begin_object();
  for (const SafetensorsEntry& e : file.entries) {  // in the file's own dtypes, not in those that they are read as
    report.text += cat("  ", escaped(e.name), " ", e.type, " ", e.shape, "\n");
    report.json.key(e.name).begin_object().field("dtype", e.type).field("shape", extents(e.shape)).end_object();
  }
  report.json.end_object();
  return report;
}

Report about_idx(const ByteSource& source) {
  const IdxHeader h = check_idx(source);
  Report report("idx", cat("IDX file of ", h.type == IdxType::kU8 ? "bytes" : name_of(h.type), " ", h.shape, "\n"));
  report.json.field("shape", extents(h.shape)).field("dtype", name_of(h.type));
  return report;
}

Report about_image(const std::string& path) {
  std::string note;
  const Tensor x = read_image(path, {}, &note);
  if (!note.empty()) complain(cat("note: ", escaped_path(path), ": ", note));
  Report report("picture", cat("picture, ", x.size(2), " x ", x.size(1), ", ", x.size(0), " channels\n"));
  report.json.field("shape", extents(x.shape()));
  return report;
}

// Every tensor of a file: name, shape, the file's own type, smallest, largest, mean and deviation.
Report about_tensors(const std::string& path, const OpenOptions& options) {
  const TensorFile file = read_tensor_file(path, {.weights = options.weights});
  Report report("tensors", cat(file.format, " file with ", file.tensors.size(), " tensors\n"));
  report.json.field("format", file.format).key("tensors").begin_object();
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    const auto& [name, tensor] = file.tensors[i];
    const StoredTensor& stored = file.stored[i];
    report.text += cat("  ", escaped(name, 120), " ", stored.type, " ", stored.shape);
    report.json.key(name).begin_object().field("dtype", stored.type).field("shape", extents(stored.shape));
    if (tensor.numel() > 0) {
      const Tensor x = to(tensor, Dtype::f64);
      const double least = min(x).item(), most = max(x).item(), middle = mean(x).item();
      const double deviation = std::sqrt(mean(square(sub(x, middle))).item());
      report.text += cat("  min ", least, " max ", most, " mean ", middle, " std ", deviation);
      report.json.field("min", least).field("max", most).field("mean", middle).field("std", deviation);
    }
    report.text += "\n";
    report.json.end_object();
  }
  report.json.end_object();
  return report;
}

// A file that a training of another program left: torch's zip and pickle, npz, or what a failed download left in its place.
bool is_foreign_weights(const std::string& path, const uint8_t* head, int64_t length) {
  if (length >= 4 && ((head[0] == 'P' && head[1] == 'K' && head[2] <= 6) || (head[0] == 0x80 && head[1] <= 5))) return true;
  const std::string end = fs::path(path).extension().string();
  for (const char* known : {".safetensors", ".pt", ".pth", ".bin", ".npz", ".ckpt"})
    if (end == known) return true;
  return false;
}

// By content, never by name.
Report about_file(const std::string& path, const OpenOptions& options) {
  const InputFile file(path);
  uint8_t head[18] = {};
  const int64_t length = std::min<int64_t>(file.size(), sizeof head);
  file.read_at(0, head, length);
  if (length >= 9 && head[8] == '{' && head[7] == 0) return about_safetensors(path, options);
  if (length >= 4 && head[0] == 0 && head[1] == 0) return about_idx(source_of(file));
  if (length >= 1 && head[0] == '{') {
    const models::ModelConfig config = models::config_from_json(read_text_file(path), path);
    return about_config(config, "model configuration");
  }
  if (is_image({head, static_cast<size_t>(length)})) return about_image(path);
  if (head[0] == 0x1f && head[1] == 0x8b) {
    const ByteSource source = source_of(file);
    uint8_t magic[2] = {};
    if (UnpackedStream(source).read(magic, 2) == 2 && magic[0] == 0 && magic[1] == 0) return about_idx(source);
  }
  if (is_foreign_weights(path, head, length)) return about_saved(path, options);
  fail(ErrorKind::kData, "info", escaped_path(path), ": not a kind of file that vitrail knows (", file.size(),
       " bytes). Hint: safetensors, IDX, PNG, JPEG, WebP, BMP, PGM, PPM, a folder that train wrote, or config.json.");
}

// Every name that --model takes.
Report about_presets() {
  Report report("presets", "");
  report.json.key("presets").begin_object();
  for (const models::Preset& preset : models::presets()) {
    report.text += cat(preset.name, std::string(std::max<size_t>(2, 34 - std::min<size_t>(32, preset.name.size())), ' '),
                       preset.description, "\n");
    report.json.field(preset.name, preset.description);
  }
  report.json.end_object();
  return report;
}

// What train wrote, or a checkpoint of another program: anything with weights or a configuration in it.
bool holds_model(const std::string& folder) {
  const std::vector<std::string> names = names_in(folder);
  return std::any_of(names.begin(), names.end(), [](const std::string& name) {
    for (const char* end : {".safetensors", ".safetensors.index.json", ".pth", ".pt", ".bin", ".npz"})
      if (name.ends_with(end)) return true;
    return name == "config.json";
  });
}

Report about(const std::string& what, const OpenOptions& options) {
  std::error_code error;
  const fs::file_status status = fs::status(what, error);  // of a name that is too long, or of links in a circle: unknown
  if (fs::is_directory(status)) return holds_model(what) ? about_saved(what, options) : about_dataset(what);
  if (fs::exists(status)) return is_dataset_spec(what) ? about_dataset(what) : about_file(what, options);
  if (what == "presets") return about_presets();
  for (const models::Preset& preset : models::presets())
    if (preset.name == what) return about_config(preset.config, "preset " + preset.name + ": " + preset.description);
  for (const Recipe& recipe : recipes())
    if (recipe.name == what) return about_recipe(recipe);
  if (what.find(':') != std::string::npos || is_dataset_spec(what)) return about_dataset(what);
  check(what.find('/') == std::string::npos && what.find('.') == std::string::npos, ErrorKind::kIo, "info", escaped_path(what),
        ": there is no such file.");
  return about_config(models::find_preset(what).config, what);  // throws, with the nearest name
}

}  // namespace

void add_info(CLI::App& app, Action& action) {
  struct Options {
    std::string what;
    ModelFlags model;
    bool json = false, tensors = false;
  };
  auto o = std::make_shared<Options>();
  Command command(app, "info", "Say what a file, folder, data set, model, preset or recipe is");
  command.option("what", o->what, "A path, a data set as in train --data, the name of a preset or recipe, or presets")
      .required();
  command.flag("--json", o->json, "Machine-readable output");
  command.flag("--tensors", o->tensors, "Of a file of weights: name, type, shape and statistics of each tensor");
  add_model_flags(command, o->model);
  command.footer("Example: vitrail info vit_tiny_patch16_224");
  command.runs(action, [o] {
    const OpenOptions options = open_options(o->model);
    Report report = o->tensors ? about_tensors(o->what, options) : about(o->what, options);
    std::printf("%s%s", o->json ? report.json.end_object().text().c_str() : report.text.c_str(), o->json ? "\n" : "");
    return 0;
  });
}

}  // namespace vitrail::cli
