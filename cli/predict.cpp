// vitrail predict.
#include <cstdio>
#include <memory>
#include <optional>

#include "autograd/modes.h"
#include "base/exit_code.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "data/image/image.h"
#include "data/picture_warnings.h"
#include "data/sets/idx.h"
#include "data/sets/registry.h"
#include "tensor/ops.h"
#include "tensor/precision.h"
#include "train/task/task.h"

namespace vitrail::cli {

namespace {

struct Options {
  std::vector<std::string> files;
  std::string model, precision = "f32";
  std::optional<int64_t> index;
  int64_t top = 3;
  bool json = false;
};

Tensor read_picture(const std::string& path, const std::optional<int64_t>& index, const DecodeOptions& options, std::string* note) {
  if (index && is_dataset_spec(path)) return open_dataset(path, Split::kTest)->sample(*index).image;
  if (index) return read_idx_picture(path, *index);
  return read_image(path, options, note);
}

void predict_file(Task& task, const Options& o, const std::string& file, JsonWriter& json) {
  const Preprocessing preprocessing = task.card().preprocessing;
  std::string note;
  const Tensor picture = read_picture(file, o.index, decode_options(preprocessing), &note);
  const std::vector<std::string> warnings = picture_warnings(picture, preprocessing, note);
  for (const std::string& warning : warnings) complain(cat("note: ", escaped_path(file), ": ", warning));
  const Prediction prediction = predict_one(task, picture);
  if (!o.json) {
    std::printf("%s: %s\n", escaped_path(file).c_str(), task.to_text(prediction, o.top).c_str());
    return;
  }
  json.begin_object().field("file", file).key("predictions");
  task.to_json(json, prediction, o.top);
  json.field("warnings", warnings).end_object();
}

// One bad file among many must not cost the others: it is named, in JSON too, and the exit code is that of the first one.
int run(const Options& o) {
  const PrecisionGuard precision(precision_from_name(o.precision));
  const std::unique_ptr<Task> task = load_task(o.model);
  JsonWriter json(2);
  json.begin_array();
  int code = 0;
  for (const std::string& file : o.files) {
    try {
      predict_file(*task, o, file, json);
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::kMemory || e.kind() == ErrorKind::kNumeric) throw;
      complain(e.what());
      if (o.json) json.begin_object().field("file", file).field("error", std::string(e.what())).end_object();
      if (code == 0) code = exit_code(e.kind());
    }
  }
  if (o.json) std::printf("%s\n", json.end_array().text().c_str());
  return code;
}

}  // namespace

void add_predict(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "predict", "Say what is on a picture");
  command.option("files", o->files, "PNG, JPEG, WebP, BMP, PGM or PPM pictures; with --index IDX files or data sets").required();
  command.option("--model", o->model, "Folder that train wrote, or its model.safetensors").required();
  command.option("--index", o->index,
                 "The picture of this number: of an IDX file, or of the part to test on of a folder or list");
  command.option("--precision", o->precision,
                 "f32, or bf16: operands of the products of linear layers and attention rounded (f32)");
  command.option("--top", o->top, "How many classes to print (3)", 1, 1000000);
  command.flag("--json", o->json, "Machine-readable output");
  command.footer("Example: vitrail predict --model runs/photos picture.jpg");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
