#include "train/ranks/gradient_sum.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "comm/all_reduce.h"
#include "comm/collectives.h"
#include "comm/lane.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "train/optim/stretches.h"
#include "train/ranks/bucket_size.h"
#include "train/ranks/pack.h"

namespace vitrail {

namespace {

std::string names_of(const Scores& scores) {
  Packer packer;
  packer.put(scores.size());
  for (const Score& score : scores) packer.put(score.name).put(score.label).put(score.unit).put(score.larger_is_better);
  return packer.bytes();
}

Scores scores_named(const std::string& bytes) {
  Unpacker unpacker(bytes);
  Scores scores(unpacker.get<size_t>());
  for (Score& score : scores) {
    score.name = unpacker.get<std::string>();
    score.label = unpacker.get<std::string>();
    score.unit = unpacker.get<ScoreUnit>();
    score.larger_is_better = unpacker.get<bool>();
  }
  return scores;
}

}  // namespace

GradientSum::GradientSum(Communicator& comm, const GradientSumOptions& options)
    : comm_(comm), options_(options), lane_(std::make_unique<Lane>(comm)) {}

GradientSum::~GradientSum() = default;

void GradientSum::begin(const std::vector<nn::NamedParameter>& parameters) {
  parameters_ = parameters;
  std::vector<bool> trained;
  for (const nn::NamedParameter& entry : parameters) trained.push_back(entry.parameter->requires_grad());
  // Epochs of the head alone end: all ranks see that in the same update.
  if (trained != trained_) laid_out_ = false, trained_ = std::move(trained);
  seen_.clear();
  kept_.assign(parameters.size(), {});
  for (Place& place : places_) place.there = false;
  for (Bucket& bucket : buckets_) bucket.missing = bucket.gradients;
  next_ = 0;
}

void GradientSum::ready(size_t i, const Tensor& gradient) {
  if (!laid_out_) {
    if (gradient.defined()) seen_.push_back(static_cast<int64_t>(i));
    kept_[i] = gradient;
    return;
  }
  Place& place = places_[i];
  if (place.begin < 0) {
    kept_[i] = gradient;
    return;
  }
  take(place, gradient);
  if (options_.overlap) send_whole_buckets();
}

// Copied into the array; where there is none, what changes no sum.
void GradientSum::take(Place& place, const Tensor& gradient) {
  if (place.there) return;
  float* const to = flat_.mutable_data<float>() + place.begin;
  if (gradient.defined()) {
    const Tensor from = contiguous(gradient);
    const float* const p = from.data<float>();
    parallel_for(from.numel(), 4 * kElementwiseGrain, [&](int64_t a, int64_t b) { std::copy(p + a, p + b, to + a); });
  } else {
    std::fill(to, to + (place.end - place.begin), static_cast<float>(kAddsNothing));
  }
  place.there = true;
  --buckets_[place.bucket].missing;
}

// In the order of the array, so that all ranks send the same ones after another.
void GradientSum::send_whole_buckets() {
  while (next_ < buckets_.size() && buckets_[next_].missing == 0) {
    const Bucket& bucket = buckets_[next_++];
    const std::span<float> values(flat_.mutable_data<float>() + bucket.begin, static_cast<size_t>(bucket.end - bucket.begin));
    if (options_.shard) {
      const auto scatter = options_.compress ? reduce_scatter_bf16 : reduce_scatter;
      lane_->start([values, scatter, slices = bucket.slices](Communicator& comm) { scatter(comm, values, slices); });
    } else {
      const auto usual =
          options_.compress ? all_reduce_bf16 : static_cast<void (*)(Communicator&, std::span<float>)>(all_reduce);
      lane_->start([values, reduce = options_.reduce ? options_.reduce : usual](Communicator& comm) { reduce(comm, values); });
    }
  }
}

// Each rank about as much of a bucket, cut between the chunks of a parameter over which norms are added up
// (train/optim/stretches.h): so those are added up as in one process.
void GradientSum::cut_buckets() {
  const int ranks = comm_.size();
  std::vector<std::vector<int64_t>> borders(buckets_.size());
  for (size_t i = 0; i < places_.size(); ++i) {
    const Place& place = places_[i];
    if (place.begin < 0) continue;
    const int64_t n = place.end - place.begin, chunk = whole_(i) ? n : norm_chunk(n);
    for (int64_t at = 0; at < n; at += chunk) borders[place.bucket].push_back(place.begin + at);
  }
  for (size_t b = 0; b < buckets_.size(); ++b) {
    Bucket& bucket = buckets_[b];
    std::vector<int64_t>& all = borders[b];
    std::sort(all.begin(), all.end());
    all.push_back(bucket.end);
    bucket.slices = {};
    int64_t begin = bucket.begin;
    for (int r = 0; r < ranks; ++r) {
      const int64_t wanted = bucket.begin + (bucket.end - bucket.begin) * (r + 1) / ranks;
      const int64_t end = r + 1 == ranks ? bucket.end : *std::lower_bound(all.begin(), all.end(), wanted);
      bucket.slices.begin.push_back(begin - bucket.begin);
      bucket.slices.end.push_back(end - bucket.begin);
      begin = end;
    }
  }
}

ElementRange GradientSum::part(size_t i, int rank) const {
  const Place& place = places_[i];
  if (place.begin < 0) return {};
  const Bucket& bucket = buckets_[place.bucket];
  const auto r = static_cast<size_t>(rank);
  const int64_t begin = std::max(place.begin, bucket.begin + bucket.slices.begin[r]);
  const int64_t end = std::min(place.end, bucket.begin + bucket.slices.end[r]);
  return begin < end ? ElementRange{begin - place.begin, end - place.begin} : ElementRange{};
}

void GradientSum::gather_weights() {
  float* const array = flat_.mutable_data<float>();
  for (size_t i = 0; i < places_.size(); ++i) {
    const ElementRange own = part(i, comm_.rank());
    if (own.size() == 0) continue;
    const float* const weights = parameters_[i].parameter->value().data<float>();
    std::copy(weights + own.begin, weights + own.end, array + places_[i].begin + own.begin);
  }
  for (const Bucket& bucket : buckets_)
    lane_->start([&bucket, array](Communicator& comm) {
      all_gather(comm, std::span(array + bucket.begin, static_cast<size_t>(bucket.end - bucket.begin)), bucket.slices);
    });
  const auto start = std::chrono::steady_clock::now();
  lane_->wait();
  exposed_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (size_t i = 0; i < places_.size(); ++i) {
    const Place& place = places_[i];
    if (place.begin < 0) continue;
    Tensor value = parameters_[i].parameter->value();
    std::copy(array + place.begin, array + place.end, value.mutable_data<float>());
  }
}

void GradientSum::lay_out(const std::vector<int64_t>& order) {
  places_.assign(parameters_.size(), {});
  buckets_.clear();
  int64_t elements = 0;
  for (const int64_t i : order) elements += parameters_[static_cast<size_t>(i)].parameter->numel();
  if (bucket_bytes_ == 0) bucket_bytes_ = options_.overlap ? measured_bucket_bytes(comm_, 4 * elements) : 4 * elements;
  elements = 0;
  for (const int64_t i : order) {
    const Tensor& value = parameters_[static_cast<size_t>(i)].parameter->value();
    check(value.dtype() == Dtype::f32, ErrorKind::kValue, "train",
          "several ranks train f32 parameters: ", name(static_cast<size_t>(i)), " is ", name_of(value.dtype()), ".");
    const bool full = !buckets_.empty() && 4 * (buckets_.back().end - buckets_.back().begin) >= bucket_bytes_;
    if (buckets_.empty() || (options_.overlap && full)) buckets_.push_back({elements, elements, 0, 0});
    places_[static_cast<size_t>(i)] = {elements, elements + value.numel(), buckets_.size() - 1};
    elements += value.numel();
    buckets_.back().end = elements;
    ++buckets_.back().gradients;
  }
  for (Bucket& bucket : buckets_) bucket.missing = bucket.gradients;
  if (options_.shard) cut_buckets();
  ++layouts_;
  flat_ = empty({elements}, Dtype::f32, "gradients of all ranks");
  laid_out_ = true;
}

void GradientSum::finish(std::vector<Tensor>& gradients) {
  for (size_t i = 0; i < gradients.size(); ++i)
    if (!gradients[i].defined()) gradients[i] = std::move(kept_[i]);
  if (!laid_out_) {
    // Rank 0 always has a group, and all have the same graph.
    std::string order(reinterpret_cast<const char*>(seen_.data()), seen_.size() * sizeof(int64_t));
    broadcast(comm_, order);
    std::vector<int64_t> all(order.size() / sizeof(int64_t));
    std::memcpy(all.data(), order.data(), order.size());
    lay_out(all);
  }
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (places_[i].begin >= 0)
      take(places_[i], gradients[i]);
    else
      check(!gradients[i].defined(), ErrorKind::kValue, "train", "parameter ", escaped(name(i)),
            " has a gradient that it had not in the first update: several ranks need a graph that stays the same.");
  }
  const auto start = std::chrono::steady_clock::now();
  send_whole_buckets();
  lane_->wait();
  exposed_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (size_t i = 0; i < gradients.size(); ++i) {
    const Place& place = places_[i];
    gradients[i] =
        place.begin < 0 ? Tensor() : reshape(slice(flat_, 0, place.begin, place.end), parameters_[i].parameter->shape());
  }
}

