// vitrail plan and comm-bench from outside: what they refuse, and that what plan says fits together.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

const std::string kSmall = "plan --model vit_fashion_p7 --updates 2 --threads 1 --images-per-node 16 ";

nlohmann::json plan_json(const std::string& options) {
  const Outcome outcome = run(kSmall + "--json " + options, "2>/dev/null");
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  return nlohmann::json::parse(outcome.text);
}

}  // namespace

TEST_CASE("help of plan and comm-bench shows an example") {
  CHECK(run("plan --help").says("Example: vitrail plan --model"));
  CHECK(run("comm-bench --help").says("Example: mpirun -np 2"));
}

TEST_CASE("plan refuses what makes no sense, with 2 and in words") {
  const auto refuses = [](const std::string& options, const char* part) {
    const Outcome outcome = run("plan --model vit_fashion_p7 " + options);
    CHECK_MESSAGE(outcome.code == 2, outcome.text);
    CHECK_MESSAGE(outcome.says(part), outcome.text);
  };
  CHECK(run("plan").says("--model"));
  CHECK(run("plan --model vit_fashon").says("vit_fashion"));
  refuses("--nodes 0", "--nodes must be a whole number in [1, 65536]: it is 0");
  refuses("--nodes 2,,4", "--nodes must be words between commas");
  refuses("--network 0", "--network must be above 0: it is \"0\"");
  refuses("--network 10,fast", "--network must be a finite number: it is fast");
  refuses("--latency -1", "--latency must be at least 0 microseconds");
  refuses("--jitter -1", "--jitter must be at least 0 per cent");
  refuses("--img-size 30", "30");  // patches of 7 do not tile it
  refuses("--speed 0", "--speed must be above 0: it is 0");
  refuses("--compress zip", "--compress must be none or bf16: it is \"zip\"");
  refuses("--precision f16", "f32 or bf16");
  refuses("--images-per-node 10 --ranks-per-node 4", "10 images (--images-per-node) and 4 ranks (--ranks-per-node)");
  refuses("--groups 3", "--groups must be a power of two");
  refuses("--images-per-node 4 --groups 8", "8 groups and 4 images");
  refuses("--nodes 65536 --ranks-per-node 32", "1048576 ranks at most");
}

TEST_CASE("plan --json fits together: step = compute + exposed + waiting, hidden + exposed = communication") {
  const auto json = plan_json("--nodes 1,2,3,1024 --network 1,25");
  CHECK(json["bytes"] == 4 * json["parameters"].get<int64_t>());
  CHECK(json["groups_per_rank"] == 2);
  REQUIRE(json["plans"].size() == 8);
  for (const auto& plan : json["plans"]) {
    const double compute = plan["compute"], exposed = plan["exposed"], waiting = plan["waiting"], step = plan["step"];
    CHECK(step == doctest::Approx(compute + exposed + waiting));
    CHECK(plan["hidden"].get<double>() + exposed == doctest::Approx(plan["communication"].get<double>()));
    CHECK(compute == json["step"].get<double>());
    CHECK(plan["efficiency"] == doctest::Approx(compute / step));
    CHECK(plan["images_per_second"] == doctest::Approx(16 * plan["nodes"].get<double>() / step));
    CHECK(plan["groups"] == 2 * plan["nodes"].get<int64_t>());
    for (const char* key : {"communication", "hidden", "exposed", "waiting"}) CHECK(plan[key].get<double>() >= 0);
  }
  CHECK(json["plans"][0]["step"] == json["step"]);
  CHECK(json["plans"][1]["communication"].get<double>() > json["plans"][5]["communication"].get<double>());
}

TEST_CASE("plan takes jitter, compression, ranks of a node and groups as given") {
  const auto json = plan_json("--nodes 2 --jitter 0 --latency 0 --network 0.01");
  const auto half = plan_json("--nodes 2 --jitter 0 --latency 0 --network 0.01 --compress bf16");
  CHECK(json["plans"][0]["waiting"] == 0);
  const double ratio = json["plans"][0]["communication"].get<double>() / half["plans"][0]["communication"].get<double>();
  CHECK(ratio == doctest::Approx(2).epsilon(0.01));
  const auto ranks = plan_json("--nodes 2 --ranks-per-node 2 --groups 4");
  CHECK(ranks["plans"][0]["ranks"] == 4);
  CHECK(ranks["plans"][0]["groups"] == 16);
  CHECK(ranks["threads_per_rank"] == 1);
  CHECK(plan_json("--nodes 2 --img-size 14")["img_size"] == nlohmann::json({14, 14}));
}

TEST_CASE("plan says the same in a table, and explains it") {
  const Outcome outcome = run(kSmall + "--nodes 1,8 --explain", "2>/dev/null");
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  for (const char* part : {"vit_fashion_p7, 139018 parameters", "25 Gb/s, latency 50 us", "efficiency", "100.0 %",
                           "in 1 bucket,", "expected maximum of R standard normal numbers"})
    CHECK_MESSAGE(outcome.says(part), part);
  CHECK(!run(kSmall + "--nodes 2", "2>/dev/null").says("expected maximum"));
}

TEST_CASE("comm-bench on one rank says that it needs several") {
  const Outcome outcome = run("comm-bench");
  CHECK(outcome.code == 2);
  CHECK_MESSAGE(outcome.says("needs several ranks: there is one. Hint: "), outcome.text);
  CHECK(outcome.says("mpirun -np 2 vitrail comm-bench"));
}
