// The program `runop`: its contract on the command line.
#include <doctest/doctest.h>

#include <fstream>

#include "tensor/safetensors.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// A file with these inputs and attributes; its path.
std::string call_file(const std::string& name, std::vector<std::pair<std::string, Tensor>> tensors,
                      const std::string& attributes = "{}") {
  const std::string path = scratch() + "/" + name + ".safetensors";
  save_safetensors(path, {std::move(tensors), {{"attrs", attributes}}});
  return path;
}

std::string result_path() { return scratch() + "/result.safetensors"; }

}  // namespace

TEST_CASE("runop runs an operation forward and backward and exits with 0") {
  const std::string in = call_file("good", {{"input.0", from_vector(std::vector<float>{1, -2}, {2})},
                                            {"grad_output.0", from_vector(std::vector<float>{3, 5}, {2})}});
  const Outcome outcome = runop("relu " + in + " " + result_path());
  CHECK_MESSAGE(outcome.code == 0, outcome.text);
  CHECK(outcome.text == "");
  const SafetensorsFile result = load_safetensors(result_path());
  REQUIRE(result.tensors.size() == 2);
  for (const auto& entry : result.tensors) {
    const std::string& name = entry.first;  // clang 14 captures no structured binding
    const std::vector<float> expected = name == "output.0" ? std::vector<float>{1, 0} : std::vector<float>{3, 0};
    CHECK_MESSAGE(to_vector<float>(entry.second) == expected, name);
  }
}

TEST_CASE("runop says in one line what is wrong, with the exit code of its kind") {
  const std::string good = call_file("one", {{"input.0", from_vector(std::vector<float>{1, 2}, {2})}});
  const std::string broken = scratch() + "/broken.safetensors";
  std::ofstream(broken) << "no safetensors";
  struct Case {
    std::string arguments, part;
    int code;
  };
  const std::vector<Case> cases = {
      {"relu", "wants three arguments, got 1", 2},
      {"relux " + good + " " + result_path(), "unknown operation relux. Hint: did you mean relu?", 2},
      {"\"$(printf 'a\\nb')\" " + good + " " + result_path(), "unknown operation", 2},
      {"relu " + broken + " " + result_path(), "broken.safetensors", 3},
      {"add " + good + " " + result_path(), "input 1 is missing", 3},
      {"relu " + scratch() + "/none " + result_path(), "none", 4},
      {"relu " + good + " " + scratch() + "/none/result", "none/result", 4},
  };
  for (const Case& c : cases) {
    const Outcome outcome = runop(c.arguments);
    CAPTURE(outcome.text);
    CHECK(outcome.code == c.code);
    CHECK(outcome.says(c.part));
    CHECK(outcome.text.find('\n') == outcome.text.size() - 1);
    CHECK(outcome.text.size() <= 300);
    CHECK(outcome.text.rfind("runop: ", 0) == 0);
  }
}

TEST_CASE("runop exits with 5 beyond its memory limit, and its help lists the operations") {
  const std::string in = call_file("many", {{"input.0", from_vector(std::vector<float>{1}, {1})},
                                            {"input.1", from_vector(std::vector<int64_t>{int64_t{1} << 40}, {1})}});
  const Outcome outcome = run_command("VITRAIL_MEMORY_MB=64 " + runop_program() + " tile " + in + " " + result_path());
  CHECK_MESSAGE(outcome.code == 5, outcome.text);
  const std::string wide = call_file(
      "wide", {{"input.0", ones({1}, Dtype::f32)}, {"input.1", from_vector(std::vector<int64_t>{400000000, 0}, {2})}});
  for (const std::string mode : {"constant", "edge"}) {
    const SafetensorsFile file = load_safetensors(wide);
    const std::string path = call_file("wide_" + mode, file.tensors, "{\"mode\": \"" + mode + "\"}");
    const Outcome padding = runop("Pad " + path + " " + result_path());
    CHECK_MESSAGE(padding.code == 5, padding.text);
  }
  const Outcome help = runop("--help");
  CHECK(help.code == 0);
  CHECK(help.says("LayerNormalization"));
  CHECK(runop("--help > /dev/full").code == 4);
  CHECK(run_command("VITRAIL_MEMORY_MB=x " + runop_program() + " relu " + in + " " + result_path()).code == 2);
}
