#include "train/report/run_report.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>

#include "base/file.h"
#include "base/html.h"
#include "data/loader.h"
#include "tensor/machine/probe.h"
#include "tensor/ops.h"
#include "train/config_fields.h"
#include "train/progress.h"
#include "train/report/answers.h"
#include "train/report/curves.h"
#include "train/report/look.h"
#include "train/report/pictures.h"

namespace vitrail::report {

namespace {

constexpr int64_t kTrainingSamples = 24;
// A page may take a twentieth of the time.
constexpr double kRest = 20;

std::string section(const char* title, const std::string& content) {
  return content.empty() ? "" : cat("<section><h2>", title, "</h2>\n", content, "</section>\n");
}

std::string tile(const std::string& name, const std::string& value, const std::string& below = "") {
  return cat("<div class=\"tile\"><span>", html_escaped(name), "</span><b>", html_escaped(value), "</b><span>",
             html_escaped(below), "</span></div>\n");
}

std::string utc_now() {
  char text[32] = "";
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  if (gmtime_r(&now, &utc)) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc);
  return text;
}

std::string text_of(const std::string& value) { return value; }
std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(double value) { return cat(value); }
std::string text_of(int64_t value) { return cat(value); }
std::string text_of(uint64_t value) { return cat(value); }
std::string text_of(const std::vector<int64_t>& values) {
  std::string text;
  for (const int64_t value : values) text += cat(text.empty() ? "" : ", ", value);
  return text.empty() ? "none" : text;
}

// A file of an earlier part of this run; what is damaged is begun anew.
StepCurve curve_in(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return StepCurve();
  try {
    return StepCurve::parse(read_text_file(path), path);
  } catch (const Error&) {
    return StepCurve();
  }
}

// The epoch whose value is the best, for tests that were made.
const MetricsRow* best_row(const std::vector<MetricsRow>& rows, const std::string& name, bool larger) {
  const MetricsRow* best = nullptr;
  for (const MetricsRow& row : rows) {
    const std::optional<double> value = row.find(name);
    if (value && (!best || (larger ? *value > *best->find(name) : *value < *best->find(name)))) best = &row;
  }
  return best;
}

// The classes of a picture: "cat, dog"; "" if it has none.
std::string names_of(const std::vector<int64_t>& labels, const std::vector<std::string>& names) {
  std::string text;
  for (const int64_t label : labels)
    if (label >= 0 && label < static_cast<int64_t>(names.size()))
      text += (text.empty() ? "" : ", ") + names[static_cast<size_t>(label)];
  return text;
}

}  // namespace

Facts recipe_facts(const TrainConfig& config) {
  Facts facts;
  for_each_field(config, [&](const char* name, const auto& value, auto, const char*, const char*) {
    facts.emplace_back(name, text_of(value));
  });
  return facts;
}

std::string facts_table(const Facts& facts) {
  std::string html = "<div class=\"wide\"><table><tbody>\n";
  for (const auto& [name, value] : facts)
    html += cat("<tr><th>", html_escaped(name), "</th><td>", html_escaped(value), "</td></tr>\n");
  return html + "</tbody></table></div>\n";
}

RunReport::RunReport(RunReportOptions options, Task& task, DatasetPtr train, DatasetPtr test, const TrainConfig& config)
    : options_(std::move(options)),
      task_(task),
      train_(std::move(train)),
      test_(std::move(test)),
      config_(config),
      curve_(options_.goes_on ? curve_in(options_.folder + "/" + kCurveFile) : StepCurve()) {
  std::error_code error;
  const std::string metrics = options_.folder + "/" + kMetricsFile;
  if (options_.goes_on && std::filesystem::is_regular_file(metrics, error)) run_.rows = read_metrics(metrics);
  read_description(options_.folder, run_);
  if (test_) run_.tested = result_name(test_->info());
}

void RunReport::add(const EpochReport& report) {
  put_row(run_.rows, metrics_row(report));
  if (report.test && report.test->details) details_ = report.test->details, details_epoch_ = report.epoch;
  const double since = std::chrono::duration<double>(Clock::now() - last_written_).count();
  if (last_seconds_ == 0 || since > kRest * last_seconds_) write();
}

void RunReport::finish(const std::string& state) {
  state_ = state;
  if (!run_.rows.empty()) write();
}

