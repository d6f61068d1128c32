// Runs that are stopped, killed and resumed, from outside: the same files at the end, and words for what cannot be done.
#include <doctest/doctest.h>
#include <signal.h>

#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "data/image/image.h"
#include "tensor/rng.h"
#include "tensor/safetensors.h"
#include "tests/support/run_program.h"
#include "train/checkpoint.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

// Six updates an epoch, eighteen in all; every update is saved.
const std::string kRun =
    " --data glyphs --train-size 55 --test-size 10 --batch-size 10 --model vit_fashion_p7 --epochs 3 --groups 2 --ema 0.9"
    " --crop-padding 2 --save-steps 1 ";

std::vector<uint8_t> file(const std::string& folder, const char* name) { return read_file(folder + "/" + name); }

// A finished run; the others are held against it.
const std::string& undisturbed() {
  static const std::string folder = [] {
    const std::string path = scratch() + "/undisturbed";
    const Outcome outcome = run("train --threads 1 --out " + path + kRun);
    check(outcome.code == 0, ErrorKind::kValue, "test", outcome.text);
    return path;
  }();
  return folder;
}

bool same_end(const std::string& folder) {
  bool same = true;
  for (const char* name : {kModelFile, kBestFile, kCheckpointFile, kPreviousFile})
    same = same && file(folder, name) == file(undisturbed(), name);
  return same;
}

// A process that is sent `signal` as soon as `step` updates are saved; its exit code.
int stop_at(const std::string& arguments, const std::string& out, int64_t step, int signal) {
  const std::string command = "exec " + program() + " " + arguments + " --out " + out + " > " + out + ".txt 2>&1 < /dev/null";
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int inherited : {SIGHUP, SIGINT, SIGTERM}) ::signal(inherited, SIG_DFL);
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  bool sent = false;
  for (int i = 0; waitpid(child, &status, WNOHANG) == 0; ++i) {
    usleep(2000);
    if (i > 30000) kill(child, SIGKILL);
    if (sent || !fs::exists(out + "/" + kCheckpointFile)) continue;
    try {
      if (read_checkpoint(out + "/" + kCheckpointFile).state.step < step) continue;
    } catch (const Error&) {
      continue;  // between two renames
    }
    kill(child, signal);
    sent = true;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

TEST_CASE("a run that is stopped by a signal, or killed, and resumed ends with the files of the undisturbed one") {
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, {SIGTERM, 143}, {SIGHUP, 129}, {SIGKILL, -SIGKILL}}) {
    const int which = signal;
    CAPTURE(which);
    const std::string out = scratch() + "/stopped_" + std::to_string(which);
    CHECK(stop_at("train --threads 2" + kRun, out, 4, which) == code);
    const std::string said = read_text_file(out + ".txt");
    if (which != SIGKILL) CHECK_MESSAGE(said.find("to go on: vitrail train --resume --out " + out) != std::string::npos, said);
    const int64_t step = find_checkpoint(out).checkpoint.state.step;
    CHECK(step >= 4);
    CHECK(step < 18);
    // Without any other flag, by its own words.
    const Outcome resumed = run("train --resume --out " + out);
    CHECK_MESSAGE(resumed.code == 0, resumed.text);
    CHECK_MESSAGE(resumed.says(cat("going on after update ", step, " of 18")), resumed.text);
    CHECK(same_end(out));
  }
}

TEST_CASE("a finished run says so; --resume auto starts where there is nothing to resume") {
  const Outcome finished = run("train --resume --out " + undisturbed());
  CHECK(finished.code == 0);
  CHECK(finished.says("is finished: 18 updates"));
  const std::string out = scratch() + "/auto";
  CHECK(run("train --resume auto --out " + out + kRun).code == 0);
  CHECK(same_end(out));
  CHECK(run("train --resume=auto --out " + out + kRun).says("is finished: 18 updates"));
  const Outcome nothing = run("train --resume --out " + scratch() + "/nowhere");
  CHECK(nothing.code == 4);
  CHECK(nothing.says("holds no checkpoint to go on from. Hint: --resume auto"));
  CHECK(!fs::exists(scratch() + "/nowhere"));
}

