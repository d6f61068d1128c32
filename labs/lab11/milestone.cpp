// Milestone of lab 11: a ViT trained on four ranks and on one. The ranks are threads; their messages take the time that a slow
// network would need (LATENCY microseconds and RATE megabytes a second), so that one can see who waits for what.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "autograd/engine.h"
#include "autograd/ops.h"
#include "base/file.h"
#include "base/number.h"
#include "base/svg.h"
#include "comm/all_reduce.h"
#include "labs/common/milestone.h"
#include "labs/lab11/buckets.h"
#include "labs/lab11/clip.h"
#include "labs/lab11/replicas.h"
#include "labs/lab11/ring.h"
#include "labs/lab11/shard.h"
#include "labs/lab11/uneven.h"
#include "labs/lab11/watched_ranks.h"
#include "models/vit.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"

using namespace vitrail;

namespace {

constexpr int64_t kSide = 32, kSamples = 212, kBatch = 54, kEpochs = 10;  // four batches an epoch, the last one of 50
constexpr double kRate = 0.05, kMomentum = 0.9, kLongest = 1;
constexpr int kRanks = 4, kShown = 16;  // the update that the picture begins with

int64_t from_user(const char* name, int64_t usual) {
  const char* const text = std::getenv(name);
  return text ? parse_integer("labs", name, text, 1, 1000000000) : usual;
}
const lab::Weather kNetwork{.latency = 1e-6 * static_cast<double>(from_user("LATENCY", 50)),
                            .rate = 1e6 * static_cast<double>(from_user("RATE", 20))};
const int64_t kBucket = from_user("BUCKET", 4000);

// ---- the task: is the disc lighter or darker than the ground? ----

struct Pictures {
  Tensor images, labels;  // f32 [N, 1, 32, 32]; i64 [N]
};

Pictures drawn() {
  Pictures all{rand_normal({kSamples, 1, kSide, kSide}, 0, 0.5, Rng(1)), empty({kSamples}, Dtype::i64)};
  float* pixel = all.images.mutable_data<float>();
  const Rng places(2);
  for (int64_t i = 0; i < kSamples; ++i) {
    const auto at = static_cast<uint64_t>(3 * i);
    const auto light = static_cast<int64_t>(places.below(at, 2)), cx = 6 + static_cast<int64_t>(places.below(at + 1, 20)),
               cy = 6 + static_cast<int64_t>(places.below(at + 2, 20));
    all.labels.mutable_data<int64_t>()[i] = light;
    for (int64_t y = 0; y < kSide; ++y)
      for (int64_t x = 0; x < kSide; ++x, ++pixel)
        if ((y - cy) * (y - cy) + (x - cx) * (x - cx) <= 30) *pixel += light ? 1.0f : -1.0f;
  }
  return all;
}

Pictures chosen(const Pictures& all, const std::vector<int64_t>& which) {
  const Tensor index = from_vector(which, {static_cast<int64_t>(which.size())});
  return {index_select(all.images, 0, index), index_select(all.labels, 0, index)};
}

models::ViTConfig vit() {
  models::ViTConfig c;
  c.img_size = kSide, c.patch_size = 4, c.in_chans = 1, c.num_classes = 2, c.embed_dim = 32, c.depth = 3, c.num_heads = 2,
  c.mlp_ratio = 2, c.global_pool = "avg";
  return c;
}

// ---- one run ----

enum class Work { kCompute, kMessages, kUpdate };
struct Stretch {
  Work work;
  int64_t update;
  double begin, end;  // seconds since the start of the run
};

enum class Way { kAtOnce, kInBuckets };  // 11.3 after the backward pass, or 11.2 and 11.4 during it

struct Run {
  std::vector<double> losses;                  // of each update
  std::vector<std::vector<Stretch>> of_ranks;  // what each did when
  std::vector<double> waited;                  // seconds of each rank
  double seconds = 0, sent = 0;                // of an update; bytes of rank 0 in an update
  int64_t buckets = 0;
};

class Rank {
 public:
  Rank(Communicator& comm, const Pictures& all, Way way, Run& run)
      : comm_(comm), all_(all), way_(way), run_(run), model_(vit(), Rng(10 + static_cast<uint64_t>(comm.rank()))) {
    lab::share_weights(comm_, model_, 0);
    parameters_ = model_.named_parameters();
    order_of_gradients();
    for (const size_t i : order_) sizes_.push_back(parameters_[i].parameter->numel());
    buckets_ = std::make_unique<lab::Buckets>(comm_, sizes_, kBucket,
                                              [this](Communicator& c, std::span<float> values) { add_up(c, values); });
    int64_t numbers = 0;
    for (const int64_t size : sizes_) numbers += size;
    slices_ = even_slices(numbers, comm_.size());
    momentum_.assign(static_cast<size_t>(slices_.length(comm_.rank())), 0);
    gradient_.resize(static_cast<size_t>(numbers)), weights_.resize(gradient_.size());
  }

