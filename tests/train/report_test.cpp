// The report of a run: its curve, its charts, its page, and several runs beside each other.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "data/image/image.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "train/report/chart.h"
#include "train/report/comparison.h"
#include "train/report/pictures.h"
#include "train/report/run_report.h"
#include "train/task/classification.h"

using namespace vitrail;
using namespace vitrail::report;
using namespace vitrail::testing;

namespace {

StepReport update(int64_t step) { return {step, static_cast<double>(step) / 100, static_cast<double>(step), 1e-3, 2}; }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The data set with other class names.
class Renamed : public Dataset {
 public:
  Renamed(DatasetPtr whole, const std::string& first) : Dataset(info_of(*whole, first)), whole_(std::move(whole)) {}
  int64_t size() const override { return whole_->size(); }
  Sample sample(int64_t index) const override {
    if (broken) fail(ErrorKind::kIo, "test", "the file is gone");
    return whole_->sample(index);
  }
  int64_t label(int64_t index) const override { return whole_->label(index); }
  bool broken = false;

 private:
  static DatasetInfo info_of(const Dataset& whole, const std::string& first) {
    DatasetInfo info = whole.info();
    info.class_names[0] = first;
    return info;
  }
  DatasetPtr whole_;
};

// Trains a few steps with a report in `folder`; `test` may be null. The page as it stands at the end.
std::string trained_page(const std::string& folder, const DatasetPtr& train, const DatasetPtr& test, int64_t epochs = 2) {
  const auto model = tiny_vit(train->info());
  ClassificationTask task(*model, {preprocessing_for(*model, train->info()), train->class_names(), {2, false}, 0});
  RunReport page({folder, "glyphs, tiny", epochs * 4}, task, train, test, quick(epochs, 10));
  TrainCallbacks callbacks;
  callbacks.quiet = true;
  callbacks.clean_images = 10;
  callbacks.log_path = folder + "/metrics.jsonl";
  callbacks.on_update = [&](const StepReport& step) { page.add(step); };
  callbacks.on_epoch = [&](const EpochReport& report) { page.add(report); };
  Trainer(task, train, test, quick(epochs, 10), callbacks).run();
  page.finish("finished");
  CHECK(page.seconds() > 0);
  return content_of(page.path());
}

}  // namespace

TEST_CASE("a curve keeps a bounded number of points, each the mean of its updates") {
  StepCurve curve(8);
  for (int64_t step = 1; step <= 100; ++step) curve.add(update(step));
  REQUIRE(curve.points().size() <= 8);
  REQUIRE(curve.points().size() > 4);
  int64_t from = 1;
  for (const CurvePoint& point : curve.points()) {
    CHECK(point.updates == point.step - from + 1);
    CHECK(point.loss == doctest::Approx(0.5 * static_cast<double>(from + point.step)));
    CHECK(point.epochs == static_cast<double>(point.step) / 100);
    from = point.step + 1;
  }
  CHECK(from == 101);
  const StepCurve read = StepCurve::parse(curve.csv(), "curve.csv", 8);
  CHECK(read.csv() == curve.csv());
  CHECK(refuses([] { StepCurve one(1); }, ErrorKind::kValue, "at least 2 points: it is 1"));
}

TEST_CASE("a resumed run gives the curve of the undisturbed one; a new run begins with fine steps") {
  StepCurve whole(8), resumed(8);
  for (int64_t step = 1; step <= 64; ++step) whole.add(update(step));
  for (int64_t step = 1; step <= 40; ++step) resumed.add(update(step));
  StepCurve read = StepCurve::parse(resumed.csv(), "curve.csv", 8);
  for (int64_t step = 33; step <= 64; ++step) read.add(update(step));
  CHECK(read.csv() == whole.csv());
  read.add(update(1));
  read.add(update(2));
  REQUIRE(read.points().size() == 2);
  CHECK(read.points()[1].loss == 2);
}

TEST_CASE("a damaged curve is refused with file and line") {
  const std::string head = "step,updates,epochs,loss,lr,grad_norm\n";
  const auto message = [&](const std::string& text, const std::string& part) {
    return refuses([&] { StepCurve::parse(text, "run/curve.csv", 2); }, ErrorKind::kData, part);
  };
  CHECK(message("epoch\n", "run/curve.csv: the first line must be step,updates"));
  CHECK(message(head + "1,1,0.1\n", "line 2: [curve] a line has 6 numbers: it has 3"));
  CHECK(message(head + "1,1,0.1,x,0,0\n", "line 2"));
  CHECK(message(head + "0,1,0.1,1,0,0\n", "step"));
  CHECK(message(head + "2,1,0.1,1,0,0\n2,1,0.1,1,0,0\n", "line 3: [curve] steps must rise: 2 follows 2"));
  CHECK(message(head + "1,1,0,1,0,0\n2,1,0,1,0,0\n3,1,0,1,0,0\n", "at most 2 points: there are 3"));
}

