#include "models/weights/export/export.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/staged_folder.h"
#include "base/text.h"
#include "models/weights/export/onnx_model.h"

namespace vitrail::weights {

namespace {

namespace fs = std::filesystem;

struct Target {
  const char* name;
  const char* ending;  // of a file; "": a folder
  const char* open;    // with PATH for its path
};

constexpr Target kTargets[] = {
    {"timm", "", "timm.create_model('local-dir:PATH', pretrained=True)"},
    {"hf", "", "transformers.AutoModelForImageClassification.from_pretrained('PATH')"},
    {"torchvision", ".safetensors", "model.load_state_dict(safetensors.torch.load_file('PATH'))"},
    {"vitrail", "", "vitrail predict --model PATH"},
    {"onnx", ".onnx", "onnxruntime.InferenceSession('PATH')"},
};

const Target& target_of(const std::string& to) {
  for (const Target& target : kTargets)
    if (to == target.name) return target;
  fail(ErrorKind::kValue, "convert", "--to must be one of ", listed(export_targets(), 9), ": it is ", quote(to), ".");
}

// Files that a folder of ours may hold: another one in it is somebody's.
bool is_ours(const std::string& name) {
  return name == kModelFile || name == "config.json" || name == "preprocessor_config.json";
}

std::string at_path(const char* text, const std::string& path) {
  std::string result = text;
  const size_t at = result.find("PATH");
  return result.replace(at, 4, escaped_path(path));
}

int64_t bytes_of(const nn::StateDict& state) {
  int64_t bytes = 0;
  for (const auto& entry : state) bytes += entry.second.numel() * size_of(entry.second.dtype());
  return bytes;
}

std::string size_text(size_t tensors, int64_t bytes) {
  char text[64];
  std::snprintf(text, sizeof text, ": %zu tensors, %.1f MB", tensors, static_cast<double>(bytes) * 1e-6);
  return text;
}

const models::ViT& vit_of(models::Classifier& model, const std::string& to) {
  const auto* vit = dynamic_cast<const models::ViT*>(&model);
  check(vit != nullptr, ErrorKind::kValue, "convert", "--to ", to, " writes ViTs: this model is a ", architecture_of(model),
        ". Hint: --to vitrail.");
  return *vit;
}

Exported exported(models::Classifier& model, const nn::StateDict& state, const ModelCard& card, const std::string& to,
                  const ExportOptions& options) {
  const models::ViT& vit = vit_of(model, to);
  if (to == "timm") return to_timm(vit, state, card, options);
  if (to == "hf") return to_hugging_face(vit, state, card);
  return to_torchvision(vit, state, card);
}

// What the card says and the target cannot.
std::vector<std::string> not_said(const ModelCard& card, const std::string& to) {
  std::vector<std::string> notes;
  if (to == "vitrail") return notes;
  if (card.task == kMultiLabel && to != "hf")
    notes.push_back(cat("its labels are any number per picture: a sigmoid for each class, ",
                        to == "timm" ? "which timm's config.json cannot say" : "which stands in the file's metadata as task"));
  if (card.calibration)
    notes.push_back(cat("its calibration is left out: probabilities there are softmax(logits), here softmax(logits / ",
                        card.calibration->temperature, ")"));
  return notes;
}

void write_folder(const std::string& path, const Exported& files) {
  StagedFolder folder(path);
  for (const auto& [name, content] : files.texts) write_file_atomically(folder.file(name), content);
  save_safetensors(folder.file(kModelFile), files.weights);
  folder.publish();
}

ExportReport write_ours(LoadedModel& model, const std::string& path, const nn::StateDict& state) {
  StagedFolder folder(path);
  save_model(folder.path(), *model.model, model.card);
  folder.publish();
  return {cat("vitrail's ", architecture_of(*model.model), size_text(state.size(), bytes_of(state))), "", {}};
}

ExportReport write_onnx(LoadedModel& model, const std::string& path, const nn::StateDict& state, int64_t opset) {
  const OnnxGraph graph = onnx_model(*model.model, model.card, opset);
  const ProtobufMessage message = graph.model();
  write_file_atomically(path, message.pieces());
  return {cat("an ONNX model of opset ", opset, size_text(state.size(), message.size())), "", {}};
}

}  // namespace

const std::vector<std::string>& export_targets() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names;
    for (const Target& target : kTargets) names.emplace_back(target.name);
    return names;
  }();
  return all;
}

void check_destination(const std::string& to, const std::string& path, bool replace) {
  const Target& target = target_of(to);
  const std::string ending = target.ending;
  check(ending.empty() || (path.ends_with(ending) && path.size() > ending.size()), ErrorKind::kValue, "convert", "--to ", to,
        " writes a file whose name ends in ", ending, ": --out is ", escaped_path(path), ".");
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return;
  check(replace, ErrorKind::kValue, "convert", "--out is there already: ", escaped_path(path), ". Hint: --force replaces it.");
  check(fs::is_directory(status) == ending.empty(), ErrorKind::kValue, "convert", "--to ", to, " writes a ",
        ending.empty() ? "folder" : "file", ", --out is a ", ending.empty() ? "file" : "folder", ": ", escaped_path(path), ".");
  if (!ending.empty()) return;
  for (fs::directory_iterator at(path, error), end; at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    check(is_ours(name), ErrorKind::kValue, "convert", "--force replaces only what convert wrote: ", escaped_path(path),
          " also holds ", quote(name), ". Hint: choose another folder.");
  }
  check(!error, ErrorKind::kIo, "convert", escaped_path(path), " cannot be read: ", error.message(), ".");
}

ExportReport export_model(LoadedModel& model, const std::string& to, const std::string& path, const ExportOptions& options,
                          bool replace) {
  check_destination(to, path, replace);
  const nn::StateDict state = model.model->state_dict();
  check_finite_weights("convert", state);
  ExportReport report;
  if (to == "vitrail") {
    report = write_ours(model, path, state);
  } else if (to == "onnx") {
    report = write_onnx(model, path, state, options.opset);
  } else {
    const Exported files = exported(*model.model, state, model.card, to, options);
    if (to == "torchvision")
      save_safetensors(path, files.weights);
    else
      write_folder(path, files);
    report.what = files.what + size_text(files.weights.tensors.size(), bytes_of(files.weights.tensors));
    report.notes = files.notes;
  }
  for (std::string& note : not_said(model.card, to)) report.notes.push_back(std::move(note));
  report.open = at_path(target_of(to).open, path);
  return report;
}

}  // namespace vitrail::weights