void RunReport::write() {
  const Clock::time_point start = Clock::now();
  write_file_atomically(options_.folder + "/" + kCurveFile, curve_.csv());
  write_file_atomically(path(), page());
  last_written_ = Clock::now();
  last_seconds_ = std::chrono::duration<double>(last_written_ - start).count();
  seconds_ += last_seconds_;
}

std::string RunReport::page() {
  run_.curve = curve_.points();
  std::string body = "<main>\n" + header() + tiles() + section("Curves", curves()) + answers();
  body += section("What the model learns from", training_samples());
  body += section("Configuration", configuration()) + "</main>\n";
  return html_page(options_.title, body, kStyle, kScript);
}

std::string RunReport::header() const {
  const MetricsRow& last = run_.rows.back();
  std::string state = html_escaped(state_);
  if (state_.empty()) {
    // As often as there is something new, within reason.
    const double epoch = last.find("seconds").value_or(0) / static_cast<double>(std::max<int64_t>(1, last.epoch));
    const auto reload = static_cast<int64_t>(std::clamp(std::isfinite(epoch) ? epoch : 10.0, 5.0, 60.0));
    state = cat("<b class=\"live\" data-reload=\"", reload, "\">running</b>");
    if (options_.updates > 0)
      state += cat(", ", percent(static_cast<double>(last.step) / static_cast<double>(options_.updates)), " done");
  }
  return cat("<header><h1>", html_escaped(options_.title), "</h1><p class=\"faint\">", state, " \xc2\xb7 epoch ", last.epoch,
             " of ", config_.epochs, ", update ", shown(static_cast<double>(last.step)), " \xc2\xb7 written ", utc_now(),
             "</p></header>\n");
}

std::string RunReport::tiles() const {
  std::string html = "<div class=\"tiles\">\n";
  const auto text = [&](const std::string& score, double value) {
    return is_part(score, run_.rows) ? percent(value) : shown(value);
  };
  std::vector<std::string> names = score_names(run_.rows);
  std::stable_partition(names.begin(), names.end(), [&](const std::string& score) { return is_part(score, run_.rows); });
  for (const std::string& score : names) {
    const MetricsRow* tested = run_.last_with("test_" + score);
    if (!tested) continue;
    const MetricsRow* best = best_row(run_.rows, "test_" + score, is_part(score, run_.rows));
    html += tile(capital(run_.tested) + " " + lower_label(score), text(score, *tested->find("test_" + score)),
                 best ? cat("best ", text(score, *best->find("test_" + score)), " in epoch ", best->epoch) : "");
  }
  for (const std::string& score : names) {
    const MetricsRow* clean = score == "loss" ? nullptr : run_.last_with("clean_" + score);
    if (!clean) continue;
    const std::optional<double> train = clean->find("train_" + score);
    html += tile("Training images, clean", text(score, *clean->find("clean_" + score)),
                 train ? cat("as trained: ", text(score, *train)) : score_label(score));
    break;
  }
  if (details_ && details_->calibration)
    html += tile("Calibration error", percent(details_->calibration->error()), "mean distance of confidence and accuracy");
  const MetricsRow& last = run_.rows.back();
  html += tile("Throughput", shown(std::round(last.find("images_per_second").value_or(0))), "images per second of training");
  html += tile("Time", format_duration(last.find("seconds").value_or(0)), "with tests");
  return html + "</div>\n";
}

std::string RunReport::curves() const {
  std::string html = charts_html(charts_of(run_));
  if (run_.last_with("clean_loss"))
    html += cat("<p class=\"faint\">Why training may look worse than ", run_.tested,
                ": its numbers are taken while the weights still change, from "
                "pictures that are augmented, with dropout and smoothed labels. <b>Clean</b> is the model after the epoch on ",
                shown(run_.last_with("clean_images") ? run_.last_with("clean_images")->find("clean_images").value_or(0) : 0),
                " of the same training images as they are. Clean far above ", run_.tested, " means overfitting.</p>\n");
  return html + "<details><summary>The numbers of each epoch</summary>\n" + epochs_table(run_) + "</details>\n";
}

