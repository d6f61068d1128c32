// Checkpoints: what is written is read back, damage is found, and one of two generations is always there.
#include "train/checkpoint.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <limits>

#include "base/file.h"
#include "tensor/safetensors_checksums.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// A small state with all that a state may hold.
Checkpoint example(int64_t step = 7) {
  Checkpoint c;
  c.state.task = "classification";
  c.state.config = quick(3, 5);
  c.state.config.lr = 0.1 + 0.2;  // no short decimal
  c.state.config.seed = (uint64_t{1} << 62) + 1;
  c.state.step = step, c.state.epoch = step / 4, c.state.batch = step % 4;
  c.state.weights = {{"head.weight", from_vector(std::vector<float>{1, -2, 3.5f, 0, 5, 6}, {2, 3})}, {"empty", zeros({0, 4})}};
  c.state.optimizer = {{"step", from_vector(std::vector<int64_t>{step}, {1})},
                       {"exp_avg.head.weight", zeros({2, 3}, Dtype::f64)}};
  c.state.average = {{"head.weight", ones({2, 3})}};
  c.state.average_updates = step;
  c.state.sums = {{"images", 15}, {"loss", 1.0 / 3}, {"a_part", 2.0 / 7}};  // "a_part" comes first in the alphabet, not here
  c.state.best = 1.0 / 9, c.state.best_step = 4;
  c.state.grad_norm = 1e-300;
  c.state.test_due = true;
  c.card.preprocessing.height = c.card.preprocessing.width = 28, c.card.preprocessing.channels = 1;
  c.card.preprocessing.mean = {0.5}, c.card.preprocessing.std = {0.25};
  c.card.class_names = {"cat", "d\u00f6g"};
  c.architecture = R"({"architecture":"vit"})";
  c.data = R"({"name":"x"})";
  c.job = R"({"data":"glyphs"})";
  return c;
}

void flip(std::string& content, size_t byte, int bit = 0) { content[byte] = static_cast<char>(content[byte] ^ (1 << bit)); }

}  // namespace

TEST_CASE("a checkpoint is read back as it was written, to the bit, and the same state gives the same file") {
  const ScratchFolder folder;
  const Checkpoint c = example();
  write_checkpoint(folder.file("a"), c);
  const Checkpoint back = read_checkpoint(folder.file("a"));
  CHECK(differences(back.state, c.state).empty());
  CHECK(back.card.preprocessing == c.card.preprocessing);
  CHECK(back.card.class_names == c.card.class_names);
  CHECK(back.architecture == c.architecture);
  CHECK(back.data == c.data);
  CHECK(back.job == c.job);
  Checkpoint other_threads = c;
  other_threads.state.config.threads = 5;
  other_threads.state.config.save_steps = 3;
  write_checkpoint(folder.file("b"), other_threads);
  CHECK(content_of(folder.file("a")) == content_of(folder.file("b")));
}

TEST_CASE("any changed bit, and any cut, is noticed") {
  const ScratchFolder folder;
  write_checkpoint(folder.file("good"), example());
  const std::string good = content_of(folder.file("good")), path = folder.file("bad");
  const auto refused = [&](const std::string& content) {
    put_content(path, content);
    const auto error = error_of([&] { read_checkpoint(path); });
    return error && error->kind() == ErrorKind::kData;
  };
  for (size_t byte = 0; byte < good.size(); ++byte) {
    CAPTURE(byte);
    std::string bad = good;
    flip(bad, byte, static_cast<int>(byte % 8));
    CHECK(refused(bad));
  }
  for (size_t length = 0; length < good.size(); length += 7) {
    CAPTURE(length);
    CHECK(refused(good.substr(0, length)));
  }
  CHECK(refused(good + " "));
  put_content(path, good);
  CHECK(!error_of([&] { read_checkpoint(path); }));
}

TEST_CASE("the message names what differs") {
  const ScratchFolder folder;
  const std::string path = folder.file("c");
  write_checkpoint(path, example());
  std::string bad = content_of(path);
  flip(bad, bad.size() - 1);
  put_content(path, bad);
  CHECK(refuses([&] { read_checkpoint(path); }, ErrorKind::kData, "average.head.weight is not what was written"));
  bad = content_of(path);
  flip(bad, bad.size() - 1);
  bad.replace(bad.find("\\\"step\\\": 7"), 11, "\\\"step\\\": 8");
  put_content(path, bad);
  CHECK(refuses([&] { read_checkpoint(path); }, ErrorKind::kData, "the text vitrail_run is not what was written"));
  SafetensorsFile plain;
  plain.tensors = {{"x", ones({2})}};
  save_safetensors(path, plain);
  CHECK(refuses([&] { read_checkpoint(path); }, ErrorKind::kData, "this is no checkpoint of a training run"));
  CHECK(refuses([&] { verify_checksums(path); }, ErrorKind::kData, "the file has no checksums"));
  plain.metadata = {{kRunKey, R"({"format": 2})"}};
  add_checksums(plain);
  save_safetensors(path, plain);
  CHECK(refuses([&] { read_checkpoint(path); }, ErrorKind::kData, "format 2 is unknown; this program reads format 1"));
}

