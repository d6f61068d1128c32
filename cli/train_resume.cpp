#include "cli/train_resume.h"

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/job_parts.h"
#include "cli/ranks.h"
#include "comm/collectives.h"
#include "comm/world.h"
#include "train/metrics_log.h"
#include "train/ranks/model_of_rank_0.h"
#include "train/recipes.h"
#include "train/report/run_data.h"

namespace vitrail::cli {

namespace {

namespace fs = std::filesystem;

bool rank_0_says(bool answer) {
  char word = answer;
  broadcast(world(), std::as_writable_bytes(std::span(&word, 1)));
  return word != 0;
}

}  // namespace

std::shared_ptr<FoundCheckpoint> checkpoint_of(const TrainOptions& o, TrainJob& job) {
  if (o.resume.empty() || (o.resume == "auto" && !rank_0_says(has_checkpoint(o.out)))) return nullptr;
  auto found = std::make_shared<FoundCheckpoint>();
  if (!leads()) {
    const FileOfRank0 copy(o.out);
    found->path = copy.path();
    found->checkpoint = read_checkpoint(found->path);
    return found;
  }
  check(has_checkpoint(o.out), ErrorKind::kIo, "train", escaped_path(o.out),
        " holds no checkpoint to go on from. Hint: --resume auto starts a new run in that case.");
  job.folder = std::make_shared<RunFolder>(o.out, /*replace=*/true);  // nobody writes while we read
  *found = find_checkpoint(o.out);
  const FileOfRank0 sent(found->path);
  if (!found->complaint.empty())
    complain(cat("warning: the newest checkpoint is damaged, going on from ", escaped_path(found->path), ", update ",
                 found->checkpoint.state.step, ": ", found->complaint));
  settle(o.out, *found);
  return found;
}

bool left_by_a_run(const std::string& out) {
  const auto there = [&](const char* name) {
    std::error_code ignored;
    return fs::exists(fs::path(out) / name, ignored);
  };
  return (there(kModelFile) || there(kBestFile)) && there(kConfigFile) && !has_checkpoint(out);
}

bool died_before_its_checkpoint(const TrainJob& job) {
  const auto file = [&](const char* name) { return (fs::path(job.out) / name).string(); };
  TrainSettings recorded;
  TrainConfig config;
  std::vector<MetricsRow> rows;
  try {
    read_settings(read_text_file(file(kConfigFile)), file(kConfigFile), recorded, config);
    rows = read_metrics(file(report::kMetricsFile));
  } catch (const Error&) {
    return false;
  }
  TrainSettings own = job.settings;
  for (TrainSettings* s : {&recorded, &own})
    s->model = models::to_json(with_drop_path(model_config(s->model, job.train->info()), config.drop_path));
  if (rows.empty() || !recipe_differences(config, job.config).empty() || !differences(recorded, own).empty()) return false;
  const MetricsRow& last = rows.back();
  const bool ended = last.epoch >= config.epochs || (config.max_steps > 0 && last.step >= config.max_steps);
  const bool saved = config.save_every > 0 && last.epoch > config.save_every;
  return !ended && !saved;
}

namespace {

// How to run, as the run was told: what rank 0's folder says. A file that is missing or not ours is no reason to lose the run.
TrainConfig how_to_run(const std::string& out) {
  const std::string path = (fs::path(out) / kConfigFile).string();
  std::string text;
  try {
    if (leads()) text = read_text_file(path);
  } catch (const Error&) {
  }
  broadcast(world(), text);
  TrainSettings ignored;
  TrainConfig config;
  try {
    read_settings(text, path, ignored, config);
  } catch (const Error&) {
    return {};
  }
  return config;
}

[[noreturn]] void contradiction(const TrainOptions& o, const std::vector<std::string>& differences) {
  fail(ErrorKind::kValue, "train", "--resume goes on with what ", escaped_path(o.out), " recorded: ", listed(differences),
       ". Hint: leave that out, or start anew with another --out.");
}

// Where the options would make another model of --from than the run made of it (finetune).
std::vector<std::string> changes_of_model(const TrainOptions& o, const std::string& model, const std::string& where) {
  std::vector<std::string> different;
  if (!o.adapt) return different;
  const AdaptTo& to = *o.adapt;
  const models::ModelConfig trained = models::config_from_json(model, where);
  const auto* vit = std::get_if<models::ViTConfig>(&trained);
  if (vit && o.open.num_heads > 0 && o.open.num_heads != vit->num_heads)
    different.push_back(cat("--num-heads is ", vit->num_heads, ", not ", o.open.num_heads));
  if (vit && to.patch_size.h > 0 && !(to.patch_size == vit->patch_size))
    different.push_back(cat("--patch-size is ", vit->patch_size.h, ", not ", to.patch_size.h));
  std::visit(
      [&](const auto& c) {
        if (to.img_size.h > 0 && c.img_size.h != to.img_size.h)
          different.push_back(cat("--image-size is ", c.img_size.h, ", not ", to.img_size.h));
        if (to.in_chans > 0 && c.in_chans != to.in_chans)
          different.push_back(cat("--in-chans is ", c.in_chans, ", not ", to.in_chans));
      },
      trained);
  return different;
}

// `recorded` in the checkpoint `where`. A folder of pictures may have got another name.
bool same_data(const std::string& own, const std::string& recorded, const std::string& where, bool any_name) {
  if (!any_name) return tidy_json(own, "data") == tidy_json(recorded, where);
  const auto content = [](const std::string& text, const std::string& from) {
    const JsonDocument document(text, from);
    JsonObject json(document.root(), from, "data", ErrorKind::kData);
    std::string all;
    for (const char* key : {"train", "test"}) {
      if (!json.has(key)) continue;
      JsonObject part(json.value(key), from, key, ErrorKind::kData);
      all += cat(key, " ", part.integer("images", 0, kMaxImages), " ", part.integer("labels_crc32c", 0, UINT32_MAX), "\n");
    }
    return all;
  };
  return content(own, "data") == content(recorded, where);
}

}  // namespace

TrainJob resumed_job(const TrainOptions& o, TrainJob job) {
  const Checkpoint& checkpoint = job.from->checkpoint;
  TrainSettings recorded;
  TrainConfig config = how_to_run(o.out);
  read_settings(checkpoint.job, job.from->path, recorded, config);
  config = train_config_from_json(recipe_json(checkpoint.state.config), config, job.from->path);
  job.settings = recorded;
  job.config = config;
  overlay(o, job.settings, job.config);
  std::vector<std::string> different = recipe_differences(config, job.config);
  if (!different.empty()) contradiction(o, different);
  // What can be told before the data is opened, which another way of reading it might not survive.
  TrainSettings but_model = job.settings;
  but_model.model = recorded.model;
  if (different = differences(recorded, but_model); !different.empty()) contradiction(o, different);
  if (different = changes_of_model(o, recorded.model, job.from->path); !different.empty()) contradiction(o, different);
  try {
    open_data(job, job.config.seed);
  } catch (const Error& e) {
    // The path was recorded as it was given, and the program may stand in another folder now.
    if (!o.settings.data.empty() || e.kind() == ErrorKind::kData) throw;
    throw Error(e.kind(),
                cat("[train] the run recorded its data as ", quote(job.settings.data),
                    ", which cannot be opened from here. Hint: --data PATH says where it lies now. (", e.what(), ")"));
  }
  for (TrainSettings* s : {&recorded, &job.settings})
    s->model = models::to_json(with_drop_path(model_config(s->model, job.train->info()), config.drop_path));
  different = differences(recorded, job.settings);
  if (!different.empty()) contradiction(o, different);
  const std::string data = data_identity(*job.train, job.test.get());
  check(same_data(data, checkpoint.data, job.from->path, job.train->reads_files()), ErrorKind::kData, "train",
        "the data is not what the run was trained on: it is ", data, ", ", escaped_path(o.out), " recorded ", checkpoint.data,
        ".");
  return job;
}

}  // namespace vitrail::cli