namespace {

// What a kill between the first model and the first checkpoint leaves of a finished run's folder: its first epoch.
void leave_first_epoch(const std::string& out) {
  for (const char* name : {kCheckpointFile, kPreviousFile}) fs::remove(out + "/" + name);
  const std::string rows = read_text_file(out + "/metrics.jsonl");
  write_file_atomically(out + "/metrics.jsonl", rows.substr(0, rows.find('\n') + 1));
}

}  // namespace

TEST_CASE("--resume auto begins a run anew that was killed between its first model and its first checkpoint, and no other") {
  const std::string out = scratch() + "/no_checkpoint", start = "train --resume auto --out " + out + kRun;
  fs::copy(undisturbed(), out);
  fs::remove(out + "/" + kCheckpointFile), fs::remove(out + "/" + kPreviousFile);
  const Outcome finished = run(start);
  CHECK(finished.code == 2);
  CHECK_MESSAGE(finished.says("holds a model already"), finished.text);
  leave_first_epoch(out);
  CHECK(run(start + "--seed 3").says("holds a model already"));
  const Outcome same = run(start + "--threads 2");  // how it is run may change
  CHECK_MESSAGE(same.code == 0, same.text);
  CHECK(same_end(out));
}

TEST_CASE("--resume auto knows a run with a teacher again") {
  const std::string out = scratch() + "/taught", start = "train --resume auto --teacher " + trained() +
                                                         " --distillation hard --data glyphs --epochs 2 --out " + out + kQuick;
  REQUIRE(run(start).code == 0);
  const std::vector<uint8_t> model = file(out, kModelFile);
  leave_first_epoch(out);
  const Outcome again = run(start);
  CHECK_MESSAGE(again.code == 0, again.text);
  CHECK(file(out, kModelFile) == model);
}

TEST_CASE("a run starts from a model in its own folder only with --force, and does not lose it before it has its own") {
  const std::string out = scratch() + "/own_base";
  fs::create_directories(out);
  fs::copy_file(trained() + "/" + kModelFile, out + "/" + kBestFile);
  const std::vector<uint8_t> base = file(out, kBestFile);
  const std::string start =
      "train --init " + out + "/" + kBestFile + " --data glyphs --out " + out +
      " --train-size 20 --test-size 10 --batch-size 10 --epochs 1 --lr 1e30 --clip-norm 0 --optimizer sgd";
  const Outcome refused = run(start);
  CHECK(refused.code == 2);
  CHECK_MESSAGE(refused.says("holds a model already: best.safetensors"), refused.text);
  const Outcome broken = run(start + " --force");
  CHECK_MESSAGE(broken.code == 6, broken.text);
  CHECK(file(out, kBestFile) == base);
}

TEST_CASE("what contradicts the recorded run is refused by name") {
  const auto refused = [](const std::string& flags, const std::string& part) {
    const Outcome outcome = run("train --resume --out " + undisturbed() + " " + flags);
    CHECK(outcome.code == 2);
    CHECK_MESSAGE(outcome.says(part), outcome.text);
  };
  refused("--epochs 5", "recorded: epochs is 3, not 5. Hint: leave that out");
  refused("--lr 0.5 --seed 3", "seed is 0, not 3, lr is 0.002, not 0.5");
  refused("--train-size 20", "train_size is 55, not 20");
  refused("--model vit_fashion", "the model is another one");
  refused("--data scenes", "data is glyphs, not scenes");
  refused("--force", "--resume goes with neither --force nor --dry-run");
  const Outcome word = run("train --resume no --out " + undisturbed());
  CHECK(word.code == 2);
  CHECK_MESSAGE(word.says("and takes no folder: it is \"no\""), word.text);
  // What says the same, or only how to run, is no contradiction.
  CHECK(run("train --resume --out " + undisturbed() + kRun + "--threads 2 --save-every 3").code == 0);
}

