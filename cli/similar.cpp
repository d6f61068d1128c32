// vitrail similar.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/picture_index.h"
#include "cli/pictures.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "train/probe/neighbours.h"

namespace vitrail::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> files;
  ModelFlags opening;
  std::string model, folder, index;
  int64_t top = 5, threads = 0;
  bool json = false;
};

struct Match {
  std::string path;
  double similarity;
};

PictureIndex current_index(const Options& o, const LoadedModel& loaded) {
  const PictureIndex known = o.index.empty() ? PictureIndex{} : read_index(o.index);
  int64_t computed = 0;
  PictureIndex index = index_folder(loaded, o.folder, known, computed);
  if (!o.index.empty()) {
    if (!known.model.empty() && known.model != index.model)
      complain(cat("note: ", escaped_path(o.index), " was made with another model: it is made again"));
    if (computed > 0 || index.files.size() != known.files.size()) write_index(o.index, index);
  }
  return index;
}

bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

// The nearest pictures of one query, itself left out.
std::vector<Match> matches_of(const Options& o, const PictureIndex& index, const Neighbours& found, size_t query) {
  std::vector<Match> matches;
  for (int64_t j = 0; j < found.k && static_cast<int64_t>(matches.size()) < o.top; ++j) {
    const auto at = query * static_cast<size_t>(found.k) + static_cast<size_t>(j);
    const std::string path = (fs::path(o.folder) / index.files[static_cast<size_t>(found.rows[at])].path).string();
    if (!is_same_file(path, o.files[query])) matches.push_back({path, found.cosines[at]});
  }
  return matches;
}

void print(const Options& o, const std::vector<std::vector<Match>>& matches) {
  JsonWriter json(2);
  json.begin_array();
  for (size_t q = 0; q < o.files.size(); ++q) {
    json.begin_object().field("file", o.files[q]).key("similar").begin_array();
    if (!o.json) std::printf("%s\n", escaped_path(o.files[q]).c_str());
    for (const Match& match : matches[q]) {
      json.begin_object().field("file", match.path).field("similarity", match.similarity).end_object();
      if (!o.json) std::printf("  %6.4f  %s\n", match.similarity, escaped_path(match.path).c_str());
    }
    json.end_array().end_object();
  }
  if (o.json) std::printf("%s\n", json.end_array().text().c_str());
}

int run(Options o) {
  if (o.threads != 0) set_num_threads(static_cast<int>(o.threads));
  std::error_code ignored;
  check(fs::is_directory(o.folder, ignored), ErrorKind::kIo, "similar", escaped_path(o.folder), ": --in is no folder.");
  check(o.index.empty() || o.index.ends_with(".safetensors"), ErrorKind::kValue, "similar",
        "--index must end in .safetensors: it is ", quote(o.index, kMaxPath), ".");
  o.files = picture_paths("similar", o.files);
  check(!o.files.empty(), ErrorKind::kValue, "similar", "no picture is named. Hint: vitrail similar --help shows an example.");
  const LoadedModel loaded = load_model(o.model, open_options(o.opening));
  if (loaded.origin) print_origin_notes(*loaded.origin);
  const Tensor queries = unit_rows(features_of_files(*loaded.model, o.files, loaded.card.preprocessing));
  const PictureIndex index = current_index(o, loaded);
  const Neighbours found = nearest_rows(index.features, queries, o.top + 1);
  std::vector<std::vector<Match>> matches;
  for (size_t q = 0; q < o.files.size(); ++q) matches.push_back(matches_of(o, index, found, q));
  print(o, matches);
  return 0;
}

}  // namespace

void add_similar(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "similar", "Find the pictures of a folder that are most like a given one");
  command.option("files", o->files, "Pictures, folders of them, or -: names on standard input, one a line").required();
  command.option("--model", o->model, kModelHelp).required();
  add_model_flags(command, o->opening);
  command.option("--in", o->folder, "The folder to look in, with all folders below").required().type("FOLDER");
  command.option("--top", o->top, "How many to name (5)", 1, 1000000);
  command
      .option("--index", o->index,
              "Where the features of the folder are kept: the next call computes those of new and changed pictures alone")
      .type("FILE");
  command.option("--threads", o->threads, "Processors to use (all)", 0, kMaxThreads);
  command.flag("--json", o->json, "Machine-readable output");
  command.footer("Example: vitrail similar --model runs/photos --in photos --index photos.safetensors holiday.jpg");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