  void train() {
    start_ = now();
    for (int64_t epoch = 0; epoch < kEpochs; ++epoch)
      for (const std::vector<int64_t>& samples : lab::shard({kSamples, kBatch, 7, comm_.size()}, epoch, comm_.rank())) {
        const double loss = backward(samples);
        note(Work::kUpdate, [&] { move(); });
        if (comm_.rank() == 0) run_.losses.push_back(loss);
        ++update_;
      }
    if (comm_.rank() != 0) return;
    const double updates = static_cast<double>(update_);
    run_.seconds = (now() - start_) / updates, run_.sent = comm_.sent() / updates;
    run_.buckets = static_cast<int64_t>(buckets_->bucket_sizes().size());
  }

 private:
  static double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
  template <class Fn>
  void note(Work work, const Fn& fn) {
    const double begin = now();
    fn();
    const std::lock_guard<std::mutex> lock(mutex_);  // the lane notes, too
    run_.of_ranks[static_cast<size_t>(comm_.rank())].push_back({work, update_, begin - start_, now() - start_});
  }
  void add_up(Communicator& comm, std::span<float> values) {
    note(Work::kMessages, [&] { lab::ring_all_reduce(comm, values); });
  }

  // In which order a backward pass finishes the gradients: the same on all ranks, since it follows from the graph.
  void order_of_gradients() {
    for (size_t i = 0; i < parameters_.size(); ++i) number_[parameters_[i].parameter->meta().get()] = i;
    const Pictures two = chosen(all_, {0, 1});
    const GradientObserverGuard guard([this](const Variable& leaf) {
      const size_t i = number_.at(leaf.meta().get());
      place_[i] = order_.size();
      order_.push_back(i);
    });
    cross_entropy(model_(two.images), two.labels).backward();
    model_.zero_grad();
  }

  // The gradient of the batch on all ranks, and its loss.
  double backward(const std::vector<int64_t>& samples) {
    double mine[2] = {0, static_cast<double>(samples.size())};
    double all = mine[1];
    all_reduce(comm_, std::span(&all, 1));
    const double share = mine[1] / all;
    if (way_ == Way::kInBuckets) buckets_->begin();
    note(Work::kCompute, [&] {
      model_.zero_grad();
      if (samples.empty()) return;
      const Pictures part = chosen(all_, samples);
      const Variable loss = cross_entropy(model_(part.images), part.labels);
      mine[0] = share * loss.value().item();
      if (way_ == Way::kAtOnce) return loss.backward();
      const GradientObserverGuard guard([this](const Variable& leaf) {
        Tensor g = contiguous(leaf.grad());
        buckets_->ready(place_.at(number_.at(leaf.meta().get())), lab::floats_of(g));
      });
      loss.backward(full(loss.shape(), share));  // a sum over the ranks is then a mean over the images
    });
    const double begin = now();
    if (way_ == Way::kInBuckets)
      buckets_->finish();
    else
      note(Work::kMessages, [&] { lab::average_gradients(comm_, parameters_, static_cast<int64_t>(samples.size())); });
    run_.waited[static_cast<size_t>(comm_.rank())] += now() - begin;
    all_reduce(comm_, std::span(&mine[0], 1));
    return mine[0];
  }

  // Each rank clips and moves its own slice of the weights, with its own slice of the momentum; then all get all of them.
  void move() {
    size_t at = 0;
    for (size_t k = 0; k < order_.size(); ++k) {
      const Variable& parameter = *parameters_[order_[k]].parameter;
      const Tensor value = contiguous(parameter.value());
      const auto n = static_cast<size_t>(sizes_[k]);
      std::memcpy(weights_.data() + at, value.data<float>(), n * sizeof(float));
      if (way_ == Way::kInBuckets) {
        std::memcpy(gradient_.data() + at, buckets_->sum(k).data(), n * sizeof(float));
      } else {
        const Tensor g = contiguous(parameter.grad());
        std::memcpy(gradient_.data() + at, g.data<float>(), n * sizeof(float));
      }
      at += n;
    }
    const auto begin = static_cast<size_t>(slices_.begin[static_cast<size_t>(comm_.rank())]);
    const std::span<float> own = std::span(gradient_).subspan(begin, momentum_.size());
    lab::clip_shared(comm_, own, kLongest);
    for (size_t i = 0; i < own.size(); ++i) {
      momentum_[i] = static_cast<float>(kMomentum) * momentum_[i] + own[i];
      weights_[begin + i] -= static_cast<float>(kRate) * momentum_[i];
    }
    all_gather(comm_, std::span(weights_), slices_);
    at = 0;
    for (size_t k = 0; k < order_.size(); ++k) {
      Tensor value = parameters_[order_[k]].parameter->value();
      const auto n = static_cast<size_t>(sizes_[k]);
      std::memcpy(value.mutable_data<float>(), weights_.data() + at, n * sizeof(float));
      at += n;
    }
  }

