// vitrail comm-bench: what messages and the sum of a gradient cost between the ranks that a launcher started.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/lists.h"
#include "cli/ranks.h"
#include "comm/measure.h"
#include "comm/world.h"
#include "models/presets.h"
#include "train/ranks/measure_step.h"

namespace vitrail::cli {

namespace {

struct Options {
  std::string models = "vit_tiny_patch16_224,vit_small_patch16_224,vit_base_patch16_224", buckets = "1,4,25";
  int64_t repeats = 20, sums = 5;
  bool json = false;
};

struct Pair {
  int rank;
  std::vector<MessageTime> times;
  LinkFit fit;
};

struct Sum {
  std::string model;
  int64_t bytes = 0, bucket_bytes = 0;  // bucket_bytes = bytes: all at once
  double seconds = 0, formula = 0;
};

double gbit(double bytes_per_second) { return 8e-9 * bytes_per_second; }

std::vector<Pair> measure_pairs(Communicator& comm, const Options& o) {
  const std::vector<int64_t> sizes = {8, 1 << 10, 16 << 10, 128 << 10, 1 << 20, 4 << 20};
  std::vector<Pair> pairs;
  for (int r = 1; r < comm.size(); ++r) {
    comm.set_activity(cat("messages between ranks 0 and ", r));
    const std::vector<MessageTime> times = time_messages(comm, 0, r, sizes, static_cast<int>(o.repeats));
    pairs.push_back({r, times, fit_link(times)});
  }
  return pairs;
}

// The slowest of those links that are within rank 0's node, or that leave it.
Link slowest(const Communicator& comm, const std::vector<Pair>& pairs, bool within) {
  Link link;
  for (const Pair& pair : pairs) {
    if ((comm.node(pair.rank) == comm.node(0)) != within) continue;
    link.latency = std::max(link.latency, pair.fit.latency);
    if (link.bytes_per_second <= 0 || pair.fit.bytes_per_second < link.bytes_per_second)
      link.bytes_per_second = pair.fit.bytes_per_second;
  }
  return link;
}

// As train/ranks/plan.h sees the ranks: as many on each node, or, on one node, each with a link of its own.
Cluster cluster_of(const Communicator& comm, const std::vector<Pair>& pairs) {
  std::set<std::string> nodes;
  for (int r = 0; r < comm.size(); ++r) nodes.insert(comm.node(r));
  const auto here = static_cast<int64_t>(comm.ranks_here().size());
  Cluster cluster;
  cluster.nodes = comm.size();
  cluster.between = slowest(comm, pairs, nodes.size() == 1);
  cluster.add_seconds = measure_add_seconds();
  if (nodes.size() > 1 && here > 1 && comm.size() % here == 0) {
    cluster.nodes = comm.size() / here, cluster.ranks_per_node = here;
    cluster.within = slowest(comm, pairs, true);
  }
  return cluster;
}

std::vector<Sum> measure_sums(Communicator& comm, const Options& o, const Cluster& cluster) {
  std::vector<Sum> sums;
  for (const std::string& model : words_of("comm-bench", "--model", o.models)) {
    const int64_t bytes = 4 * models::parameter_count(models::find_preset(model).config);
    std::vector<int64_t> buckets;
    for (const int64_t mib : integers_of("comm-bench", "--buckets", o.buckets, 1, 1 << 14)) buckets.push_back(mib << 20);
    buckets.push_back(bytes);
    for (const int64_t bucket : buckets) {
      if (bucket > bytes) continue;
      comm.set_activity(cat("the sum of ", model));
      Sum sum{model, bytes, bucket, time_all_reduce(comm, bytes, bucket, static_cast<int>(o.sums)), 0};
      const auto whole = static_cast<double>(bytes / bucket);
      sum.formula = whole * all_reduce_seconds(static_cast<double>(bucket), cluster) +
                    all_reduce_seconds(static_cast<double>(bytes % bucket), cluster);
      sums.push_back(sum);
    }
  }
  return sums;
}

std::string to_json(const Communicator& comm, const std::vector<Pair>& pairs, const std::vector<Sum>& sums) {
  JsonWriter json(2);
  json.begin_object().field("mpi", mpi_version()).field("ranks", comm.size()).key("nodes").begin_array();
  for (int r = 0; r < comm.size(); ++r) json.value(comm.node(r));
  json.end_array().key("pairs").begin_array();
  for (const Pair& pair : pairs) {
    json.begin_object().field("ranks", std::vector<int64_t>{0, pair.rank}).field("node", comm.node(pair.rank));
    json.field("latency", pair.fit.latency).field("gbit_per_second", gbit(pair.fit.bytes_per_second));
    json.key("messages").begin_array();
    for (const MessageTime& t : pair.times) {
      json.begin_object().field("bytes", t.bytes).field("one_way", t.one_way).field("both_ways", t.both_ways).end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().key("sums").begin_array();
  for (const Sum& s : sums) {
    json.begin_object().field("model", s.model).field("bytes", s.bytes).field("bucket_bytes", s.bucket_bytes);
    json.field("seconds", s.seconds).field("formula", s.formula).end_object();
  }
  return json.end_array().end_object().text();
}

void print_table(const Communicator& comm, const std::vector<Pair>& pairs, const std::vector<Sum>& sums) {
  std::printf("%d ranks, %s\n\nmessages: microseconds one way, and of two at once in both directions\n", comm.size(),
              mpi_version().c_str());
  std::printf("%12s", "bytes");
  for (const MessageTime& t : pairs.front().times) std::printf(" %15lld", static_cast<long long>(t.bytes));
  std::printf("  latency     rate\n");
  for (const Pair& pair : pairs) {
    std::printf("rank 0, %4d", pair.rank);
    for (const MessageTime& t : pair.times) std::printf(" %7.4g %7.4g", 1e6 * t.one_way, 1e6 * t.both_ways);
    std::printf("  %4.3g us  %.3g Gb/s  %s\n", 1e6 * pair.fit.latency, gbit(pair.fit.bytes_per_second),
                escaped(comm.node(pair.rank)).c_str());
  }
  std::printf("\nthe sum of a gradient over all ranks\n%-28s %9s %10s %10s %10s\n", "model", "MB", "bucket", "ms", "formula");
  for (const Sum& s : sums) {
    const std::string bucket = s.bucket_bytes == s.bytes ? "all" : cat(s.bucket_bytes >> 20, " MiB");
    std::printf("%-28s %9.1f %10s %10.4g %10.4g\n", s.model.c_str(), 1e-6 * static_cast<double>(s.bytes), bucket.c_str(),
                1e3 * s.seconds, 1e3 * s.formula);
  }
}

int run(const Options& o) {
  Communicator& comm = world();
  check(comm.size() > 1, ErrorKind::kValue, "comm-bench",
        "needs several ranks: there is one. Hint: ", mpi_version().empty() ? "make MPI=1 builds a program with MPI; then " : "",
        "mpirun -np 2 vitrail comm-bench (docs/cluster.md).");
  // What is wrong with the words is said before anything is measured.
  for (const std::string& model : words_of("comm-bench", "--model", o.models)) models::find_preset(model);
  integers_of("comm-bench", "--buckets", o.buckets, 1, 1 << 14);
  const std::vector<Pair> pairs = measure_pairs(comm, o);
  const Cluster cluster = cluster_of(comm, pairs);
  const std::vector<Sum> sums = measure_sums(comm, o, cluster);
  if (!leads()) return 0;
  if (o.json) {
    std::printf("%s\n", to_json(comm, pairs, sums).c_str());
    return 0;
  }
  print_table(comm, pairs, sums);
  std::printf(
      "\nWhat training on more nodes would take, with these numbers:\nvitrail plan --model %s --network %.3g --latency %.3g\n",
      sums.front().model.c_str(), gbit(cluster.between.bytes_per_second), 1e6 * cluster.between.latency);
  return 0;
}

}  // namespace

void add_comm_bench(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "comm-bench", "Measure messages and the sum of a gradient between the ranks that mpirun started");
  command.option("--model", o->models, cat("Presets whose gradient is added up (", o->models, ")"));
  command.option("--buckets", o->buckets, "MiB that are added up at a time, beside all at once (1,4,25)");
  command.option("--repeats", o->repeats, "Messages of each size (20)", 1, 100000);
  command.option("--sums", o->sums, "Sums of each kind (5)", 1, 100000);
  command.flag("--json", o->json, "Machine-readable output; times in seconds");
  command.footer(
      "formula: what train/ranks/plan.h makes of latency, rate, and the time of adding.\n"
      "Example: mpirun -np 2 --host node1,node2 vitrail comm-bench");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
