// vitrail explain: where a model looked.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <numeric>

#include "base/file.h"
#include "base/html.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/picture_input.h"
#include "data/picture_warnings.h"
#include "models/explain/page.h"
#include "models/weights/save.h"
#include "tensor/ops.h"

namespace vitrail::cli {
namespace {

using namespace models::explain;
namespace fs = std::filesystem;

struct Options {
  std::string file, model, out = "explain", fusion = "mean";
  std::optional<std::string> class_name, method, layers;
  std::optional<double> discard;
  std::optional<int64_t> index;
  int64_t steps = 20;
  bool heads = false, json = false;
  ModelFlags model_flags;
};

HeadFusion fusion_from_name(const std::string& name) {
  if (name == "mean") return HeadFusion::kMean;
  if (name == "max") return HeadFusion::kMax;
  check(name == "min", ErrorKind::kValue, "explain", "--fusion must be mean, max or min: it is ", escaped(name), ".");
  return HeadFusion::kMin;
}

int64_t class_of(const std::string& name, const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    const std::string near = nearest(name, names);
    fail(ErrorKind::kValue, "explain", "the model has no class ", quote(name), ": it has ", listed(names),
         ". Hint: ", near.empty() ? "vitrail info lists the classes of a model." : cat("did you mean ", quote(near), "?"));
  }
  return found - names.begin();
}

// "1,6,12", counted from 1, as layers counted from 0.
std::vector<int64_t> layers_of(const std::string& text) {
  std::vector<int64_t> layers;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    layers.push_back(parse_integer("explain", "--layers", text.substr(at, end - at), 1, models::kMaxDepth) - 1);
    at = end + 1;
  }
  return layers;
}

ExplainOptions explain_options(const Options& o, const ModelCard& card) {
  ExplainOptions options;
  if (o.method) options.methods = {method_from_name(*o.method)};
  options.rollout.fusion = fusion_from_name(o.fusion);
  if (o.discard) {
    check(*o.discard >= 0 && *o.discard < 1, ErrorKind::kValue, "explain", "--discard must be in [0, 1): it is ", *o.discard,
          ".");
    options.rollout.discard = *o.discard;
  }
  if (o.class_name) options.target = class_of(*o.class_name, card.class_names);
  options.steps = o.steps;
  return options;
}

// The picture for the model, and the same at its own resolution: a record may ask to decode large JPEG files at a fraction.
struct Pictures {
  Tensor own, decoded;
  std::vector<std::string> warnings;
};
Pictures read_pictures(const Options& o, const Preprocessing& preprocessing) {
  const DecodeOptions options = decode_options(preprocessing);
  DecodeOptions whole = options;
  whole.min_side = 0;
  Pictures p;
  std::string note;
  p.decoded = read_picture(o.file, o.index, options, &note);
  p.own = options.min_side > 0 && !o.index ? read_picture(o.file, o.index, whole, nullptr) : p.decoded;
  p.warnings = picture_warnings(p.decoded, preprocessing, note);
  return p;
}

// The files that are written, in their order.
class Output {
 public:
  explicit Output(const Options& o) : folder_(o.out), source_(o.file) {
    std::error_code error;
    fs::create_directories(folder_, error);
    check(!error, ErrorKind::kIo, "explain", escaped_path(folder_), ": the folder cannot be made: ", error.message(), ".");
  }
  void picture(const std::string& name, const Tensor& picture) {
    const std::string path = folder_ + "/" + name;
    std::error_code error;
    check(!fs::equivalent(path, source_, error), ErrorKind::kValue, "explain", escaped_path(path),
          ": this is the picture itself, which would be replaced. Hint: another folder for --out.");
    fs::create_directories(fs::path(path).parent_path(), error);
    write_png(path, picture);
    files_.push_back(path);
  }
  void page(const std::string& text) {
    const std::string path = folder_ + "/explain.html";
    check_page_target("explain", path);
    write_file_atomically(path, text);
    files_.push_back(path);
  }
  const std::vector<std::string>& files() const { return files_; }

 private:
  std::string folder_, source_;
  std::vector<std::string> files_;
};

// What the pooled tokens attend to in each layer and head, one picture each.
void write_heads(Output& output, const Encoder& encoder, const Explanation& e, const Tensor& picture, const SeenPart& seen) {
  const Tensor& attention = e.record.attention;
  for (int64_t layer = 0; layer < attention.size(0); ++layer)
    for (int64_t head = 0; head < attention.size(1); ++head) {
      const Tensor matrix = select(select(attention, 0, layer), 0, head);
      char name[64];
      std::snprintf(name, sizeof name, "heads/layer-%02d-head-%02d.png", static_cast<int>(layer + 1),
                    static_cast<int>(head + 1));
      output.picture(name, overlay(picture, patch_map(matrix, e.record.shares, encoder.prefix(), encoder.grid), seen));
    }
}

std::vector<int64_t> most_probable(const Explanation& e) {
  std::vector<int64_t> order(e.probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return e.probabilities[a] > e.probabilities[b]; });
  order.resize(std::min<size_t>(order.size(), 3));
  return order;
}

void print_text(const Options& o, const Explanation& e, const std::vector<std::string>& names, const Output& output) {
  std::string line;
  const auto answer = [&](int64_t i) {
    char percent[32];
    std::snprintf(percent, sizeof percent, " %.1f %%", 100 * e.probabilities[static_cast<size_t>(i)]);
    return escaped(names[static_cast<size_t>(i)]) + percent;
  };
  for (const int64_t i : most_probable(e)) line += (line.empty() ? "" : ", ") + answer(i);
  std::printf("%s: %s\nexplained: %s\n", escaped_path(o.file).c_str(), line.c_str(), answer(e.record.target).c_str());
  if (e.random) {
    std::printf("%-10s %9s %9s\n", "", "deletion", "insertion");
    for (const ExplainedMap& map : e.maps)
      std::printf("%-10s %9.3f %9.3f  %s\n", name_of(map.method), map.scores->deletion.area, map.scores->insertion.area,
                  verdict(*map.scores, *e.random).c_str());
    std::printf("%-10s %9.3f %9.3f  mean of %zu orders\n", "random", e.random->mean.deletion.area,
                e.random->mean.insertion.area, e.random->deletion_areas.size());
  }
  for (const std::string& file : output.files()) std::printf("written: %s\n", escaped_path(file).c_str());
}