TEST_CASE("other data under the same name is refused") {
  const std::string out = scratch() + "/other_data";
  fs::copy(undisturbed(), out);
  Checkpoint checkpoint = read_checkpoint(out + "/" + kCheckpointFile);
  checkpoint.data = R"({"train": {"name": "glyphs", "images": 55, "labels_crc32c": 1}})";
  write_checkpoint(out + "/" + kCheckpointFile, checkpoint);
  const Outcome outcome = run("train --resume --out " + out);
  CHECK(outcome.code == 3);
  CHECK_MESSAGE(outcome.says("the data is not what the run was trained on"), outcome.text);
}

TEST_CASE("a run whose data is not where it was says which flag tells the place") {
  const std::string out = scratch() + "/moved", photos = scratch() + "/photos";
  for (const char* name : {"a", "b"}) {
    fs::create_directories(photos + "/" + name);
    for (uint64_t i = 0; i < 6; ++i)
      write_png(photos + "/" + name + "/" + std::to_string(i) + ".png",
                to(rand_uniform({3, 8, 8}, 0, 255, Rng(i + (name[0] == 'a' ? 0 : 10))), Dtype::u8));
  }
  const std::string run_it = " --model linear --batch-size 4 --quiet --out " + out;
  CHECK(run("train --epochs 1 --data " + photos + run_it).code == 0);
  fs::create_directories(scratch() + "/elsewhere");
  fs::rename(photos, scratch() + "/elsewhere/photos");
  const Outcome lost = run("train --resume --out " + out);
  CHECK(lost.code == 4);
  CHECK_MESSAGE(lost.says("Hint: --data PATH says where it lies now"), lost.text);
  const Outcome found = run("train --resume --data " + scratch() + "/elsewhere/photos --out " + out);
  CHECK_MESSAGE(found.code == 0, found.text);
  fs::rename(scratch() + "/elsewhere/photos", scratch() + "/elsewhere/pictures");
  const Outcome renamed = run("train --resume --data " + scratch() + "/elsewhere/pictures// --out " + out);
  CHECK_MESSAGE(renamed.code == 0, renamed.text);
  fs::copy(scratch() + "/elsewhere/pictures/a/0.png", scratch() + "/elsewhere/pictures/a/more.png");
  const Outcome grown = run("train --resume --data " + scratch() + "/elsewhere/pictures --out " + out);
  CHECK(grown.code == 3);
  CHECK_MESSAGE(grown.says("the data is not what the run was trained on"), grown.text);
}

TEST_CASE("a damaged checkpoint is passed over loudly; two damaged ones end the attempt") {
  const std::string out = scratch() + "/damaged";
  fs::copy(undisturbed(), out);
  const std::string newest = out + "/" + kCheckpointFile, previous = out + "/" + kPreviousFile;
  std::string content = read_text_file(newest);
  content[content.size() / 2] ^= 1;
  write_file_atomically(newest, content);
  const Outcome verify = run("verify " + newest);
  CHECK(verify.code == 3);
  CHECK_MESSAGE(verify.says("is not what was written: its checksum differs"), verify.text);
  const Outcome folder = run("verify " + out);
  CHECK(folder.code == 3);
  CHECK(folder.says("1 of 4 files are damaged"));
  const Outcome resumed = run("train --resume --out " + out);
  CHECK_MESSAGE(resumed.code == 0, resumed.text);
  CHECK_MESSAGE(resumed.says("warning: the newest checkpoint is damaged, going on from "), resumed.text);
  CHECK(file(out, kCheckpointFile) == file(undisturbed(), kCheckpointFile));
  CHECK(file(out, kPreviousFile) == file(undisturbed(), kPreviousFile));
  CHECK(fs::exists(newest + ".damaged"));
  for (const std::string& path : {newest, previous}) write_file_atomically(path, std::string("x"));
  const Outcome lost = run("train --resume --out " + out);
  CHECK(lost.code == 3);
  CHECK(lost.says("no valid checkpoint is left"));
}

