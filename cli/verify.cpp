// vitrail verify: whether a checkpoint or a saved model is what was written.
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "models/weights/adapter.h"
#include "tensor/safetensors_checksums.h"
#include "train/checkpoint.h"

namespace vitrail::cli {

namespace {

namespace fs = std::filesystem;

// "step 12 (epoch 3, batch 2), a checkpoint of 45 tensors"
std::string about_checkpoint(const std::string& path) {
  const Checkpoint checkpoint = read_checkpoint(path);
  const RunState& s = checkpoint.state;
  return cat("step ", s.step, " (epoch ", s.epoch + 1, ", batch ", s.batch + 1, " is next), a checkpoint of ",
             tensors_of(s).size(), " tensors");
}

std::string about_model(const std::string& path) {
  const SavedModel saved = read_saved_model(path);
  const JsonDocument document(saved.card.training, path);
  const int64_t steps = JsonObject(document.root(), path, "training", ErrorKind::kData).integer_or("steps", 0, INT64_MAX, 0);
  return cat("step ", steps, ", a model of ", saved.weights.size(), " tensors");
}

// What the file is and that it is whole. Error(kData) naming what differs.
std::string about_file(const std::string& path) {
  const auto has = [header = verify_checksums(path)](const char* key) {
    for (const auto& [name, text] : header.metadata)
      if (name == key) return true;
    return false;
  };
  if (has(kRunKey)) return about_checkpoint(path);
  if (has("vitrail")) return about_model(path);
  if (has("vitrail_adapter")) return cat("an adapter of ", read_adapter(path).tensors.size(), " tensors");
  return "a safetensors file";
}

int verify_folder(const std::string& folder) {
  int found = 0, damaged = 0;
  for (const char* name : {kNextFile, kCheckpointFile, kPreviousFile, kModelFile, kBestFile, kAdapterFile}) {
    const std::string path = (fs::path(folder) / name).string();
    std::error_code ignored;
    if (!fs::exists(path, ignored)) continue;
    ++found;
    try {
      std::printf("%s: %s, every checksum right\n", name, about_file(path).c_str());
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::kData) throw;
      complain(e.what());
      ++damaged;
    }
  }
  check(found > 0, ErrorKind::kIo, "verify", escaped_path(folder), ": the folder holds no checkpoint and no model.");
  check(damaged == 0, ErrorKind::kData, "verify", escaped_path(folder), ": ", damaged, " of ", found, " files are damaged.");
  return 0;
}

}  // namespace

void add_verify(CLI::App& app, Action& action) {
  auto path = std::make_shared<std::string>();
  Command command(app, "verify", "Check that a checkpoint or a saved model is what was written");
  command.option("path", *path, "A file of train, or its folder: then all that it holds").required();
  command.footer(
      "Prints \"step N\"; exit code 3 if a file is damaged.\nExample: vitrail verify runs/photos/checkpoint.safetensors");
  command.runs(action, [path] {
    std::error_code ignored;
    if (fs::is_directory(*path, ignored)) return verify_folder(*path);
    std::printf("%s, every checksum right\n", about_file(*path).c_str());
    return 0;
  });
}

}  // namespace vitrail::cli