TEST_CASE("axes have round marks around the values") {
  CHECK(ticks(0.03, 0.97, 5) == std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1});
  CHECK(ticks(0, 3, 5) == std::vector<double>{0, 1, 2, 3});
  CHECK(ticks(5, 5, 4).front() < 5);
  CHECK(ticks(5, 5, 4).back() > 5);
  CHECK(ticks(0, 0, 4).back() > 0);
  CHECK(logarithmic_ticks(3, 80) == std::vector<double>{2, 5, 10, 20, 50, 100});
  CHECK(logarithmic_ticks(1e-6, 1e3).size() == 10);
  CHECK(shown(1234567) == "1,234,567");
  CHECK(shown(-1234) == "-1,234");
  CHECK(shown(0.123456) == "0.1235");
  CHECK(shown(-std::nan("")) == "NaN");
  CHECK(percent(0.9731) == "97.31 %");
}

TEST_CASE("a chart holds its values for the script, its names escaped, and leaves out what is not finite") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Chart chart{"A & B", " %", {{"<train>", 0, {{1, 50}, {2, std::nan("")}, {3, kInfinity}, {4, 75}}}, {"test", 1, {{1, 60}}}}};
  const std::string html = chart_html(chart);
  CHECK(has(html, "<b>A &amp; B</b>"));
  CHECK(has(html, "&lt;train&gt;"));
  CHECK(!has(html, "<train>"));
  CHECK(has(html, "[[1,50],[4,75]]"));
  CHECK(has(html, "75 %"));
  CHECK(!has(html, "nan"));
  CHECK(!has(html, "inf"));
  CHECK(chart_html({"empty", "", {{"nothing", 0, {{1, std::nan("")}}}}}).empty());
  chart.logarithmic = true;
  chart.series = {{"a", 0, {{1, -1}, {2, 1}, {3, 100}}}};
  CHECK(has(chart_html(chart), "[[2,1],[3,100]]"));
  // One value alone is drawn too.
  CHECK(has(chart_html({"one", "", {{"a", 0, {{1, 7}}}}}), "<circle"));
}

TEST_CASE("thumbnails are small, keep proportions, and show the model's input as it was") {
  const std::string large = thumbnail(full({3, 400, 200}, 128, Dtype::u8), "a \"b\"");
  CHECK(has(large, "width=\"48\" height=\"96\" alt=\"a &quot;b&quot;\" src=\"data:image/png;base64,"));
  CHECK(has(thumbnail(zeros({1, 28, 28}, Dtype::u8), ""), "width=\"84\" height=\"84\""));
  CHECK(has(thumbnail(zeros({1, 1, 5000}, Dtype::u8), ""), "width=\"96\" height=\"1\""));
  CHECK(refuses([] { thumbnail(zeros({2, 4, 4}, Dtype::u8), ""); }, ErrorKind::kShape, "needs u8 [1 or 3, H, W]"));
  const DatasetPtr data = glyphs(1);
  const Preprocessing preprocessing = preprocessing_for(data->info());
  const Tensor image = data->sample(0).image;
  CHECK(to_vector<int64_t>(denormalized(preprocess(image, preprocessing), preprocessing)) == to_vector<int64_t>(image));
}

TEST_CASE("the page of a run has every part, stands alone, and escapes what strangers named") {
  const ScratchFolder folder;
  const auto train = std::make_shared<Renamed>(glyphs(40), "<script>alert(1)</script>"),
             test = std::make_shared<Renamed>(glyphs(30, Split::kTest), "<script>alert(1)</script>");
  const std::string page = trained_page(folder.path(), train, test);
  for (const char* part :
       {"<h2>Curves</h2>", "<h2>Confusions</h2>", "<h2>Classes</h2>", "<h2>Calibration</h2>", "<h2>Worst mistakes</h2>",
        "<h2>What the model learns from</h2>", "<h2>Configuration</h2>", "Top-1 accuracy", "Learning rate",
        "Expected calibration error", "training, clean", "finished", "epoch 2 of 2", "batch_size", "peak memory"})
    CHECK_MESSAGE(has(page, part), part);
  CHECK(!has(page, "<script>alert"));
  CHECK(has(page, "&lt;script&gt;alert(1)"));
  CHECK(has(page, "default-src 'none'"));
  for (const char* outside : {"src=\"http", "href=", "url(", "@import", "<link"}) CHECK_MESSAGE(!has(page, outside), outside);
  CHECK(page.size() < 1'000'000);
  CHECK(!has(page, "data-reload="));
  CHECK(folder.entries() == 4);  // page, curve, metrics twice
}

TEST_CASE("a page of a running training loads itself again, and says how far it is") {
  const ScratchFolder folder;
  const DatasetPtr data = glyphs(20);
  const auto model = tiny_vit(data->info());
  ClassificationTask task(*model, {preprocessing_for(*model, data->info()), data->class_names(), {}, 0});
  RunReport page({folder.path(), "run", 40}, task, data, data, quick(4, 2));
  EpochReport report;
  report.epoch = 1, report.step = 10;
  page.add(report);
  const std::string running = content_of(page.path());
  CHECK(has(running, "data-reload=\"5\">running</b>, 25.00 % done"));
  CHECK(!has(running, "<h2>Confusions</h2>"));  // what a task without details has: curves alone
  page.finish("stopped by signal 15");
  CHECK(has(content_of(page.path()), "stopped by signal 15"));
  CHECK(!has(content_of(page.path()), "data-reload="));
}

