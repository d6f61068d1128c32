// vitrail convert: a model in the words of another library.
#include <cstdio>
#include <memory>

#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "models/weights/export/export.h"
#include "models/weights/export/onnx_graph.h"

namespace vitrail::cli {

namespace {

struct Options {
  std::string source, to, out;
  weights::ExportOptions how;
  ModelFlags model;
  bool force = false;
};

int convert(const Options& o) {
  weights::check_destination(o.to, o.out, o.force);
  LoadedModel loaded = load_model(o.source, open_options(o.model));
  if (loaded.origin) {
    print_origin_notes(*loaded.origin);
    if (!loaded.origin->unused.empty())
      complain(cat("note: ", loaded.origin->unused.size(), " tensors of the source are not written, which an image classifier ",
                   "does not use: ", listed(loaded.origin->unused)));
  }
  const weights::ExportReport report = weights::export_model(loaded, o.to, o.out, o.how, o.force);
  for (const std::string& note : report.notes) complain(cat("note: ", note));
  std::printf("%s: %s\nopen it: %s\n", escaped_path(o.out).c_str(), report.what.c_str(), report.open.c_str());
  return 0;
}

}  // namespace

void add_convert(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "convert", "Write a model so that timm, transformers, torchvision or an ONNX runtime opens it");
  command.option("source", o->source, kModelHelp).required();
  command.option("--to", o->to, "timm, hf (transformers), torchvision, vitrail or onnx").required();
  command.option("--out", o->out, "The folder (timm, hf, vitrail) or file (.safetensors, .onnx) to write").required();
  command.option("--opset", o->how.opset, "Of --to onnx: version of the operators", weights::kOldestOpset,
                 weights::kNewestOpset);
  command.flag("--nearest-eps", o->how.nearest_eps,
               "Of --to timm: where it cannot say the model's layer-norm epsilon, write the nearest that it can");
  command.flag("--force", o->force, "Replace what is at --out, if convert wrote it");
  add_model_flags(command, o->model);
  command.footer("Example: vitrail convert runs/photos --to onnx --out photos.onnx");
  command.runs(action, [o] { return convert(*o); });
}

}  // namespace vitrail::cli