std::string RunReport::answers() {
  if (!details_) return "";
  std::string html;
  if (details_->confusion) {
    html += section("Confusions", confusion_html(*details_));
    html += section("Classes", classes_html(*details_));
  }
  if (!details_->labels.empty()) html += section("Classes", labels_html(*details_));
  if (details_->calibration) html += section("Calibration", calibration_html(*details_->calibration));
  std::map<int64_t, std::string> before;
  before.swap(images_);
  const auto load = [&](const std::vector<RankedSample>& samples) {
    for (const RankedSample& sample : samples) {
      const auto known = before.find(sample.index);
      if (known != before.end()) {
        images_[sample.index] = known->second;
        continue;
      }
      try {
        images_[sample.index] = thumbnail(test_->sample(sample.index).image, sample.truth);
      } catch (const Error&) {
        // A file that went away meanwhile, or channels that no screen has: the words remain.
      }
    }
  };
  load(details_->worst), load(details_->best);
  html += ranked("Worst mistakes", "Wrong answers, the largest loss first. Some may be wrong labels.", details_->worst);
  html += ranked("Best hits", "Right answers: the surest of each class.", details_->best);
  if (details_epoch_ != run_.rows.back().epoch)
    html += cat("<p class=\"faint\">Of the test after epoch ", details_epoch_, ".</p>\n");
  return html;
}

std::string RunReport::ranked(const char* title, const std::string& text, const std::vector<RankedSample>& samples) {
  if (samples.empty()) return "";
  std::string html = cat("<p class=\"faint\">", text, "</p>\n<div class=\"pictures\">\n");
  for (const RankedSample& sample : samples) {
    const std::string answer =
        sample.answer == sample.truth
            ? cat("<b>", html_escaped(sample.truth), "</b>")
            : cat("<b>", html_escaped(sample.truth), "</b> taken for <b class=\"bad\">", html_escaped(sample.answer), "</b>");
    html += cat("<figure", title_of(sample.index), ">", images_[sample.index], "<figcaption>", answer, "<br>",
                percent(sample.confidence), " sure<br>loss ", shown(sample.loss), "<br>", place_of(sample.index),
                "</figcaption></figure>\n");
  }
  return section(title, html + "</div>\n");
}

// Pictures from files are found by their names: the last two parts below the picture, the whole path where the pointer rests.
std::string RunReport::place_of(int64_t index) const {
  if (!test_->reads_files()) return cat(run_.tested, " \xe2\x84\x96 ", index);
  const std::filesystem::path path(test_->sample_name(index));
  return html_escaped((path.parent_path().filename() / path.filename()).string());
}

std::string RunReport::title_of(int64_t index) const {
  return test_->reads_files() ? cat(" title=\"", html_escaped(test_->sample_name(index)), "\"") : "";
}

const std::string& RunReport::training_samples() {
  if (!training_samples_.empty()) return training_samples_;
  const int64_t count = std::min({kTrainingSamples, config_.batch_size, train_->size()});
  // The loader of the run but for the size of the batch: the first pictures of its first epoch, as the model saw them.
  Loader loader = make_loader(task_, train_, {.batch_size = count, .seed = config_.seed, .train = true});
  const Batch batch = loader.batch(0, 0);
  std::string html =
      "<p class=\"faint\">The first training images of the first epoch as the model saw them: resized, augmented, normalised "
      "and back.</p>\n<div class=\"pictures\">\n";
  const Preprocessing preprocessing = task_.card().preprocessing;
  const std::vector<std::string>& names = train_->class_names();
  for (int64_t i = 0; i < batch.size(); ++i) {
    const std::string name = names_of(train_->labels(batch.indices[static_cast<size_t>(i)]), names);
    try {
      html += cat("<figure>", thumbnail(denormalized(select(batch.images, 0, i), preprocessing), name), "<figcaption>",
                  html_escaped(name), "</figcaption></figure>\n");
    } catch (const Error&) {
      return training_samples_ = "<p class=\"faint\">Images of these channels cannot be shown.</p>\n";
    }
  }
  return training_samples_ = html + "</div>\n";
}

std::string RunReport::configuration() const {
  Facts machine = run_.about;
  machine.emplace_back("peak memory", cat(shown(std::round(static_cast<double>(peak_resident_bytes()) / 1e6)), " MB"));
  machine.emplace_back("time spent on this page", cat(shown(seconds_), " s so far"));
  return "<div class=\"beside\"><div><h3>Run and machine</h3>" + facts_table(machine) + "</div><div><h3>Recipe</h3>" +
         facts_table(recipe_facts(config_)) + "</div></div>\n";
}

}  // namespace vitrail::report