TEST_CASE("a test picture that cannot be read any more costs its picture, not the run") {
  const ScratchFolder folder;
  const DatasetPtr train = glyphs(20);
  const auto test = std::make_shared<Renamed>(glyphs(20, Split::kTest), "zero");
  const auto model = tiny_vit(train->info());
  ClassificationTask task(*model, {preprocessing_for(*model, train->info()), test->class_names(), {}, 0});
  RunReport page({folder.path(), "run"}, task, train, test, quick(1, 10));
  EpochReport report;
  report.epoch = 1, report.step = 2, report.test = evaluate(task, test);
  test->broken = true;
  page.add(report);
  CHECK(has(content_of(page.path()), "<h2>Worst mistakes</h2>"));
}

TEST_CASE("runs are compared: results, curves, and only what differs") {
  const ScratchFolder folder;
  for (const char* name : {"a", "b"}) std::filesystem::create_directory(folder.file(name));
  const DatasetPtr data = glyphs(40);
  trained_page(folder.file("a"), data, data, 1);
  trained_page(folder.file("b"), data, data, 2);
  put_content(folder.file("a/run.json"), "{\"threads\":1,\"data\":\"glyphs\",\"config\":{\"lr\":0.1,\"epochs\":1}}");
  put_content(folder.file("b/run.json"),
              "{\"threads\":1,\"data\":\"glyphs\",\"config\":{\"lr\":0.2,\"epochs\":1,\"new\":true}}");
  const RunData a = read_run(folder.file("a/")), b = read_run(folder.file("b"));
  CHECK(a.name == "a");
  REQUIRE(b.rows.size() == 2);
  CHECK(b.epochs(b.rows[0]) == 1);
  CHECK(b.curve.size() == 8);
  const std::string page = comparison_page({a, b});
  CHECK(has(page, "<h1>2 runs compared</h1>"));
  CHECK(has(page, "<tr><th>lr</th><td>0.1</td><td>0.2</td></tr>"));
  CHECK(has(page, "<tr><th>new</th><td></td><td>true</td></tr>"));
  CHECK(!has(page, "<th>threads</th>"));
  CHECK(!has(page, "<th>epochs</th><td>"));
  CHECK(has(page, "Test top-1 accuracy"));
  CHECK(has(comparison_page({a, a}), "a (2)"));
  CHECK(has(comparison_page({a}), "<h1>a</h1>"));
  CHECK(refuses([] { comparison_page({}); }, ErrorKind::kValue, "1 to 16 runs: there are 0"));
  CHECK(refuses([&] { read_run(folder.file("none")); }, ErrorKind::kIo,
                "holds no metrics.jsonl. Hint: name folders that vitrail train wrote"));
  put_content(folder.file("a/metrics.jsonl"), "hello\n");
  CHECK(refuses([&] { read_run(folder.file("a")); }, ErrorKind::kData, "no epoch is done, or it is no log of a run"));
}

TEST_CASE("hundreds of classes and of epochs give a page of a size that a browser likes") {
  const ScratchFolder folder;
  const DatasetPtr data = glyphs(20);
  const auto model = tiny_vit(data->info());
  ClassificationTask task(*model, {preprocessing_for(*model, data->info()), data->class_names(), {}, 0});
  RunReport page({folder.path(), "run"}, task, data, data, quick(1, 10));
  auto details = std::make_shared<EvaluationDetails>();
  details->confusion.emplace(1000);
  details->calibration.emplace();
  for (int64_t c = 0; c < 1000; ++c) {
    details->class_names.push_back(cat("class number ", c));
    for (int64_t k = 0; k < 10; ++k) details->confusion->add(c, (c * k) % 1000), details->calibration->add(0.5, false);
  }
  for (int64_t step = 1; step <= 20000; ++step) page.add(update(step));
  EpochReport report;
  for (report.epoch = 1; report.epoch <= 3000; ++report.epoch) {
    report.step = 10 * report.epoch;
    report.test = Evaluation{{{"top1", "top-1", 0.5, ScoreUnit::kPart}}, 10000, {}, details};
    if (report.epoch > 2998 || report.epoch < 3)
      page.add(report);
    else
      page.add(EpochReport{
          .epoch = report.epoch, .step = report.step, .test = Evaluation{{{"top1", "top-1", 0.5, ScoreUnit::kPart}}, 10000}});
  }
  page.finish("finished");
  const std::string text = content_of(page.path());
  CHECK_MESSAGE(text.size() < 1'500'000, text.size());
  CHECK(has(text, "The last 200 of 3000 epochs"));
  CHECK(!has(text, "class=\"matrix\""));
  CHECK(has(text, "other pairs"));
}