  Communicator& comm_;
  const Pictures& all_;
  const Way way_;
  Run& run_;
  models::ViT model_;
  std::vector<nn::NamedParameter> parameters_;
  std::unordered_map<const Meta*, size_t> number_;  // of a parameter
  std::unordered_map<size_t, size_t> place_;        // of a parameter in the order of the gradients
  std::vector<size_t> order_;
  std::vector<int64_t> sizes_;
  Slices slices_;
  std::vector<float> gradient_, weights_, momentum_;
  double start_ = 0;
  int64_t update_ = 0;
  std::mutex mutex_;
  std::unique_ptr<lab::Buckets> buckets_;  // the last: its thread uses the others
};

Run trained(const Pictures& all, int ranks, Way way) {
  Run run;
  run.of_ranks.resize(static_cast<size_t>(ranks));
  run.waited.resize(static_cast<size_t>(ranks));
  lab::run_watched(ranks, kNetwork, [&](Communicator& comm) { Rank(comm, all, way, run).train(); });
  return run;
}

double largest_difference(const Run& a, const Run& b) {
  double largest = a.losses.size() == b.losses.size() ? 0 : INFINITY;
  for (size_t i = 0; i < std::min(a.losses.size(), b.losses.size()); ++i)
    largest = std::max(largest, std::isfinite(b.losses[i]) ? std::abs(a.losses[i] - b.losses[i]) : INFINITY);
  return largest;
}

// ---- bits ----

constexpr int64_t kSums = 10000;

// The sums of eight summands, of which each rank adds up its own consecutive ones in a tree before the ranks do.
std::vector<float> sums_of_eight(int ranks, void (*reduce)(Communicator&, std::span<float>)) {
  std::vector<float> result;
  lab::run_watched(ranks, {}, [&](Communicator& comm) {
    const int own = 8 / ranks;
    std::vector<std::vector<float>> summands;
    for (int i = 0; i < own; ++i)
      summands.push_back(to_vector<float>(rand_normal({kSums}, 0, 1, Rng(30 + static_cast<uint64_t>(comm.rank() * own + i)))));
    for (size_t distance = 1; distance < summands.size(); distance *= 2)
      for (size_t i = 0; i + distance < summands.size(); i += 2 * distance)
        for (size_t k = 0; k < summands[i].size(); ++k) summands[i][k] += summands[i + distance][k];
    reduce(comm, summands[0]);
    if (comm.rank() == ranks - 1) result = summands[0];
  });
  return result;
}

int64_t other_bits(int ranks, void (*reduce)(Communicator&, std::span<float>)) {
  const std::vector<float> one = sums_of_eight(1, reduce), several = sums_of_eight(ranks, reduce);
  int64_t different = 0;
  for (size_t i = 0; i < one.size(); ++i) different += std::memcmp(&one[i], &several[i], sizeof(float)) != 0;
  return different;
}

// ---- the picture ----

class Picture {
 public:
  // Two updates of a run. Above: computing (hatched) and moving the weights (grey); below: messages (black).
  void ranks(const Run& run, double top, const std::string& title) {
    svg_.text(20, top, title, "class=\"t\"");
    double begin = INFINITY, end = 0;
    for (const auto& stretches : run.of_ranks)
      for (const Stretch& s : stretches)
        if (s.update >= kShown && s.update < kShown + 2) begin = std::min(begin, s.begin), end = std::max(end, s.end);
    longest_ = longest_ > 0 ? longest_ : end - begin;
    const auto x = [&](double seconds) { return 70 + 380 * std::min(1.0, (seconds - begin) / longest_); };
    for (size_t r = 0; r < run.of_ranks.size(); ++r) {
      const double y = top + 12 + 36 * static_cast<double>(r);
      svg_.text(20, y + 20, cat("rank ", r));
      svg_.rect(70, y, 380, 30, "fill=\"none\" stroke=\"#bbb\"");
      for (const Stretch& s : run.of_ranks[r]) {
        if (s.update < kShown || s.update >= kShown + 2) continue;
        const bool below = s.work == Work::kMessages;
        const char* const fill = s.work == Work::kCompute  ? "fill=\"url(#hatched)\" stroke=\"#000\""
                                 : s.work == Work::kUpdate ? "fill=\"#bbb\""
                                                           : "fill=\"#000\"";
        svg_.rect(x(s.begin), y + (below ? 16 : 0), std::max(0.5, x(s.end) - x(s.begin)), below ? 14 : 15, fill);
      }
    }
    char text[64];
    std::snprintf(text, sizeof text, "%.1f ms", 1e3 * longest_);
    svg_.text(450, top, text, "class=\"e\"");
  }
  void curves(const Run& one, const Run& four) {
    svg_.text(500, 24, "loss over the updates", "class=\"t\"");
    svg_.rect(500, 36, 330, 300, "fill=\"none\" stroke=\"#bbb\"");
    const double most = *std::max_element(one.losses.begin(), one.losses.end());
    const auto place = [&](size_t i, double loss) {
      const double x = 500 + 330 * static_cast<double>(i) / static_cast<double>(one.losses.size() - 1);
      return cat(svg_number(x), " ", svg_number(336 - 290 * std::clamp(loss / most, 0.0, 1.0)));
    };
    std::string line;
    for (size_t i = 0; i < one.losses.size(); ++i) line += (i ? " L " : "M ") + place(i, one.losses[i]);
    svg_.path(line, "fill=\"none\" stroke=\"#000\" stroke-width=\"1.5\"");
    for (size_t i = 0; i < four.losses.size(); ++i)
      svg_.path(cat("M ", place(i, four.losses[i]), " m -4 0 a 4 4 0 1 0 8 0 a 4 4 0 1 0 -8 0"),
                "fill=\"none\" stroke=\"#000\"");
    svg_.text(500, 356, "line: one rank; rings: four ranks");
  }
  std::string str() const {
    std::string page = svg_.str();
    const std::string hatched =
        "<defs><pattern id=\"hatched\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">"
        "<path d=\"M 0 5 L 5 0\" stroke=\"#000\"/></pattern></defs>\n";
    return page.insert(page.rfind("</svg>"), hatched);
  }

