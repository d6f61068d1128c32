// Cross-validation: every fold is a run of its own, and their scores are put together.
#include "train/kfold.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "tensor/machine/parallel.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "train/run_folder.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

KfoldOptions options(const std::string& folder) {
  KfoldOptions o;
  o.folder = folder;
  o.data = glyphs(60);
  models::DataShape shape{1, 28, 28, o.data->num_classes()};
  o.model = models::adapted(models::parse_config("vit_fashion_p7"), shape);
  o.config = quick(2, 10);
  o.folds = 3;
  o.quiet = true;
  return o;
}

std::vector<double> values(const std::vector<FoldResult>& folds) {
  std::vector<double> result;
  for (const FoldResult& fold : folds)
    for (const Score& s : fold.scores) result.push_back(s.value);
  return result;
}

}  // namespace

TEST_CASE("kfold: mean and sample standard deviation are those of the formula") {
  std::vector<FoldResult> folds;
  for (const double x : {0.5, 0.7, 0.9})
    folds.push_back({static_cast<int64_t>(folds.size()) + 1,
                     20,
                     10,
                     1.5,
                     {{"top1", "top-1", x, ScoreUnit::kPart}, {"loss", "loss", 2 * x}}});
  const std::vector<ScoreSpread> spreads = spread_of(folds);
  REQUIRE(spreads.size() == 2);
  CHECK(spreads[0].mean.value == doctest::Approx(0.7));
  CHECK(spreads[0].deviation == doctest::Approx(0.2));  // not 0.163, which is that of a whole population
  CHECK(spreads[1].mean.value == doctest::Approx(1.4));
  CHECK(spreads[1].deviation == doctest::Approx(0.4));
  const std::string table = kfold_table(folds);
  CHECK(table.find("70.00 %      1.4000") != std::string::npos);
  CHECK(table.find("20.00 %      0.4000") != std::string::npos);
  std::string settings;
  CHECK(to_json(folds_from_json(to_json(folds, "{}"), "k", &settings), "{}") == to_json(folds, "{}"));
  folds.resize(1);
  CHECK(spread_of(folds)[0].deviation == 0);
  CHECK(spread_of({}).empty());
}

TEST_CASE("kfold: folds are runs with a folder each, and are not run again") {
  const ScratchFolder folder, other;
  const KfoldOptions o = options(folder.path());
  const KfoldResult all = run_kfold(o);
  REQUIRE(all.folds.size() == 3);
  CHECK(all.signal == 0);
  for (const FoldResult& fold : all.folds) {
    CHECK(fold.train_images == 40);
    CHECK(fold.test_images == 20);
    CHECK(fs::exists(folder.file(cat("fold-", fold.fold, "/model.safetensors"))));
    CHECK(fs::exists(folder.file(cat("fold-", fold.fold, "/metrics.jsonl"))));
  }
  CHECK(!fs::exists(folder.file("run.lock")));

  // A folder in which the last two folds are missing: they are run, the first is not.
  std::string settings;
  std::vector<FoldResult> first = folds_from_json(read_text_file(folder.file("kfold.json")), "k", &settings);
  first.resize(1);
  put_content(other.file("kfold.json"), to_json(first, settings));
  const KfoldResult rest = run_kfold(options(other.path()));
  CHECK(values(rest.folds) == values(all.folds));
  CHECK(!fs::exists(other.file("fold-1")));
  CHECK(fs::exists(other.file("fold-3/model.safetensors")));
  CHECK(content_of(other.file("fold-3/model.safetensors")) == content_of(folder.file("fold-3/model.safetensors")));

  KfoldOptions changed = options(folder.path());
  changed.config.lr = 0.5;
  CHECK(refuses([&] { run_kfold(changed); }, ErrorKind::kValue,
                "holds a cross-validation with other settings: recipe.lr is 0.001, not 0.5"));
  const RunFolder lock(folder.path(), false);
  CHECK(refuses([&] { run_kfold(o); }, ErrorKind::kValue, "another run is writing into"));
}

