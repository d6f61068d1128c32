// metrics.jsonl and metrics.csv.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "train/evaluate.h"
#include "train/metrics_log.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

EpochReport report(int64_t epoch, double loss, bool tested = true) {
  EpochReport r;
  r.epoch = epoch, r.step = 10 * epoch, r.train_loss = loss, r.lr = 0.5;
  if (tested) r.test = Evaluation{{{"top1", "top-1", 0.25, ScoreUnit::kPart}}, 20};
  return r;
}

int64_t lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

}  // namespace

TEST_CASE("the rows of an epoch stand as JSON and as a table, and read back to the same numbers") {
  const ScratchFolder folder;
  MetricsLog log(folder.file("metrics.jsonl"));
  log.append(report(1, 0.1));
  log.append(report(2, std::nan("")));
  log.append(report(3, -std::numeric_limits<double>::infinity()));
  const std::string table = content_of(folder.file("metrics.csv"));
  CHECK(table ==
        "epoch,step,train_loss,lr,grad_norm,seconds,images_per_second,test_top1,test_images\n"
        "1,10,0.1,0.5,0.0,0.0,0.0,0.25,20\n2,20,NaN,0.5,0.0,0.0,0.0,0.25,20\n3,30,-Infinity,0.5,0.0,0.0,0.0,0.25,20\n");
  const auto rows = read_metrics(folder.file("metrics.jsonl"));
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].epoch == 1);
  CHECK(rows[0].step == 10);
  CHECK(rows[0].find("train_loss").value() == 0.1);
  CHECK(!rows[0].find("nothing"));
  CHECK(std::isnan(rows[1].find("train_loss").value()));
  CHECK(rows[2].find("train_loss").value() < -1e300);
}

TEST_CASE("a row of an epoch that the files hold replaces it and what came after") {
  const ScratchFolder folder;
  const std::string json = folder.file("metrics.jsonl"), table = folder.file("metrics.csv");
  {
    MetricsLog log(json);
    for (int64_t epoch = 1; epoch <= 4; ++epoch) log.append(report(epoch, 1));
  }
  {  // resumed after epoch 2
    MetricsLog log(json);
    log.append(report(3, 2));
    log.append(report(4, 2));
  }
  const auto rows = read_metrics(json);
  REQUIRE(rows.size() == 4);
  CHECK(rows[1].find("train_loss").value() == 1);
  CHECK(rows[2].find("train_loss").value() == 2);
  CHECK(lines(content_of(json)) == 4);
  CHECK(lines(content_of(table)) == 5);
  CHECK(content_of(table).starts_with("epoch,step,train_loss,lr,"));  // the columns keep their order
  MetricsLog fresh(json);                                             // another run into the same folder
  fresh.append(report(1, 3));
  CHECK(lines(content_of(json)) == 1);
  CHECK(lines(content_of(table)) == 2);
  CHECK(folder.entries() == 2);
}

TEST_CASE("a column that appears later has empty cells before") {
  const ScratchFolder folder;
  MetricsLog log(folder.file("metrics.jsonl"));
  log.append(report(1, 1, false));
  log.append(report(2, 1));
  log.append(report(3, 1, false));
  const std::string table = content_of(folder.file("metrics.csv"));
  CHECK(table.find("\n1,10,1.0,0.5,0.0,0.0,0.0,,\n") != std::string::npos);
  CHECK(table.find("\n3,30,1.0,0.5,0.0,0.0,0.0,,\n") != std::string::npos);
}

TEST_CASE("half a line of a killed run is left out, and gone after the next row") {
  const ScratchFolder folder;
  const std::string json = folder.file("metrics.jsonl");
  put_content(json, "{\"epoch\":1,\"step\":10,\"train_loss\":1.0}\n{\"epoch\":2,\"st");
  bool damaged = false;
  CHECK(read_metrics(json, &damaged).size() == 1);
  CHECK(damaged);
  MetricsLog(json).append(report(2, 1));
  CHECK(read_metrics(json, &damaged).size() == 2);
  CHECK(!damaged);
  CHECK(lines(content_of(json)) == 2);
}

TEST_CASE("a table that is a link is refused, and what it leads to is untouched") {
  const ScratchFolder folder;
  put_content(folder.file("mine"), "mine");
  std::filesystem::create_symlink(folder.file("mine"), folder.file("metrics.csv"));
  CHECK(refuses([&] { MetricsLog log(folder.file("metrics.jsonl")); }, ErrorKind::kIo, "it is a link"));
  CHECK(content_of(folder.file("mine")) == "mine");
}

TEST_CASE("training images are tested as they are, and every update is told") {
  const ScratchFolder folder;
  const DatasetPtr data = glyphs(40);
  const auto model = tiny_vit(data->info());
  TrainCallbacks callbacks;
  callbacks.quiet = true;
  callbacks.clean_images = 10;
  callbacks.log_path = folder.file("metrics.jsonl");
  std::vector<StepReport> steps;
  callbacks.on_update = [&](const StepReport& step) { steps.push_back(step); };
  const Preprocessing preprocessing = preprocessing_for(*model, data->info());
  const TrainResult result = train_model(*model, data, data, preprocessing, quick(2, 10), callbacks);
  REQUIRE(result.history.back().clean);
  const Evaluation& clean = *result.history.back().clean;
  CHECK(clean.images == 10);
  // The model now is what was tested then; every fourth image.
  const Evaluation again = evaluate(
      *model, std::make_shared<SubsetDataset>(data, std::vector<int64_t>{0, 4, 8, 12, 16, 20, 24, 28, 32, 36}), preprocessing);
  CHECK(clean.at("loss") == again.at("loss"));
  CHECK(read_metrics(callbacks.log_path).back().find("clean_top1").value() == again.at("top1"));
  CHECK(format_epoch(result.history.back(), 2).find("  clean top-1 ") != std::string::npos);
  REQUIRE(steps.size() == 8);
  CHECK(steps[5].step == 6);
  CHECK(steps[5].epochs == 1.5);
  CHECK(steps[7].grad_norm == result.history.back().grad_norm);
}

TEST_CASE("training that looks worse than the test is explained, with the clean score; otherwise nothing is said") {
  const auto top1 = [](double value) { return Scores{{"top1", "top-1", value, ScoreUnit::kPart}}; };
  EpochReport report;
  report.train = top1(0.5);
  CHECK(gap_note(report) == "");
  report.test = Evaluation{top1(0.75), 100};
  CHECK(gap_note(report) ==
        "training top-1 50.0 % is below test top-1 75.0 %: it is measured while the weights change, with the augmentation and "
        "dropout of the run.");
  report.test->part = "validation";
  CHECK(gap_note(report).find("is below validation top-1 75.0 %") != std::string::npos);
  CHECK(format_epoch(report, 2).find("  validation top-1 75.00 %") != std::string::npos);
  report.clean = Evaluation{top1(0.875), 40};
  CHECK(gap_note(report).find("; on 40 of the same images as they are (clean) it is top-1 87.5 %.") != std::string::npos);
  report.train = top1(0.75);
  CHECK(gap_note(report) == "");
  report.train = {};
  CHECK(gap_note(report) == "");
}
