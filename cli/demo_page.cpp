#include "cli/demo_page.h"

#include <cstdio>
#include <filesystem>

#include "base/file.h"
#include "base/html.h"
#include "base/text.h"
#include "data/image/image.h"
#include "models/explain/page.h"
#include "models/weights/save.h"
#include "tensor/ops.h"
#include "tensor/ops/resize.h"
#include "train/report/chart.h"
#include "train/report/look.h"
#include "train/task/classification.h"

namespace vitrail::cli {

namespace {

using namespace models::explain;

constexpr int64_t kScale = 6;  // of the pictures on the page, which have 28 pixels a side
constexpr size_t kShown = 2;

Tensor enlarged(const Tensor& picture) {
  ResizeOptions options;
  options.mode = Interpolation::kNearest;
  return to(resize(to(picture, Dtype::f32), kScale * picture.size(1), kScale * picture.size(2), options), Dtype::u8);
}

std::string figure(const Tensor& picture, const std::string& caption) {
  return cat("<figure><img alt=\"", html_escaped(caption), "\" src=\"", png_data_uri(encode_png(picture)), "\"><figcaption>",
             html_escaped(caption), "</figcaption></figure>\n");
}

ShownLetter shown_letter(const DemoStory& story, const LoadedModel& loaded, const Sample& sample, const std::string& name) {
  const Preprocessing& p = loaded.card.preprocessing;
  const Encoder encoder = encoder_of(*loaded.model, {p.height, p.width});
  const Tensor fitted = fit(sample.image, p);
  const SeenPart seen = seen_part(p, sample.image.size(1), sample.image.size(2));
  const Explanation e = explain(encoder, fitted, p);
  ShownLetter letter{.name = name, .answer = "", .page = cat("attention-", name, ".html"), .figure = ""};
  char percent[32];
  const auto target = static_cast<size_t>(e.record.target);
  std::snprintf(percent, sizeof percent, " %.1f %%", 100 * e.probabilities[target]);
  letter.answer = loaded.card.class_names[target] + percent;
  const std::string path = story.folder + "/" + letter.page;
  check_page_target("demo", path);
  write_file_atomically(
      path, explanation_page(encoder, e,
                             {cat("the letter ", name), story.model, loaded.card.class_names, sample.image, fitted, seen, {}}));
  const Tensor large = enlarged(sample.image);
  letter.figure = figure(large, cat(name, "; the model says ", letter.answer));
  for (const ExplainedMap& map : e.maps) letter.figure += figure(overlay(large, map.map, seen), describe(map.method));
  return letter;
}

const report::TransferRow* row_of(const DemoStory& story, const char* method) {
  for (const report::TransferRow& row : story.rows)
    if (row.method == method) return &row;
  return nullptr;
}

std::string gain(const DemoStory& story) {
  const report::TransferRow *full = row_of(story, "full"), *scratch = row_of(story, "scratch");
  if (!full || !scratch) return "";
  return cat("<p>Trained further from the digits, the model is right on ", report::percent(full->accuracy),
             " of letters that it has not seen; the same architecture from new weights, with three times the updates, on ",
             report::percent(scratch->accuracy), ".</p>\n");
}

std::string links(const DemoStory& story) {
  std::string list = "<li><a href=\"digits/report.html\">the training on digits</a></li>\n";
  for (const report::TransferRow& row : story.rows)
    if (!row.folder.empty())
      list += cat("<li><a href=\"letters/", html_escaped(row.folder), "/report.html\">letters: ", html_escaped(row.method),
                  "</a></li>\n");
  for (const ShownLetter& letter : story.shown)
    list += cat("<li><a href=\"", html_escaped(letter.page), "\">the letter ", html_escaped(letter.name),
                ": what each patch attends to, in every layer and head</a></li>\n");
  return cat("<h2>More</h2>\n<ul>\n", list, "</ul>\n");
}

}  // namespace

void check_can_look(models::Classifier& model) { encoder_of(model, {model.img_height(), model.img_width()}); }

void check_no_ladder(const std::string& folder) {
  check(!std::filesystem::exists(folder + "/transfer.json"), ErrorKind::kValue, "demo", escaped_path(folder),
        " holds results already. Hint: --force replaces them, or another --out.");
}

void show_letters(DemoStory& story, const Dataset& letters) {
  const LoadedModel loaded = load_model(story.model);
  int64_t first = -1;
  for (int64_t i = 0; i < letters.size() && story.shown.size() < kShown; ++i) {
    if (letters.label(i) == first) continue;
    const Sample sample = letters.sample(i);
    first = sample.target.label;
    if (story.shown.empty()) write_png(story.folder + "/picture.png", sample.image);
    story.shown.push_back(shown_letter(story, loaded, sample, letters.class_names()[static_cast<size_t>(first)]));
  }
}

std::string demo_page(const DemoStory& story) {
  constexpr const char* kTitle = "From digits to letters";
  std::string body = cat("<h1>", kTitle, "</h1>\n<h2>Digits</h2>\n<p>A small Transformer has learnt ", story.digits,
                         " drawn digits: right on ", report::percent(story.digits_accuracy),
                         " of those that it has not seen.</p>\n<h2>Letters</h2>\n<p>Then ten letters, ", story.letters,
                         " pictures of each. What is best to do with a model that knows digits?</p>\n");
  body += report::transfer_rows_html(story.rows) + gain(story);
  body += "<h2>Where it looked</h2>\n";
  for (const ShownLetter& letter : story.shown) body += cat("<div class=\"letter\">", letter.figure, "</div>\n");
  body += links(story);
  const std::string css =
      cat(report::kStyle, ".letter{display:flex;flex-wrap:wrap;gap:1rem}.letter img{width:168px;height:168px;",
          "image-rendering:pixelated}.letter figcaption{max-width:168px}");
  return html_page(kTitle, body, css, report::kScript);
}

}  // namespace vitrail::cli
