// vitrail plan: what training on many nodes would take, from an update measured here and a few numbers of the network.
#include <bit>
#include <cmath>
#include <cstdio>
#include <memory>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/lists.h"
#include "models/presets.h"
#include "tensor/machine/parallel.h"
#include "tensor/machine/probe.h"
#include "tensor/precision.h"
#include "train/ranks/measure_step.h"
#include "train/ranks/split.h"

namespace vitrail::cli {

namespace {

struct Options {
  std::string model, nodes = "1,2,4,8,16,32,64", network = "25", compress = "none", precision = "f32";
  std::optional<double> latency, jitter, speed;  // microseconds; per cent of a step; times this machine's
  int64_t images = 32, ranks = 1, groups = 0, bucket = 4, updates = 5, threads = 0, img_size = 0;
  bool json = false, explain = false;
};

// What was asked for, checked, before anything is measured.
struct Question {
  std::vector<int64_t> nodes;
  std::vector<double> networks;  // Gb/s
  double latency = 0, content = 1;
  int64_t images = 0, groups = 0;  // of a rank
};

// What was measured.
struct Answer {
  MeasuredStep step;
  double add_seconds = 0;
  Link within{};
  int64_t parameters = 0, threads = 0;  // threads of a rank
  std::vector<int64_t> img_size;        // height, width

