// What rank 0 reads, all have.
#include "train/ranks/model_of_rank_0.h"

#include <doctest/doctest.h>

#include "comm/threads.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "train/task/classification.h"

using namespace vitrail;
using namespace vitrail::testing;

TEST_CASE("a saved model is read by rank 0 alone: the others have no such file") {
  const ScratchFolder folder;
  const DatasetPtr data = glyphs(8);
  const auto model = tiny_vit(data->info());
  ClassificationTask task(*model, {preprocessing_for(data->info()), data->class_names(), {}, 0});
  save_model(folder.path(), task.model(), task.architecture(), task.card());
  const SavedModel expected = read_saved_model(folder.path());
  std::vector<SavedModel> all(3);
  run_ranks(3, [&](Communicator& comm) {
    all[static_cast<size_t>(comm.rank())] = read_on_rank_0(comm, comm.rank() == 0 ? folder.path() : "nowhere");
  });
  for (const SavedModel& saved : all) {
    CHECK(card_json(saved.architecture, saved.card) == card_json(expected.architecture, expected.card));
    CHECK(saved.file == expected.file);
    REQUIRE(saved.weights.size() == expected.weights.size());
    for (size_t i = 0; i < saved.weights.size(); ++i) {
      CHECK(saved.weights[i].first == expected.weights[i].first);
      CHECK(saved.weights[i].second.dtype() == expected.weights[i].second.dtype());
      CHECK(bit_equal(saved.weights[i].second, expected.weights[i].second));
    }
  }
}
