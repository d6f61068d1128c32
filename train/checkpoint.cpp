#include "train/checkpoint.h"

#include <algorithm>
#include <filesystem>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "tensor/safetensors_checksums.h"

namespace vitrail {

namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 1;
constexpr const char* kNewestFirst[] = {kNextFile, kCheckpointFile, kPreviousFile};

std::string path_in(const std::string& folder, const char* name) { return (fs::path(folder) / name).string(); }

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

std::string run_text(const Checkpoint& c) {
  JsonWriter json(2);
  json.begin_object().field("format", kFormat).key("state").raw(to_json(c.state)).key("model").raw(c.architecture);
  json.key("preprocessing").raw(preprocessing_to_json(c.card.preprocessing)).field("class_names", c.card.class_names);
  return json.key("data").raw(c.data).key("job").raw(c.job).end_object().text();
}

Checkpoint from_text(const std::string& text, const std::string& where) {
  const JsonDocument document(text, where);
  JsonObject json(document.root(), where, "", ErrorKind::kData);
  const std::string format = json.json_text("format");
  check(format == std::to_string(kFormat), ErrorKind::kData, "checkpoint", escaped_path(where), ": format ",
        escaped(format, 40), " is unknown; this program reads format ", kFormat, ".");
  Checkpoint c;
  c.state = run_state_from_json(json.json_text("state"), where);
  c.architecture = json.json_text("model");
  c.card.preprocessing = preprocessing_from_json(json.json_text("preprocessing"));
  c.card.class_names = json.texts_or("class_names", {});
  c.card.task = c.state.task;
  c.data = json.json_text("data");
  c.job = json.json_text("job");
  json.finish();
  return c;
}

bool is_valid(const std::string& path) {
  try {
    read_checkpoint(path);
    return true;
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kData) throw;
    return false;
  }
}

// The oldest goes here, after the next one has been verified.
void put_in_place(const std::string& folder) {
  const std::string newest = path_in(folder, kCheckpointFile);
  if (exists(newest)) rename_file(newest, path_in(folder, kPreviousFile));
  rename_file(path_in(folder, kNextFile), newest);
}

uint32_t crc_of_labels(const Dataset& data) {
  constexpr int64_t kMost = 65536;
  const int64_t stride = std::max<int64_t>(1, (data.size() + kMost - 1) / kMost);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < data.size(); i += stride) {
    labels.push_back(data.label(i));
    if (!data.info().multi_label) continue;
    const std::vector<int64_t> all = data.labels(i);
    labels.insert(labels.end(), all.begin(), all.end());
  }
  return crc32c({reinterpret_cast<const uint8_t*>(labels.data()), labels.size() * sizeof(int64_t)});
}

}  // namespace

std::string data_identity(const Dataset& train, const Dataset* test) {
  JsonWriter json;
  json.begin_object();
  for (const auto& [key, data] : {std::pair("train", &train), std::pair("test", test)}) {
    if (!data) continue;
    json.key(key).begin_object().field("name", data->name()).field("images", data->size());
    json.field("labels_crc32c", crc_of_labels(*data)).end_object();
  }
  return json.end_object().text();
}

void write_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  SafetensorsFile file;
  file.tensors = tensors_of(checkpoint.state);
  const RunState& state = checkpoint.state;
  const size_t first = state.weights.size(), last = first + state.optimizer.size();
  const auto tensor = [&](size_t i) {
    return state.optimizer_entry && i >= first && i < last ? state.optimizer_entry(i - first) : file.tensors[i].second;
  };
  file.metadata.emplace_back(kRunKey, run_text(checkpoint));
  add_checksums(file, [&](size_t i) {
    const Tensor x = tensor(i);
    check_finite_weights("checkpoint", {{file.tensors[i].first, x}}, "of the run's state, a ");
    return x;
  });
  save_safetensors(path, file, tensor);
}

Checkpoint read_checkpoint(const std::string& path) {
  const SafetensorsHeader header = read_safetensors_info(path);
  const auto run =
      std::find_if(header.metadata.begin(), header.metadata.end(), [](const auto& m) { return m.first == kRunKey; });
  check(run != header.metadata.end(), ErrorKind::kData, "checkpoint", escaped_path(path),
        ": this is no checkpoint of a training run: its header has no ", kRunKey, ".");
  verify_checksums(path);
  SafetensorsFile file = load_safetensors(path);
  try {
    Checkpoint checkpoint = from_text(run->second, path);
    set_tensors(checkpoint.state, file.tensors, path);
    check_finite_weights("checkpoint", file.tensors);
    return checkpoint;
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kValue && e.kind() != ErrorKind::kNumeric) throw;
    fail(ErrorKind::kData, "checkpoint", escaped_path(path), ": ", e.what());
  }
}

void save_checkpoint(const std::string& folder, const Checkpoint& checkpoint) {
  const std::string next = path_in(folder, kNextFile);
  // Left by a run that was killed between its renames: newer than the others, so its own turn comes first.
  if (exists(next) && is_valid(next)) put_in_place(folder);
  write_checkpoint(next, checkpoint);
  try {
    verify_checksums(next);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kData) throw;
    remove_file(next);
    fail(ErrorKind::kIo, "checkpoint", "what was written reads back changed, and was removed: ", e.what());
  }
  put_in_place(folder);
}

bool has_checkpoint(const std::string& folder) {
  return std::any_of(std::begin(kNewestFirst), std::end(kNewestFirst),
                     [&](const char* name) { return exists(path_in(folder, name)); });
}

FoundCheckpoint find_checkpoint(const std::string& folder) {
  FoundCheckpoint found;
  bool any = false;
  for (const char* name : kNewestFirst) {
    found.path = path_in(folder, name);
    if (!exists(found.path)) continue;
    any = true;
    try {
      found.checkpoint = read_checkpoint(found.path);
      return found;
    } catch (const Error& e) {
      // The newest is what a person wants to hear of.
      if (e.kind() != ErrorKind::kData && e.kind() != ErrorKind::kIo) throw;
      if (found.complaint.empty()) found.complaint = e.what();
      found.damaged.push_back(found.path);
    }
  }
  check(any, ErrorKind::kIo, "checkpoint", escaped_path(folder),
        ": the folder holds no checkpoint. Hint: --resume goes on with a run that train wrote there.");
  fail(ErrorKind::kData, "checkpoint", "no valid checkpoint is left: ", found.complaint);
}

void settle(const std::string& folder, const FoundCheckpoint& found) {
  for (const std::string& path : found.damaged) rename_file(path, path + ".damaged");
  if (found.path == path_in(folder, kNextFile)) put_in_place(folder);
}

void remove_checkpoints(const std::string& folder) {
  // The newest last: until it goes, the folder is one of the run that it belongs to.
  for (const char* name : {kPreviousFile, kNextFile, kCheckpointFile}) remove_file(path_in(folder, name));
}

}  // namespace vitrail
