// vitrail predict.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "autograd/modes.h"
#include "base/exit_code.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/input_tensor.h"
#include "cli/model_options.h"
#include "cli/picture_input.h"
#include "cli/pictures.h"
#include "cli/predict_output.h"
#include "cli/task_options.h"
#include "data/image/image.h"
#include "data/test_views.h"
#include "tensor/ops.h"
#include "tensor/precision.h"
#include "train/task/test_time.h"

namespace vitrail::cli {

namespace {

struct Options {
  std::vector<std::string> files;
  std::string model, precision = "f32", tensor, out;
  std::optional<int64_t> index, top;
  std::optional<double> threshold;
  ModelFlags opening;
  std::optional<bool> tta_mirror;
  bool tta = false, no_calibration = false;
  AnswerFormat format;
};

constexpr int64_t kTogether = 32;  // views in a batch

models::Classifier* classifier_of(Task& task) { return dynamic_cast<models::Classifier*>(&task.model()); }

// Whether the model was trained on mirrored pictures: its recipe says so. Unknown for weights of other programs.
bool trained_mirrored(const ModelCard& card) {
  const JsonDocument training(card.training, "training");
  JsonObject object(training.root(), "training", "", ErrorKind::kData);
  if (!object.has("recipe")) return false;
  const JsonDocument recipe(object.json_text("recipe"), "recipe");
  JsonObject fields(recipe.root(), "recipe", "", ErrorKind::kData);
  return fields.has("mirror") && fields.json_text("mirror") == "true";
}

struct Plan {
  DecodePicture decode;
  PrepareViews prepare;
  int64_t views = 1;  // of a picture
};

// `saved`: of the model's file, which says how it was trained.
Plan plan_for(Task& task, const ModelCard& saved, const Options& o) {
  const Preprocessing preprocessing = task.card().preprocessing;
  Plan plan;
  plan.decode = decode_for(preprocessing);
  if (o.index)
    plan.decode = [index = o.index](const std::string& file, std::string* note) { return read_picture(file, index, {}, note); };
  plan.prepare = [&task](const Tensor& picture) { return std::vector<Tensor>{task.prepare({picture, {}}, nullptr).image}; };
  if (!o.tta) return plan;
  const bool mirrored = o.tta_mirror ? *o.tta_mirror : trained_mirrored(saved);
  plan.prepare = [p = preprocessing, mirrored](const Tensor& picture) { return test_views(picture, p, mirrored); };
  plan.views = mirrored ? 10 : 5;
  return plan;
}

// The predictions of the pictures that could be read, in order.
std::vector<Prediction> predict_group(Task& task, std::vector<ReadPicture>& pictures) {
  std::vector<Example> examples;
  std::vector<size_t> views;
  for (ReadPicture& picture : pictures) {
    if (picture.error) continue;
    views.push_back(picture.views.size());
    for (Tensor& view : picture.views) examples.push_back({std::move(view), {}, 0});
  }
  if (examples.empty()) return {};
  std::vector<Prediction> all = predict_examples(task, std::move(examples)), means;
  auto next = all.begin();
  for (const size_t count : views) {
    std::vector<Prediction> own(std::make_move_iterator(next),
                                std::make_move_iterator(next + static_cast<std::ptrdiff_t>(count)));
    next += static_cast<std::ptrdiff_t>(count);
    means.push_back(count == 1 ? std::move(own.front()) : task.mean_of_views(own));
  }
  return means;
}

// One bad file among many must not cost the others: it is named, in JSON and CSV too, and the exit code is that of the first
// one.
int predict_files(Task& task, const ModelCard& saved, const Options& o) {
  const std::vector<std::string> files = o.index ? o.files : picture_paths("predict", o.files);
  const Plan plan = plan_for(task, saved, o);
  AnswerFormat format = o.format;
  const std::vector<std::string> names = task.card().class_names;
  format.top = o.top ? *o.top : task.name() == kMultiLabel ? static_cast<int64_t>(names.size()) : format.top;
  const std::unique_ptr<AnswerWriter> writer = make_writer(task, format);
  const auto group = static_cast<size_t>(std::max<int64_t>(1, kTogether / plan.views));
  const Preprocessing preprocessing = task.card().preprocessing;
  int code = 0;
  writer->begin();
  for (size_t from = 0; from < files.size(); from += group) {
    const auto part = std::span(files).subspan(from, std::min(group, files.size() - from));
    std::vector<ReadPicture> pictures = read_pictures(part, preprocessing, plan.decode, plan.prepare);
    const std::vector<Prediction> predictions = predict_group(task, pictures);
    size_t next = 0;
    for (const ReadPicture& picture : pictures) {
      for (const std::string& warning : picture.warnings) complain(cat("note: ", escaped_path(picture.file), ": ", warning));
      if (picture.error) {
        if (picture.error->kind() == ErrorKind::kNumeric) throw *picture.error;
        complain(picture.error->what());
        if (code == 0) code = exit_code(picture.error->kind());
      }
      writer->add(picture, picture.error ? nullptr : &predictions[next++]);
    }
  }
  writer->end();
  return code;
}

// Logits of a tensor that is normalised already, to a file.
int predict_tensor(Task& task, const Options& o) {
  models::Classifier* model = classifier_of(task);
  check(model != nullptr, ErrorKind::kValue, "predict", "--tensor needs a model for classification.");
  check(o.files.empty() && !o.index && !o.tta, ErrorKind::kValue, "predict",
        "--tensor stands for the pictures: it goes with neither files nor --index nor --tta.");
  check(!o.out.empty(), ErrorKind::kValue, "predict", "--tensor needs --out FILE.safetensors for the logits.");
  const Tensor input = read_input_tensor("predict", o.tensor, *model);
  match_dtype(*model, input);
  const NoGradGuard no_grad;
  std::vector<Tensor> parts;
  for (int64_t from = 0; from < input.size(0); from += kTogether)
    parts.push_back((*model)(slice(input, 0, from, std::min(from + kTogether, input.size(0)))).value());
  SafetensorsFile file;
  file.tensors.emplace_back("logits", concat(parts, 0));
  save_safetensors(o.out, file);
  return 0;
}

int run(const Options& o) {
  const PrecisionGuard precision(precision_from_name(o.precision));
  check(!o.tensor.empty() || !o.files.empty(), ErrorKind::kValue, "predict",
        "no picture is named. Hint: vitrail predict --help shows an example.");
  check(o.out.empty() || !o.tensor.empty(), ErrorKind::kValue, "predict", "--out is for --tensor alone: answers are printed.");
  check(!o.tta_mirror || o.tta, ErrorKind::kValue, "predict", "--tta-mirror is for --tta alone.");
  ModelCard saved;
  std::shared_ptr<Origin> origin;
  const std::unique_ptr<Task> task = load_task(o.model, &saved, open_options(o.opening), &origin);
  if (origin) print_origin_notes(*origin);
  set_threshold(*task, o.threshold, "predict");
  if (o.no_calibration) drop_calibration(*task);
  return o.tensor.empty() ? predict_files(*task, saved, o) : predict_tensor(*task, o);
}

}  // namespace

void add_predict(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "predict", "Say what is on pictures");
  command.option(
      "files", o->files,
      "PNG, JPEG, WebP, BMP, PGM or PPM pictures, folders of them, or -: names on standard input, one a line; with --index IDX "
      "files or data sets");
  command.option("--model", o->model, kModelHelp).required();
  add_model_flags(command, o->opening);
  command.option("--index", o->index,
                 "The picture of this number: of an IDX file, or of the part to test on of a folder or list");
  command.option("--precision", o->precision,
                 "f32, or bf16: operands of the products of linear layers and attention rounded (f32)");
  command.option("--top", o->top, "How many classes to print at most (3; of a multi-label model all above the threshold)", 1,
                 1000000);
  command.flag("--no-calibration", o->no_calibration,
               "Leave the temperature and the \"unknown\" of vitrail calibrate out: probabilities as the model gives them");
  command.option("--threshold", o->threshold, kThresholdHelp);
  command.flag("--tta", o->tta,
               "Mean of the probabilities of five views: the usual one, and the four corners of the picture 8/7 as large");
  command.option(
      "--tta-mirror", o->tta_mirror,
      "true, false: with --tta these and the same mirrored, ten views (true if the model was trained on mirrored pictures)");
  command.flag("--json", o->format.json, "Machine-readable output");
  command.flag("--csv", o->format.csv, "A table: file, class and probability of each answer, error");
  command.flag("--logits", o->format.logits, "With --json or --csv: the model's outputs before softmax");
  command
      .option("--tensor", o->tensor,
              "Instead of pictures: a safetensors file whose tensor \"input\" is [B, C, H, W], normalised")
      .type("FILE");
  command.option("--out", o->out, "With --tensor: where the tensor \"logits\" is written").type("FILE");
  command.footer("Example: vitrail predict --model runs/photos picture.jpg");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