TEST_CASE("a state that is not finite is not written, and the checkpoints that are there stay") {
  const ScratchFolder folder;
  save_checkpoint(folder.path(), example(7));
  const std::string before = content_of(folder.file(kCheckpointFile));
  Checkpoint bad = example(8);
  fill_(bad.state.optimizer[1].second, std::numeric_limits<double>::quiet_NaN());
  CHECK(refuses([&] { save_checkpoint(folder.path(), bad); }, ErrorKind::kNumeric, "optimizer.exp_avg.head.weight holds NaN"));
  CHECK(content_of(folder.file(kCheckpointFile)) == before);
  CHECK(folder.entries() == 1);
}

TEST_CASE("two generations are kept, and the newest valid one is found, with a word about a newer one that is damaged") {
  const ScratchFolder folder;
  CHECK(!has_checkpoint(folder.path()));
  CHECK(refuses([&] { find_checkpoint(folder.path()); }, ErrorKind::kIo, "the folder holds no checkpoint"));
  for (int64_t step = 1; step <= 4; ++step) save_checkpoint(folder.path(), example(step));
  CHECK(folder.entries() == 2);
  CHECK(read_checkpoint(folder.file(kCheckpointFile)).state.step == 4);
  CHECK(read_checkpoint(folder.file(kPreviousFile)).state.step == 3);
  CHECK(find_checkpoint(folder.path()).checkpoint.state.step == 4);
  CHECK(find_checkpoint(folder.path()).complaint.empty());

  std::string bad = content_of(folder.file(kCheckpointFile));
  flip(bad, bad.size() / 2);
  put_content(folder.file(kCheckpointFile), bad);
  const FoundCheckpoint found = find_checkpoint(folder.path());
  CHECK(found.checkpoint.state.step == 3);
  CHECK(found.path == folder.file(kPreviousFile));
  CHECK(found.complaint.find(kCheckpointFile) != std::string::npos);
  CHECK(found.damaged == std::vector<std::string>{folder.file(kCheckpointFile)});
  settle(folder.path(), found);
  save_checkpoint(folder.path(), example(5));
  CHECK(read_checkpoint(folder.file(kCheckpointFile)).state.step == 5);
  CHECK(read_checkpoint(folder.file(kPreviousFile)).state.step == 3);  // not the damaged one
  put_content(folder.file(kCheckpointFile), "x");

  put_content(folder.file(kPreviousFile), "x");
  CHECK(refuses([&] { find_checkpoint(folder.path()); }, ErrorKind::kData, "no valid checkpoint is left"));
  remove_checkpoints(folder.path());
  CHECK(folder.entries() == 1);  // checkpoint.safetensors.damaged
  remove_checkpoints(folder.path());
}

TEST_CASE("a save that was killed between its renames is neither lost nor overwritten before the next one is whole") {
  const ScratchFolder folder;
  save_checkpoint(folder.path(), example(1));
  save_checkpoint(folder.path(), example(2));
  // Before the first rename, and between the two.
  write_checkpoint(folder.file(kNextFile), example(3));
  CHECK(find_checkpoint(folder.path()).checkpoint.state.step == 3);
  settle(folder.path(), find_checkpoint(folder.path()));
  CHECK(read_checkpoint(folder.file(kCheckpointFile)).state.step == 3);
  CHECK(read_checkpoint(folder.file(kPreviousFile)).state.step == 2);
  CHECK(folder.entries() == 2);
  write_checkpoint(folder.file(kNextFile), example(3));
  rename_file(folder.file(kCheckpointFile), folder.file(kPreviousFile));
  CHECK(find_checkpoint(folder.path()).checkpoint.state.step == 3);
  save_checkpoint(folder.path(), example(4));
  CHECK(read_checkpoint(folder.file(kCheckpointFile)).state.step == 4);
  CHECK(read_checkpoint(folder.file(kPreviousFile)).state.step == 3);
  CHECK(folder.entries() == 2);
  // One that is damaged has no turn.
  put_content(folder.file(kNextFile), "half a fi");
  CHECK(find_checkpoint(folder.path()).checkpoint.state.step == 4);
  save_checkpoint(folder.path(), example(5));
  CHECK(read_checkpoint(folder.file(kPreviousFile)).state.step == 4);
  CHECK(folder.entries() == 2);
}

TEST_CASE("data sets are told apart by name, size and labels, not by where they lie") {
  const auto identity = [](int64_t train, int64_t test) {
    return data_identity(*glyphs(train), glyphs(test, Split::kTest).get());
  };
  CHECK(identity(20, 10) == identity(20, 10));
  CHECK(identity(20, 10) != identity(21, 10));
  CHECK(identity(20, 10) != identity(20, 11));
  const DatasetPtr data = glyphs(20);
  const SubsetDataset turned(data, {1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19});
  CHECK(data_identity(turned, nullptr) != data_identity(*data, nullptr));
}