TEST_CASE("kfold: the same scores for 1, 2 and 4 threads") {
  const int before = num_threads();
  std::vector<double> first;
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    const ScratchFolder folder;
    KfoldOptions o = options(folder.path());
    o.folds = 2;
    o.config.epochs = 1;
    const std::vector<double> now = values(run_kfold(o).folds);
    if (first.empty()) first = now;
    CHECK(now == first);
  }
  set_num_threads(before);
}

TEST_CASE("a part run that is stopped at an epoch has the scores that the whole run has there") {
  const ScratchFolder folder;
  const KfoldOptions o = options(folder.path());
  PartRun part{folder.file("run"), o.model, o.config, o.data, glyphs(30, Split::kTest)};
  part.config.epochs = 3;
  part.epochs = 2;
  const PartResult stopped = run_part(part);
  REQUIRE(stopped.scores);
  CHECK(stopped.epochs == 2);
  CHECK(stopped.complete());
  part.epochs = 0;
  const PartResult whole = run_part(part);
  CHECK(whole.epochs == 3);
  part.epochs = 2;
  part.folder = folder.file("again");
  CHECK(score(*run_part(part).scores, "loss") == score(*stopped.scores, "loss"));
  // Told to stop in the middle of an epoch.
  int updates = 0;
  part.folder = folder.file("stopped");
  part.stop = [&] { return ++updates == 4; };
  const PartResult early = run_part(part);
  CHECK(early.stopped);
  CHECK(!early.complete());
  CHECK(!early.scores);
  CHECK(updates == 4);
}

TEST_CASE("a part run goes on from its checkpoint: stopped in an epoch, promoted, or killed before its score was written") {
  const ScratchFolder folder;
  const KfoldOptions o = options(folder.path());
  const auto part = [&](const std::string& name, int64_t epochs) {
    PartRun run{folder.file(name), o.model, o.config, o.data, glyphs(30, Split::kTest)};
    run.config.epochs = 3;
    run.config.ema_decay = 0.9;
    run.epochs = epochs;
    return run;
  };
  int updates = 0;
  const auto counted = [&](PartRun run, int64_t stop_at = -1) {
    updates = 0;
    run.stop = [&updates, stop_at] { return ++updates == stop_at; };
    return run_part(run);
  };
  const PartResult whole = counted(part("whole", 0));
  const PartResult two = counted(part("two", 2));
  CHECK(updates == 11);  // the last of its 12 is not asked about
  const auto loss = [](const PartResult& result) { return result.scores ? score(*result.scores, "loss") : -1; };

  CHECK(counted(part("a", 2), 4).stopped);
  CHECK(loss(counted(part("a", 2))) == loss(two));
  CHECK(updates == 7);
  CHECK(loss(counted(part("a", 2))) == loss(two));  // as if its score had been lost: tested again, not trained
  CHECK(updates == 0);
  CHECK(loss(counted(part("a", 0))) == loss(whole));
  CHECK(updates == 5);
  CHECK(content_of(folder.file("a/model.safetensors")) == content_of(folder.file("whole/model.safetensors")));
  CHECK(!fs::exists(folder.file("a/checkpoint.safetensors")));  // finished

  // A checkpoint of another recipe is none of ours.
  CHECK(counted(part("b", 2), 4).stopped);
  PartRun other = part("b", 2);
  other.config.lr = 5e-4;
  const PartResult anew = counted(other);
  CHECK(updates == 11);
  CHECK(loss(anew) != loss(two));
}

TEST_CASE("a part run takes no notice of patience, and has the drop path of its configuration") {
  const ScratchFolder folder;
  const KfoldOptions o = options(folder.path());
  PartRun part{folder.file("run"), o.model, o.config, o.data, glyphs(30, Split::kTest)};
  part.config.epochs = 4;
  const PartResult plain = run_part(part);
  part.folder = folder.file("patient");
  part.config.patience = 1;
  part.config.min_delta = 1;  // no test is better by so much
  const PartResult patient = run_part(part);
  CHECK(patient.epochs == 4);
  CHECK(score(*patient.scores, "loss") == score(*plain.scores, "loss"));
  part.folder = folder.file("dropped");
  part.config.drop_path = 0.5;
  CHECK(score(*run_part(part).scores, "loss") != score(*plain.scores, "loss"));
}
