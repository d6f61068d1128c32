// vitrail predict.
#include <cstdio>
#include <memory>
#include <optional>

#include "base/json_writer.h"
#include "cli/command.h"
#include "data/image/image.h"
#include "data/sets/idx.h"
#include "tensor/ops.h"
#include "tensor/product/precision.h"
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

Tensor read_picture(const std::string& path, const std::optional<int64_t>& index) {
  if (!index) return read_image(path);
  const Tensor images = read_idx(path, 3);  // [N, H, W]
  check(*index >= 0 && *index < images.size(0), ErrorKind::kValue, "predict", "--index outside [0, ", images.size(0),
        "): it is ", *index, ".");
  return unsqueeze(select(images, 0, *index), 0);
}

int run(const Options& o) {
  const PrecisionGuard precision(precision_from_name(o.precision));
  const std::unique_ptr<Task> task = load_task(o.model);
  JsonWriter json(2);
  json.begin_array();
  for (const std::string& file : o.files) {
    const Prediction prediction = predict_one(*task, read_picture(file, o.index));
    if (o.json) {
      json.begin_object().field("file", file).key("predictions");
      task->to_json(json, prediction, o.top);
      json.end_object();
    } else {
      std::printf("%s: %s\n", file.c_str(), task->to_text(prediction, o.top).c_str());
    }
  }
  if (o.json) std::printf("%s\n", json.end_array().text().c_str());
  return 0;
}

}  // namespace

void add_predict(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "predict", "Say what is on a picture");
  command.option("files", o->files, "PNG, PGM or PPM pictures; with --index IDX files").required();
  command.option("--model", o->model, "Folder that train wrote, or its model.safetensors").required();
  command.option("--index", o->index, "The files are IDX files: take the picture of this number");
  command.option("--precision", o->precision,
                 "f32, or bf16: operands of the products of linear layers and attention rounded (f32)");
  command.option("--top", o->top, "How many classes to print (3)", 1, 1000000);
  command.flag("--json", o->json, "Machine-readable output");
  command.footer("Example: vitrail predict --model fashion shoe.png");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