 private:
  Svg svg_{850, 390, "text{font:13px sans-serif}.t{font-weight:bold}.e{text-anchor:end}"};
  double longest_ = 0;
};

// ---- all together ----

void tell(const char* name, const Run& run) {
  const double updates = static_cast<double>(run.losses.size());
  double waited = 0;
  for (const double seconds : run.waited) waited = std::max(waited, seconds);
  std::printf("  %-32s %6.1f ms an update, %5.1f ms waiting for sums, %4.0f kB sent by a rank\n", name, 1e3 * run.seconds,
              1e3 * waited / updates, run.sent / 1e3);
}

int draw_all(const std::string& folder) {
  const int threads = num_threads();
  set_num_threads(1);
  const Pictures all = drawn();
  const Run one = trained(all, 1, Way::kInBuckets), at_once = trained(all, kRanks, Way::kAtOnce),
            in_buckets = trained(all, kRanks, Way::kInBuckets);
  set_num_threads(threads);
  tell("one rank", one);
  tell("four ranks, sums at the end", at_once);
  tell("four ranks, sums in buckets", in_buckets);
  std::printf("  %lld buckets of at least %lld numbers; loss %.4f at first, %.4f at last\n",
              static_cast<long long>(in_buckets.buckets), static_cast<long long>(kBucket), one.losses.front(),
              one.losses.back());
  const double off = std::max(largest_difference(one, at_once), largest_difference(one, in_buckets));
  std::printf("  the loss of four ranks differs from that of one by at most %.1e\n", off);
  std::printf(
      "  of %lld sums have other bits than on one rank: ring, 2 ranks: %lld, 4 ranks: %lld; tree, 2 ranks: %lld, 4 "
      "ranks: %lld\n",
      static_cast<long long>(kSums), static_cast<long long>(other_bits(2, lab::ring_all_reduce<float>)),
      static_cast<long long>(other_bits(4, lab::ring_all_reduce<float>)), static_cast<long long>(other_bits(2, all_reduce)),
      static_cast<long long>(other_bits(4, all_reduce)));
  Picture picture;
  picture.ranks(at_once, 24, "two updates: sums at the end");
  picture.ranks(in_buckets, 210, "two updates: sums in buckets");
  picture.curves(one, in_buckets);
  write_file_atomically(folder + "/lab11.svg", picture.str());
  const bool equal = off <= 1e-6;
  std::printf("lab 11: four ranks equal one to 1e-6: %s\n", equal ? "yes" : "NO");
  return equal ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return lab::milestone(argc, argv, draw_all); }