void curve_to_json(JsonWriter& json, const char* name, const Curve& curve) {
  json.key(name).begin_object().field("area", curve.area).field("share", curve.share).field("probability", curve.probability);
  json.end_object();
}

void print_json(const Options& o, const Encoder& encoder, const Explanation& e, const std::vector<std::string>& names,
                const std::vector<std::string>& warnings, const Output& output) {
  JsonWriter json(2);
  json.begin_object().field("file", o.file).key("predictions").begin_array();
  for (const int64_t i : most_probable(e))
    json.begin_object()
        .field("class", names[static_cast<size_t>(i)])
        .field("index", i)
        .field("probability", e.probabilities[static_cast<size_t>(i)])
        .end_object();
  json.end_array().field("explained", names[static_cast<size_t>(e.record.target)]);
  json.field("grid", std::vector<int64_t>{encoder.grid.h, encoder.grid.w}).key("maps").begin_array();
  for (const ExplainedMap& map : e.maps) {
    json.begin_object().field("method", std::string(name_of(map.method))).field("map", to_vector<double>(map.map));
    if (map.scores) {
      curve_to_json(json, "deletion", map.scores->deletion), curve_to_json(json, "insertion", map.scores->insertion);
      json.field("verdict", verdict(*map.scores, *e.random));
    }
    json.end_object();
  }
  json.end_array();
  if (e.random) {
    json.key("random").begin_object();
    json.field("deletion_areas", e.random->deletion_areas).field("insertion_areas", e.random->insertion_areas).end_object();
  }
  json.key("attention_distance").begin_array();
  for (int64_t layer = 0; layer < e.distances.size(0); ++layer) json.value(to_vector<double>(select(e.distances, 0, layer)));
  json.end_array().field("warnings", warnings).field("written", output.files()).end_object();
  std::printf("%s\n", json.text().c_str());
}

int run(const Options& o) {
  const std::vector<int64_t> layers = o.layers ? layers_of(*o.layers) : std::vector<int64_t>{};
  const LoadedModel loaded = load_model(o.model, open_options(o.model_flags));
  if (loaded.origin) print_origin_notes(*loaded.origin);
  const ModelCard& card = loaded.card;
  const Preprocessing& p = card.preprocessing;
  Encoder encoder = encoder_of(*loaded.model, {p.height, p.width});
  encoder.multi_label = card.task == kMultiLabel;
  const ExplainOptions options = explain_options(o, card);
  const Pictures pictures = read_pictures(o, p);
  for (const std::string& warning : pictures.warnings) complain(cat("note: ", escaped_path(o.file), ": ", warning));
  const auto depth = static_cast<int64_t>(encoder.blocks.size());
  const PageSelection selection = select_for_page({depth, encoder.heads(), encoder.tokens(), encoder.tokens()}, layers);
  if (!selection.note.empty()) complain("note: " + selection.note + ".");

  Output output(o);
  const Tensor fitted = fit(pictures.decoded, p);
  const SeenPart seen = seen_part(p, pictures.decoded.size(1), pictures.decoded.size(2));
  const Explanation e = explain(encoder, fitted, p, options);
  output.page(explanation_page(encoder, e,
                               {fs::path(o.file).filename().string() + (o.index ? cat(" ", *o.index) : ""), o.model,
                                card.class_names, pictures.own, fitted, seen, layers}));
  for (const ExplainedMap& map : e.maps) output.picture(cat(name_of(map.method), ".png"), overlay(pictures.own, map.map, seen));
  if (o.heads) write_heads(output, encoder, e, pictures.own, seen);
  if (o.json) {
    print_json(o, encoder, e, card.class_names, pictures.warnings, output);
  } else {
    print_text(o, e, card.class_names, output);
  }
  return 0;
}

}  // namespace

void add_explain(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "explain", "Where a model looked on a picture, as pictures and a page");
  command.option("image", o->file, "PNG, JPEG, WebP, BMP, PGM or PPM picture; with --index an IDX file or a data set")
      .required();
  command.option("--model", o->model, cat(kModelHelp, "; a vit or cct")).required();
  command.option("--out", o->out, "Folder for explain.html and one overlay per method (explain)");
  command.option("--class", o->class_name, "Explain this class (the most probable one)");
  command.option("--method", o->method, "rollout, gradient or attention (all three)");
  command.option("--fusion", o->fusion, "How rollout joins the heads of a layer: mean, max or min (mean)");
  command.option("--discard", o->discard, "Share of each row's attention entries that rollout ignores, the smallest (0)");
  command.option("--layers", o->layers, "Layers whose attention the page holds: 1,6,12 (all that fit into 8 MB)");
  command.option("--steps", o->steps, "Points of the deletion and insertion curves; 0: none (20)", 0, 1000);
  command.option("--index", o->index, "The picture of this number: of an IDX file, or of the part to test on of a data set");
  command.flag("--heads", o->heads, "Also one overlay for each layer and head, in the folder heads/");
  command.flag("--json", o->json, "Machine-readable output");
  add_model_flags(command, o->model_flags);
  command.footer("Example: vitrail explain --model runs/photos picture.jpg --out explained");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