  double bytes() const {
    double sum = 0;
    for (const PlanBucket& bucket : step.buckets) sum += bucket.bytes;
    return sum;
  }
  double lead() const { return step.buckets.empty() ? 0 : step.buckets.front().lead; }
};

constexpr double kLatency = 50;  // microseconds: between nodes over TCP, with the pauses between two looks
constexpr double kLatencyWithin = 5e-6;

Question question_of(const Options& o) {
  Question q;
  q.nodes = integers_of("plan", "--nodes", o.nodes, 1, 65536);
  q.networks = positives_of("plan", "--network", o.network);
  q.latency = o.latency.value_or(kLatency);
  check(q.latency >= 0, ErrorKind::kValue, "plan", "--latency must be at least 0 microseconds: it is ", q.latency, ".");
  check(o.jitter.value_or(0) >= 0, ErrorKind::kValue, "plan", "--jitter must be at least 0 per cent: it is ",
        o.jitter.value_or(0), ".");
  check(o.speed.value_or(1) > 0, ErrorKind::kValue, "plan", "--speed must be above 0: it is ", o.speed.value_or(1), ".");
  check(o.compress == "none" || o.compress == "bf16", ErrorKind::kValue, "plan", "--compress must be none or bf16: it is ",
        quote(o.compress), ".");
  q.content = o.compress == "bf16" ? 0.5 : 1;
  precision_from_name(o.precision);
  check(o.images % o.ranks == 0, ErrorKind::kValue, "plan", "the ranks of a node share its images evenly: there are ", o.images,
        " images (--images-per-node) and ", o.ranks, " ranks (--ranks-per-node).");
  for (const int64_t nodes : q.nodes) check_cluster({nodes, o.ranks, {0, 1}, {0, 1}, 0});
  q.images = o.images / o.ranks;
  q.groups = o.groups > 0 ? o.groups : default_groups(q.images);
  check(std::has_single_bit(static_cast<uint64_t>(q.groups)) && q.groups <= q.images, ErrorKind::kValue, "plan",
        "--groups must be a power of two, and not more than the images of a rank: there are ", q.groups, " groups and ",
        q.images, " images.");
  return q;
}

Answer measure(const Options& o, const Question& q) {
  const bool file = o.model.find('/') != std::string::npos || o.model.ends_with(".json");
  const models::ModelConfig config =
      file ? models::config_from_json(read_text_file(o.model), o.model) : models::find_preset(o.model).config;
  if (o.threads > 0) set_num_threads(static_cast<int>(o.threads));
  Answer answer;
  if (o.ranks > 1) {
    // A message within a node is copied into memory that both ranks see, and out of it: read and written twice.
    answer.within = {kLatencyWithin, 1e9 * measure_bandwidth_gb() / 4};
    set_num_threads(static_cast<int>(std::max<int64_t>(1, num_threads() / o.ranks)));
  }
  answer.threads = num_threads();
  const PrecisionGuard precision(precision_from_name(o.precision));
  const auto model = models::make_model(models::adapted(config, {.img_height = o.img_size, .img_width = o.img_size}), Rng(1));
  answer.parameters = model->num_parameters();
  answer.img_size = {model->img_height(), model->img_width()};
  answer.step = faster(measure_step(*model, {q.images, q.groups, o.updates, o.bucket << 20}), o.speed.value_or(1));
  if (o.jitter) answer.step.deviation = *o.jitter / 100 * answer.step.seconds;
  answer.add_seconds = measure_add_seconds(o.bucket << 20);
  return answer;
}

struct Row {
  double network;
  Cluster cluster;
  PlannedStep p;
};

std::vector<Row> predict_all(const Options& o, const Question& q, const Answer& answer) {
  std::vector<Row> rows;
  for (const double network : q.networks)
    for (const int64_t nodes : q.nodes) {
      const Cluster cluster{nodes, o.ranks, {1e-6 * q.latency, 1e9 / 8 * network}, answer.within, answer.add_seconds};
      rows.push_back({network, cluster, predict(answer.step, o.images, cluster, q.content)});
    }
  return rows;
}

std::string to_json(const Options& o, const Question& q, const Answer& answer, const std::vector<Row>& rows) {
  JsonWriter json(2);
  json.begin_object().field("model", o.model).field("parameters", answer.parameters).field("bytes", answer.bytes());
  json.field("img_size", answer.img_size);
  json.field("images_per_node", o.images).field("ranks_per_node", o.ranks).field("groups_per_rank", q.groups);
  json.field("processor", processor_name()).field("threads_per_rank", answer.threads).field("precision", o.precision);
  json.field("compress", o.compress).field("latency", 1e-6 * q.latency).field("add_seconds_per_byte", answer.add_seconds);
  json.field("step", answer.step.seconds).field("deviation", answer.step.deviation);
  json.field("processor_seconds", answer.step.processor_seconds)
      .field("speed", o.speed.value_or(1))
      .key("buckets")
      .begin_array();
  for (const PlanBucket& bucket : answer.step.buckets)
    json.begin_object().field("bytes", bucket.bytes).field("lead", bucket.lead).end_object();
  json.end_array().key("plans").begin_array();
  for (const auto& [network, cluster, p] : rows) {
    json.begin_object().field("network", network).field("nodes", cluster.nodes).field("ranks", cluster.ranks());
    json.field("groups", cluster.ranks() * q.groups).field("compute", p.compute).field("communication", p.communication);
    json.field("hidden", p.hidden).field("exposed", p.exposed).field("waiting", p.waiting).field("step", p.step);
    json.field("images_per_second", p.images_per_second).field("efficiency", p.efficiency).end_object();
  }
  return json.end_array().end_object().text();
}

const char* const kExplanation =
    "\nAll times are of one update. The formulas are in train/ranks/plan.h.\n"
    "compute        measured here, one rank alone: passes in groups, norm, AdamW; pictures are there already. Other programs\n"
    "               make it longer: see the processor time, which is that of all threads\n"
    "communication  of each bucket of n bytes over R ranks, latency a, rate b, seconds g of adding a byte:\n"
    "               2 log2(R) a + 2 n (R-1)/R / b + n (R-1)/R g where R is a power of two,\n"
    "               2 (R-1) a + 2 n (R-1)/R / b + n (R-1)/R g for others; ranks of one node share its link\n"
    "exposed        what the last group's backward pass does not hide: a bucket leaves when its last gradient is whole and\n"
    "               those before it are through; hidden = communication - exposed\n"
    "waiting        for the slowest of R ranks: the standard deviation of an update (measured here, or --jitter) times the\n"
    "               expected maximum of R standard normal numbers (0.56 of 2, 1.42 of 8, 2.34 of 64, 3.25 of 1024)\n"
    "step           compute + exposed + waiting\n"
    "efficiency     compute / step\n"
    "groups         what train --groups takes for the same update\n";

void print_table(const Options& o, const Question& q, const Answer& answer, const std::vector<Row>& rows) {
  const MeasuredStep& step = answer.step;
  std::printf("%s, %lld parameters, %lld x %lld pixels, %s; a node: %lld images", o.model.c_str(),
              static_cast<long long>(answer.parameters), static_cast<long long>(answer.img_size[0]),
              static_cast<long long>(answer.img_size[1]), o.precision.c_str(), static_cast<long long>(o.images));
  if (o.ranks > 1) std::printf(" on %lld ranks", static_cast<long long>(o.ranks));
  std::printf(
      "\n%s, %lld threads: an update of %lld images in %lld %s takes %.4g ms (%.4g of processor time), standard deviation "
      "%.2g %%%s%s\n",
      processor_name().c_str(), static_cast<long long>(answer.threads), static_cast<long long>(q.images),
      static_cast<long long>(q.groups), q.groups == 1 ? "group" : "groups", 1e3 * step.seconds, 1e3 * step.processor_seconds,
      100 * step.deviation / step.seconds, o.jitter ? " (given)" : "",
      o.speed ? cat("; at ", *o.speed, " times the speed measured here").c_str() : "");
  std::printf("%.1f MB of gradients%s in %zu %s, the first whole %.4g ms before the end of the backward pass\n",
              1e-6 * answer.bytes() * q.content, q.content < 1 ? " as bf16" : "", step.buckets.size(),
              step.buckets.size() == 1 ? "bucket" : "buckets", 1e3 * answer.lead());
  double network = 0;
  for (const Row& row : rows) {
    const PlannedStep& p = row.p;
    if (row.network != network) {
      network = row.network;
      std::printf("\n%.4g Gb/s, latency %.4g us; times in ms\n%7s %7s %9s %9s %9s %9s %9s %9s %10s %10s\n", network, q.latency,
                  "nodes", "groups", "compute", "communic.", "hidden", "exposed", "waiting", "step", "images/s", "efficiency");
    }
    std::printf("%7lld %7lld %9.1f %9.1f %9.1f %9.1f %9.1f %9.1f %10.1f %8.1f %%\n", static_cast<long long>(row.cluster.nodes),
                static_cast<long long>(row.cluster.ranks() * q.groups), 1e3 * p.compute, 1e3 * p.communication, 1e3 * p.hidden,
                1e3 * p.exposed, 1e3 * p.waiting, 1e3 * p.step, p.images_per_second, 100 * p.efficiency);
  }
  if (o.explain) std::fputs(kExplanation, stdout);
}

int run(const Options& o) {
  const Question question = question_of(o);
  print_machine_notice();
  const Answer answer = measure(o, question);
  const std::vector<Row> rows = predict_all(o, question, answer);
  if (o.json)
    std::printf("%s\n", to_json(o, question, answer, rows).c_str());
  else
    print_table(o, question, answer, rows);
  return 0;
}

}  // namespace

void add_plan(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "plan", "Predict step time and efficiency on many nodes, from an update measured here");
  command.option("--model", o->model, "Preset or config.json").required();
  command.option("--img-size", o->img_size, "Side of the images instead of the model's own", 0, 16384);
  command.group("The cluster");
  command.option("--nodes", o->nodes, "How many, or a list (1,2,4,8,16,32,64)");
  command.option("--network", o->network, "Gb/s of a node's link, each way, or a list (25)");
  command.option("--latency", o->latency, "Microseconds of a message, as comm-bench measures them (50)");
  command.option("--ranks-per-node", o->ranks, "They share its images, processors and link (1)", 1, 1024);
  command.option("--speed", o->speed, "How many times as fast as this machine a node computes (1)");
  command.option("--jitter", o->jitter, "Standard deviation of an update in per cent (measured)");
  command.group("The update");
  command.option("--images-per-node", o->images, "Images of an update on each node (32)", 1, 65536);
  command.option("--groups", o->groups, "Groups of a rank's images, a power of two (of at least eight images)", 1, 65536);
  command.option("--bucket", o->bucket, "MiB of gradients that are sent at a time (4)", 1, 16384);
  command.option("--compress", o->compress, "bf16: gradients travel as bf16 (none)");
  command.option("--precision", o->precision, "f32 or bf16, as of train (f32)");
  command.option("--updates", o->updates, "Measured updates (5)", 1, 100000);
  command.option("--threads", o->threads, "Processors of a node (all)", 0, kMaxThreads);
  command.flag("--explain", o->explain, "Also what each column is made of");
  command.flag("--json", o->json, "Machine-readable output; times in seconds");
  command.footer("Example: vitrail plan --model vit_small_patch16_224 --nodes 2,4,8 --network 10,25");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
