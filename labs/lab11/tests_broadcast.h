// Lab 11, exercise 11.1: the numbers of one rank on all ranks.
#pragma once

#include <string>
#include <vector>

#include "comm/collectives.h"
#include "labs/lab11/replicas.h"
#include "labs/lab11/tests_common.h"
#include "nn/module.h"
#include "tensor/ops.h"

namespace {

using namespace vitrail;

AfterRun after_broadcast(const OfRanks& lists, int root, const lab::Weather& weather) {
  return on_ranks(lists, weather, [root](Communicator& comm, std::vector<double>& list) {
    broadcast(comm, std::as_writable_bytes(std::span(list)), root);
  });
}

// Ranks 0, 1, ... with the numbers 1, 2, ...
OfRanks numbered(int ranks) {
  OfRanks lists;
  for (int r = 0; r < ranks; ++r) lists.push_back({static_cast<double>(r + 1), 0.5});
  return lists;
}

int64_t rounds_of_tree(int ranks) {
  int64_t rounds = 0;
  for (int have = 1; have < ranks; have *= 2) ++rounds;
  return rounds;
}

// Two names for one weight, one that is frozen, and two buffers.
struct TiedModel : nn::Module {
  Variable embed, head, scale, frozen;
  Tensor running, seen;
  explicit TiedModel(uint64_t seed)
      : embed(rand_normal({3, 5}, 0, 1, Rng(seed)), true),
        head(embed),
        scale(rand_normal({4}, 0, 1, Rng(seed + 100), Dtype::f64), true),
        frozen(rand_normal({2}, 0, 1, Rng(seed + 300)), false),
        running(rand_normal({5}, 0, 1, Rng(seed + 200))),
        seen(full({1}, static_cast<double>(seed), Dtype::i64)) {
    register_parameter("embed", embed);
    register_parameter("head", head);
    register_parameter("scale", scale);
    register_parameter("frozen", frozen);
    register_buffer("running", running);
    register_buffer("seen", seen);
  }
  static constexpr int64_t kBytes = 15 * 4 + 4 * 8 + 2 * 4 + 5 * 4 + 8;
  std::vector<double> numbers() {
    std::vector<double> all;
    for (const auto& [name, tensor] : state_dict())
      for (const double x : to_vector<double>(vitrail::to(contiguous(tensor), Dtype::f64))) all.push_back(x);
    return all;
  }
};

// The models of seeds first, first + 1, ... after share_weights().
AfterRun after_sharing(int ranks, int root, uint64_t first, const lab::Weather& weather) {
  return on_ranks(OfRanks(static_cast<size_t>(ranks)), weather, [&](Communicator& comm, std::vector<double>& list) {
    TiedModel model(first + static_cast<uint64_t>(comm.rank()));
    lab::share_weights(comm, model, root);
    list = model.numbers();
  });
}

std::string costs_of(const AfterRun& after) {
  const std::vector<int64_t>& messages = after.traffic.messages;
  const int64_t most = messages.empty() ? 0 : *std::max_element(messages.begin(), messages.end());
  return cat(after.traffic.all_messages(), " messages, ", most, " of one rank, ", after.traffic.rounds, " rounds; ");
}

}  // namespace

LAB_PROBE("11.1") { return text_of(after_broadcast(numbered(2), 0, {})) + text_of(after_broadcast(numbered(2), 1, {})); }
LAB_PROBE("11.1") { return text_of(after_broadcast(numbered(3), 0, {})) + text_of(after_broadcast(numbered(3), 2, {})); }
LAB_PROBE("11.1") {
  const AfterRun four = after_broadcast(numbered(4), 1, {}), eight = after_broadcast(numbered(8), 0, {});
  return text_of(four) + costs_of(four) + text_of(eight) + costs_of(eight);
}
LAB_PROBE("11.1") {
  const AfterRun after = after_sharing(2, 1, 1, {});
  return text_of(after, 3) + cat(after.traffic.all_bytes());
}
LAB_PROBE("11.1") { return text_of(after_sharing(2, 0, 1, {}), 3); }

TEST_SUITE("11.1") {
  TEST_CASE("all ranks have the root's bytes, whichever rank that is, whatever the messages take") {
    lab::Dice dice(1101);
    for (int ranks = 1; ranks <= kRanks; ++ranks) {
      for (int root = 0; root < ranks; ++root) {
        const OfRanks lists = whole_numbers(ranks, dice.roll(1, 9), dice);
        const OfRanks wanted(static_cast<size_t>(ranks), lists[static_cast<size_t>(root)]);
        for (const lab::Weather& weather : weathers(1101)) {
          CAPTURE(root);
          CHECK(problem_of(after_broadcast(lists, root, weather), wanted, 0, weather) == "");
        }
      }
    }
  }
  TEST_CASE("numbers of ranks that are no powers of two") {
    for (const int ranks : {3, 5, 6, 7}) {
      const int root = ranks / 2;
      const OfRanks wanted(static_cast<size_t>(ranks), numbered(ranks)[static_cast<size_t>(root)]);
      CHECK(problem_of(after_broadcast(numbered(ranks), root, {}), wanted, 0, {}) == "");
    }
  }
  TEST_CASE("every rank but the root gets one message, and no more than log2 R of them follow one another") {
    for (int ranks = 1; ranks <= 8; ++ranks) {
      const AfterRun after = after_broadcast(numbered(ranks), ranks - 1, {});
      CAPTURE(ranks);
      CHECK(after.trouble == "");
      CHECK(after.traffic.all_messages() == ranks - 1);
      CHECK(after.traffic.rounds == rounds_of_tree(ranks));
    }
  }
  TEST_CASE("models of other seeds become the root's: parameters and buffers") {
    for (int ranks = 1; ranks <= kRanks; ++ranks) {
      for (int root = 0; root < ranks; root += 2) {
        const uint64_t first = 10 * lab::seed();
        const OfRanks wanted(static_cast<size_t>(ranks), TiedModel(first + static_cast<uint64_t>(root)).numbers());
        for (const lab::Weather& weather : weathers(1102)) {
          CAPTURE(root);
          CHECK(problem_of(after_sharing(ranks, root, first, weather), wanted, 0, weather) == "");
        }
      }
    }
  }
  TEST_CASE("a weight with two names travels once") {
    for (int ranks = 1; ranks <= kRanks; ++ranks) {
      const AfterRun after = after_sharing(ranks, 0, 1, {});
      CHECK(after.trouble == "");
      CHECK(after.traffic.all_bytes() == (ranks - 1) * TiedModel::kBytes);
    }
  }
}
