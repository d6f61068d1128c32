// vitrail bench from outside: what it refuses, what its JSON holds, that its picture is XML.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

const std::string kSmall = "bench --model vit_fashion_p7 --batch-size 4 --steps 2 --warmup 1 ";

nlohmann::json bench_json(const std::string& options) {
  const Outcome outcome = run(kSmall + "--json " + options, "2>/dev/null");
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  return nlohmann::json::parse(outcome.text);
}

}  // namespace

TEST_CASE("bench refuses what it cannot do, with 2 and in words") {
  const auto refuses = [](const std::string& options, const char* part) {
    const Outcome outcome = run("bench " + options);
    CHECK_MESSAGE(outcome.code == 2, outcome.text);
    CHECK_MESSAGE(outcome.says(part), outcome.text);
  };
  refuses("", "--model");
  refuses("--model vit_fashon", "vit_fashion");
  refuses("--model vit_fashion --mode learn", "train or infer");
  refuses("--model vit_fashion --precision f16", "f32 or bf16");
  refuses("--model vit_fashion --batch-size 0", "--batch-size must be a whole number in [1, 65536]: it is 0");
  refuses("--model vit_fashion --steps 0", "--steps");
  refuses("--model vit_fashion --warmup -1", "--warmup");
  refuses("--model vit_fashion --threads 5000", "--threads");
  refuses("--model vit_fashion --img-size -4", "--img-size");
  refuses("--model vit_fashion --img-size 30", "30");  // patches of 4 do not tile it
  CHECK(run("bench --model /nowhere.json").code == 4);
  CHECK(run(kSmall + "--svg /nowhere/at/all.svg").code == 4);
}

TEST_CASE("bench --json of a training step: every key, finite numbers, shares that add up") {
  const auto json = bench_json("--mode train --threads 1");
  CHECK(json["batch_size"] == 4);
  CHECK(json["threads"] == 1);
  CHECK(json["steps"] == 2);
  CHECK(json["img_size"] == nlohmann::json({28, 28}));
  for (const char* key : {"images_per_second", "gflops", "peak_gflops", "share_of_peak", "bandwidth_gb", "flops_per_step",
                          "peak_tensor_bytes", "peak_rss_bytes", "base_rss_bytes"})
    CHECK_MESSAGE((json[key].is_number() && json[key].get<double>() > 0), key);
  const auto step = json["step_ms"];
  CHECK(step["min"].get<double>() <= step["median"].get<double>());
  CHECK(step["median"].get<double>() <= step["max"].get<double>());
  double ms = 0, share = 0, flops = 0;
  std::set<std::string> seen;
  for (const auto& row : json["breakdown"]) {
    ms += row["ms"].get<double>(), share += row["share"].get<double>(), flops += row["flops"].get<double>();
    seen.insert(row["op"].get<std::string>() + " " + row["pass"].get<std::string>());
  }
  // Between the steps' clock and the profile's lie microseconds.
  CHECK(std::abs(ms - step["mean"].get<double>()) < 0.01 * step["mean"].get<double>() + 0.05);
  CHECK(share == doctest::Approx(1).epsilon(0.05));
  CHECK(flops == doctest::Approx(json["flops_per_step"].get<double>()));
  for (const char* name : {"linear forward", "linear backward", "adamw other", "cross_entropy forward"})
    CHECK_MESSAGE(seen.count(name) == 1, name);
  CHECK(json["products"]["share_of_step"].get<double>() <= 1);
}

TEST_CASE("bench in inference has no backward pass and a third of the FLOPs of training") {
  const auto infer = bench_json("--mode infer"), train = bench_json("--mode train");
  for (const auto& row : infer["breakdown"]) CHECK(row["pass"] != "backward");
  // The first layer needs no gradient of the images, hence slightly less than three.
  const double times = train["flops_per_step"].get<double>() / infer["flops_per_step"].get<double>();
  CHECK(times > 2.5);
  CHECK(times <= 3);
}

TEST_CASE("bench says the same in a table, and draws it") {
  const std::string svg = scratch() + "/bench.svg";
  const Outcome outcome = run(kSmall + "--svg " + svg, "2>/dev/null");
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  for (const char* part : {"images per second", "ms per step", "GFLOP/s", "sum = mean step", "everything else"})
    CHECK_MESSAGE(outcome.says(part), part);
  const std::string picture = read_text_file(svg);
  CHECK(picture.rfind("<svg", 0) == 0);
  CHECK(picture.find("</svg>") != std::string::npos);
  CHECK(picture.find("nan") == std::string::npos);
  CHECK(picture.find(">linear<") != std::string::npos);
}