void GradientSum::add_up(bool has_groups, double& loss, std::vector<double>& values, Scores& scores) {
  if (!named_) {
    std::string text = names_of(scores);
    broadcast(comm_, text);
    names_ = scores_named(text);
    named_ = true;
  }
  const size_t own = 1 + names_.size();
  std::vector<double> sums(own, kAddsNothing);
  if (has_groups) {
    check(values.size() == names_.size(), ErrorKind::kValue, "train", "the task's scores change from update to update.");
    sums[0] = loss;
    std::copy(values.begin(), values.end(), sums.begin() + 1);
  }
  sums.insert(sums.end(), beside_.begin(), beside_.end());
  all_reduce(comm_, std::span(sums));
  loss = sums[0];
  const auto rest = sums.begin() + static_cast<std::ptrdiff_t>(own);
  values.assign(sums.begin() + 1, rest);
  beside_.assign(rest, sums.end());
  scores = names_;
}

std::vector<double> GradientSum::all_groups(const std::vector<double>& own) {
  std::vector<double> all;
  for (const std::string& text :
       all_gather(comm_, std::string(reinterpret_cast<const char*>(own.data()), own.size() * sizeof(double)))) {
    const size_t before = all.size();
    all.resize(before + text.size() / sizeof(double));
    std::memcpy(all.data() + before, text.data(), text.size());
  }
  return all;
}

}  // namespace vitrail