TEST_CASE("predict and eval refuse a model in which a bit has flipped, and name the weight") {
  const std::string path = scratch() + "/flipped.safetensors", picture = scratch() + "/flipped.png";
  std::string content = read_text_file(undisturbed() + "/" + kModelFile);
  content[content.size() - 4] ^= 1;
  write_file_atomically(path, content);
  write_png(picture, zeros({1, 28, 28}, Dtype::u8));
  for (const std::string& command : {"predict " + picture, std::string("eval --data glyphs --limit 10")}) {
    const Outcome outcome = run(command + " --model " + path);
    CHECK_MESSAGE(outcome.code == 3, outcome.text);
    CHECK_MESSAGE(outcome.says("is not what was written: its checksum differs"), outcome.text);
    CHECK_MESSAGE(outcome.says("tensor "), outcome.text);
  }
}

TEST_CASE("verify says which step a checkpoint or a model is of") {
  for (const char* name : {kCheckpointFile, kModelFile}) {
    const Outcome outcome = run("verify " + undisturbed() + "/" + name);
    CHECK(outcome.code == 0);
    CHECK_MESSAGE(outcome.text.starts_with("step 18"), outcome.text);
    CHECK(outcome.says("every checksum right"));
  }
  const Outcome folder = run("verify " + undisturbed());
  CHECK(folder.code == 0);
  CHECK(folder.says("checkpoint-previous.safetensors: step 17"));
  CHECK(run("verify " + scratch() + "/nowhere").code == 4);
  fs::create_directories(scratch() + "/empty");
  const Outcome empty = run("verify " + scratch() + "/empty");
  CHECK(empty.code == 4);
  CHECK(empty.says("the folder holds no checkpoint and no model"));
  const std::string plain = scratch() + "/plain.safetensors";
  SafetensorsFile tensors;
  tensors.tensors = {{"x", ones({2})}};
  save_safetensors(plain, tensors);
  const Outcome bare = run("verify " + plain);
  CHECK(bare.code == 3);
  CHECK(bare.says("the file has no checksums"));
}

TEST_CASE("a folder that holds a run takes no other one without --force, which leaves nothing of the old one to resume") {
  const std::string out = scratch() + "/replaced";
  fs::copy(undisturbed(), out);
  fs::remove(out + "/" + kModelFile);
  const Outcome refused = run("train --out " + out + kRun);
  CHECK(refused.code == 2);
  CHECK_MESSAGE(refused.says("holds a model already: checkpoint.safetensors. Hint: another --out, --resume to go on"),
                refused.text);
  CHECK(run("train --force --max-steps 1 --out " + out + kRun).code == 0);
  CHECK(find_checkpoint(out).checkpoint.state.step == 1);
  CHECK(!fs::exists(out + "/" + kPreviousFile));
}

TEST_CASE("train-config.json holds every setting of a run, and does the run again") {
  const std::string out = scratch() + "/once_more", config = undisturbed() + "/train-config.json";
  const std::string text = read_text_file(config);
  for (const char* key :
       {"\"data\"", "\"architecture\"", "\"train_size\": 55", "\"groups\": 2", "\"save_steps\": 1", "\"threads\": 1"})
    CHECK_MESSAGE(text.find(key) != std::string::npos, text);
  const Outcome again = run("train --config " + config + " --out " + out);
  CHECK_MESSAGE(again.code == 0, again.text);
  CHECK(same_end(out));
}

TEST_CASE("SIGUSR1 saves now, and the run goes on") {
  const std::string out = scratch() + "/asked";
  const std::string arguments =
      "train --data glyphs --train-size 200 --test-size 10 --batch-size 1 --model vit_fashion_p7 --epochs 1"
      " --save-every 0 --threads 1 --out " +
      out;
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string command = "exec " + program() + " " + arguments + " > " + out + ".txt 2>&1 < /dev/null";
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  // From its first breath on it must not die of the signal, so it is sent again and again.
  int status = 0;
  while (!fs::exists(out + "/run.lock") && waitpid(child, &status, WNOHANG) == 0) usleep(1000);
  for (int i = 0; i < 3000 && waitpid(child, &status, WNOHANG) == 0; ++i) {
    if (!fs::exists(out + "/" + kCheckpointFile)) kill(child, SIGUSR1);
    usleep(20000);
  }
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(fs::exists(out + "/" + kPreviousFile));  // the one that was asked for, before that of the end
  CHECK(read_text_file(out + ".txt").find("saved after update ") != std::string::npos);
}

