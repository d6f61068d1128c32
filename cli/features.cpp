// vitrail features.
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/data_options.h"
#include "cli/input_tensor.h"
#include "cli/model_options.h"
#include "cli/pictures.h"
#include "models/weights/formats/npy.h"
#include "models/weights/save.h"
#include "tensor/machine/parallel.h"
#include "tensor/precision.h"
#include "train/probe/features.h"

namespace vitrail::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  ModelFlags opening;
  std::string model, out, data, split = "test", tensor, precision = "f32";
  DataFlags data_files;
  int64_t limit = 0, threads = 0, workers = 0;
};

// What is written: row i of the features belongs to names[i] and labels[i], where there are any.
struct Rows {
  Tensor features;
  std::vector<std::string> names;
  std::vector<int64_t> labels;
  std::vector<std::string> class_names;
};

Split split_named(const std::string& name) {
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest})
    if (name == name_of(split)) return split;
  fail(ErrorKind::kValue, "features", "--split must be test, val or train: it is ", quote(name), ".");
}

Rows of_data(const Options& o, const LoadedModel& loaded) {
  const Split split = split_named(o.split);
  DatasetOptions options = dataset_options(o.data_files);
  options.decode = decode_options(loaded.card.preprocessing);
  if (o.data != "scenes") options.image_size = loaded.card.preprocessing.height;
  const DatasetSource source = open_source(o.data, options);
  print_notes(source);
  DatasetPtr data = source.open(split);
  if (o.limit > 0) data = limited(data, o.limit);
  FeatureSet set =
      extract_features(*loaded.model, data, loaded.card.preprocessing, {.workers = o.workers, .progress = progress_lines()});
  if (data->info().multi_label) {
    complain("note: the pictures have any number of labels: they are left out, and files names the rows");
    set.labels.clear();
  }
  Rows rows{std::move(set.features), {}, std::move(set.labels), data->class_names()};
  for (int64_t i = 0; i < data->size(); ++i) rows.names.push_back(data->sample_name(i));
  return rows;
}

Rows of_files(const Options& o, const LoadedModel& loaded) {
  const std::vector<std::string> files = picture_paths("features", o.files);
  check(!files.empty(), ErrorKind::kValue, "features", "standard input names no picture.");
  std::vector<ReadPicture> skipped;
  const bool skip = o.data_files.bad_image == "skip";
  Rows rows{features_of_files(*loaded.model, files, loaded.card.preprocessing, skip ? &skipped : nullptr), {}, {}, {}};
  check(rows.features.defined(), ErrorKind::kData, "features", "none of the ", files.size(), " pictures can be read.");
  size_t next = 0;
  for (const std::string& file : files) {
    if (next < skipped.size() && skipped[next].file == file) {
      complain(cat("left out: ", skipped[next++].error->what()));
    } else {
      rows.names.push_back(file);
    }
  }
  return rows;
}

Rows of_tensor(const Options& o, const LoadedModel& loaded) {
  const Tensor input = read_input_tensor("features", o.tensor, *loaded.model);
  match_dtype(*loaded.model, input);
  return {features_of(*loaded.model, input), {}, {}, {}};
}

void write(const Options& o, const Rows& rows) {
  if (o.out.ends_with(".npy")) return save_npy(o.out, rows.features);
  constexpr size_t kMostText = size_t{8} << 20;  // the header of a safetensors file is bounded
  SafetensorsFile file;
  file.tensors.emplace_back("features", rows.features);
  if (!rows.labels.empty())
    file.tensors.emplace_back("labels", from_vector(rows.labels, {static_cast<int64_t>(rows.labels.size())}));
  const auto list = [&](const char* key, const std::vector<std::string>& words) {
    JsonWriter json;
    json.value(words);
    if (words.empty()) return;
    if (json.text().size() <= kMostText) {
      file.metadata.emplace_back(key, json.text());
    } else {
      complain(cat("note: the names of ", words.size(),
                   " pictures are too long for the header and are left out: rows are in their order"));
    }
  };
  list("class_names", rows.class_names);
  list("files", rows.names);
  save_safetensors(o.out, file);
}

int run(const Options& o) {
  if (o.threads != 0) set_num_threads(static_cast<int>(o.threads));
  const int sources = !o.files.empty() + !o.data.empty() + !o.tensor.empty();
  check(sources == 1, ErrorKind::kValue, "features", "needs pictures, --data or --tensor, one of the three: ", sources,
        " are given.");
  check(o.out.ends_with(".safetensors") || o.out.ends_with(".npy"), ErrorKind::kValue, "features",
        "--out must end in .safetensors or .npy: it is ", quote(o.out, kMaxPath), ".");
  const LoadedModel loaded = load_model(o.model, open_options(o.opening));
  if (loaded.origin) print_origin_notes(*loaded.origin);
  const PrecisionGuard precision(precision_from_name(o.precision));
  const Rows rows = !o.tensor.empty() ? of_tensor(o, loaded) : !o.data.empty() ? of_data(o, loaded) : of_files(o, loaded);
  write(o, rows);
  std::printf("%s: features %s\n", escaped_path(o.out).c_str(), cat(rows.features.shape()).c_str());
  return 0;
}

}  // namespace

void add_features(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "features", "Write what a model makes of pictures before its head");
  command.option("files", o->files, "Pictures, folders of them, or -: names on standard input, one a line");
  command.option("--model", o->model, kModelHelp).required();
  add_model_flags(command, o->opening);
  command
      .option("--out", o->out,
              "FILE.safetensors: \"features\" [N, D], with --data also \"labels\"; FILE.npy: the features alone")
      .required();
  command.option("--data", o->data, kDataHelp);
  command.option("--split", o->split, "Of --data: test, val or train (test)");
  add_data_flags(command, o->data_files);
  command
      .option("--tensor", o->tensor,
              "Instead of pictures: a safetensors file whose tensor \"input\" is [B, C, H, W], normalised")
      .type("FILE");
  command.option("--limit", o->limit, "Only N images of --data: the first, of folders and lists evenly spread", 0, kMaxImages);
  command.option("--precision", o->precision,
                 "f32, or bf16: operands of the products of linear layers and attention rounded (f32)");
  command.option("--workers", o->workers, "Threads that decode pictures of --data ahead (0)", 0, 256);
  command.option("--threads", o->threads, "Processors to use (all)", 0, kMaxThreads);
  command.footer("Example: vitrail features --model runs/photos --out features.safetensors holiday/*.jpg");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