TEST_CASE("seconds of a run that goes on are counted on") {
  const std::string out = scratch() + "/seconds";
  REQUIRE(run("train --max-steps 6 --out " + out + kRun).code == 0);  // one epoch
  Checkpoint checkpoint = read_checkpoint(out + "/" + kCheckpointFile);
  checkpoint.state.config.max_steps = 0;
  write_checkpoint(out + "/" + kCheckpointFile, checkpoint);
  std::string row = read_text_file(out + "/metrics.jsonl");
  const size_t at = row.find("\"seconds\":") + 10;
  row.replace(at, row.find(',', at) - at, "5000.0");
  write_file_atomically(out + "/metrics.jsonl", row);
  const Outcome resumed = run("train --resume --out " + out);
  REQUIRE_MESSAGE(resumed.code == 0, resumed.text);
  CHECK_MESSAGE(resumed.says(", 1:23:"), resumed.text);  // 5,000 s and what the rest took
}

TEST_CASE("a run that has saved no model yet is said to be one") {
  const std::string out = scratch() + "/no_model_yet";
  fs::create_directories(out);
  for (const char* name : {kCheckpointFile, kPreviousFile}) fs::copy_file(undisturbed() + "/" + name, out + "/" + name);
  const Outcome asked = run("info " + out);
  CHECK(asked.code == 3);
  CHECK_MESSAGE(asked.says("the run has saved no model yet"), asked.text);
}

TEST_CASE("a checkpoint is no model: predict says which file is") {
  const Outcome outcome = run("eval --data glyphs --model " + undisturbed() + "/" + kCheckpointFile);
  CHECK(outcome.code == 3);
  CHECK_MESSAGE(outcome.says("this is a checkpoint of a training run, not a model. Hint: the model is model.safetensors"),
                outcome.text);
  CHECK(run("info " + undisturbed() + "/" + kCheckpointFile).says("checkpoint of a training run: step 18"));
  CHECK(run("eval --data glyphs --limit 10 --model " + undisturbed() + "/" + kBestFile).code == 0);
}

TEST_CASE("a run whose numbers break ends with exit code 6, says where, and keeps its last checkpoint") {
  const std::string out = scratch() + "/broken";
  const Outcome outcome = run("train --out " + out + kRun + "--lr 1e30 --clip-norm 0 --optimizer sgd");
  CHECK(outcome.code == 6);
  CHECK_MESSAGE(outcome.says(" is not finite"), outcome.text);
  if (has_checkpoint(out)) CHECK(run("verify " + out).code == 0);
}

TEST_CASE("of the run that --force replaces no result stands beside the new recipe, though the new run comes to none") {
  const std::string out = scratch() + "/forced";
  fs::copy(undisturbed(), out);
  const Outcome outcome = run("train --force --out " + out + kRun + "--lr 1e30 --clip-norm 0 --optimizer sgd");
  REQUIRE_MESSAGE(outcome.code == 6, outcome.text);
  CHECK(fs::file_size(out + "/metrics.jsonl") == 0);
  CHECK(fs::file_size(out + "/metrics.csv") == 0);
  for (const char* gone : {kBestFile, "curve.csv", "report.html"}) {
    CAPTURE(gone);
    CHECK(!fs::exists(out + "/" + gone));
  }
  CHECK(fs::exists(out + "/" + kModelFile));  // until the new run has one
  const Outcome folds = run("train --kfold 3 --force --out " + out + kRun);
  CHECK(folds.code == 2);
  CHECK_MESSAGE(folds.says("--force does not go with --kfold"), folds.text);
}
