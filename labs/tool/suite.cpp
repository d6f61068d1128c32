#include "labs/tool/suite.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "labs/tool/process.h"

namespace vitrail::labs {
namespace {

constexpr int64_t kMemory = int64_t{1} << 30;
constexpr int kAsanFactor = 6;       // a program under the sanitizers is slower,
constexpr int kAsanStackFactor = 2;  // and its frames are larger

int seconds_for(const Toolchain& tools, const Lab& lab) {
  return lab.seconds * (tools.config == "asan" ? kAsanFactor : 1) * tools.time_factor;
}

std::string new_ticket() {
  std::random_device random;
  std::ostringstream out;
  out << std::hex;
  for (int i = 0; i < 4; ++i) {
    std::string part = hex_of((uint64_t{random()} << 32) | random());
    part.insert(0, 16 - part.size(), '0');
    out << part.substr(8);
  }
  return out.str();
}

Ran run_program(const Toolchain& tools, const Lab& lab, const std::string& program, const std::vector<std::string>& arguments,
                const RunOptions& options, const std::string& ticket) {
  const bool asan = tools.config == "asan";
  Limits limits;
  limits.cpu_seconds = seconds_for(tools, lab);
  limits.wall_seconds = limits.cpu_seconds * 4 + 6;
  limits.data_bytes = asan ? 0 : kMemory;
  limits.stack_bytes = (int64_t{lab.stack_mib} << 20) * (asan ? kAsanStackFactor : 1);
  limits.confined = tools.confined;
  std::vector<std::string> command{"env", "LAB_SEED=" + std::to_string(options.seed), "OMP_WAIT_POLICY=passive",
                                   "ASAN_OPTIONS=detect_leaks=0:handle_abort=1"};
  if (options.variant > 0) command.push_back("LAB_VARIANT=" + std::to_string(options.variant));
  if (options.threads > 0) command.push_back("OMP_NUM_THREADS=" + std::to_string(options.threads));
  command.push_back(std::filesystem::absolute(program).string());
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run(command, limits, ticket);
}

// The lines that carry the ticket, as objects. What else stands on the descriptor is not ours.
std::vector<std::string> ticketed(const std::string& text, const std::string& ticket) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(ticket, 0) == 0) lines.push_back(line.substr(ticket.size()));
  }
  return lines;
}

// The first place in the student's files in a trace of the sanitizer ("#1 0x.. in f(..) mine/tensor/shape.cpp:64"): the only
// other frames that know their lines are those of the tests and of the system's headers.
std::string place_of(const std::string& trace) {
  std::istringstream in(trace);
  for (std::string line; std::getline(in, line);) {
    const size_t space = line.rfind(' ');
    if (line.find(" #") == std::string::npos || space == std::string::npos) continue;
    const std::string place = line.substr(space + 1);
    if (place.find(".cpp:") != std::string::npos && place.rfind("labs/", 0) != 0 && place.rfind("/usr/", 0) != 0)
      return " at " + place;
  }
  return "";
}

// The library's assertion or the sanitizer's verdict in what a crashed program printed, and the place, where it is known.
std::string last_words(const std::string& output) {
  std::istringstream in(output);
  for (std::string line; std::getline(in, line);) {
    if (line.find("runtime error:") != std::string::npos) return ": " + line.substr(0, 240);  // begins with its place
    if (const size_t at = line.find("Assertion '"); at != std::string::npos)
      return ": " + line.substr(at, 160) + place_of(output);
    if (const size_t at = line.find("AddressSanitizer: ");
        at != std::string::npos)  // "... on address 0x..", which tells nobody anything
      return ": " + line.substr(at, line.find(" on ", at) - at) + place_of(output);
  }
  return "";
}

bool is_of_sanitizer(const std::string& output) {
  return output.find("ERROR: AddressSanitizer:") != std::string::npos || output.find("runtime error:") != std::string::npos;
}

// The last lines, for those who look for a mistake by printing. A sanitizer's report is told by last_words().
std::string last_lines(const std::string& output) {
  constexpr size_t kBytes = 1000;
  if (is_of_sanitizer(output)) return "";
  if (output.size() <= kBytes) return output;
  const size_t line = output.find('\n', output.size() - kBytes);
  return "...\n" + output.substr(line == std::string::npos ? output.size() - kBytes : line + 1);
}

struct Reading {
  Outcome outcome;
  std::string running;  // the case that has begun and not ended
  bool ended = false;
};

Reading read_results(const Ran& ran, const std::string& ticket) {
  Reading r;
  Outcome& o = r.outcome;
  for (const std::string& line : ticketed(ran.results, ticket)) {
    const JsonDocument document(line, "result");
    JsonObject json(document.root(), "result");
    if (json.has("start")) r.running = json.text("start");
    if (json.has("case")) {
      r.running.clear();
      ++o.cases;
      const bool passed = json.boolean_or("passed", false);
      o.cases_passed += passed;
      if (!passed) o.failed.push_back(json.text("case"));
      const std::string message = json.text_or("message", "");
      if (!passed && o.message.empty()) {
        o.message = json.text("case") + ": " + message;
        o.not_written =
            message.find("is not written yet") != std::string::npos || message.find("cannot be built") != std::string::npos;
      }
    }
    if (json.has("end")) {
      r.ended = true;
      o.checks = json.integer_or("checks", 0, int64_t{1} << 60, 0);
    }
  }
  return r;
}

}  // namespace

Outcome run_suite(const Toolchain& tools, const Lab& lab, const std::string& program, const std::string& exercise,
                  const RunOptions& options, const std::optional<Expected>& expected) {
  const std::string ticket = new_ticket();
  const Ran ran = run_program(tools, lab, program,
                              {"--reporters=lab", "--test-suite=" + exercise, "--order-by=" + options.order}, options, ticket);
  Reading r = read_results(ran, ticket);
  Outcome o = r.outcome;
  o.seconds = ran.seconds;
  o.printed = last_lines(ran.output);
  const std::string where = r.running.empty() ? "the tests" : r.running;
  if (ran.out_of_time) {
    o.ending = "ran past " + std::to_string(seconds_for(tools, lab)) + " s of processor time";
  } else if (ran.status >= 128) {
    o.ending = std::string("crashed (") + strsignal(ran.status - 128) + ")" + last_words(ran.output);
  } else if (!r.ended && is_of_sanitizer(ran.output)) {
    o.ending = "crashed" + last_words(ran.output);
  } else if (!r.ended) {
    o.ending =
        "ended itself with status " + std::to_string(ran.status) + " before the tests were over" + last_words(ran.output);
  }
  if (!o.ending.empty()) {
    o.cases += !r.running.empty();
    if (o.message.empty()) o.message = where + ": your code " + o.ending;
  }
  if (o.cases == 0 && o.message.empty()) o.message = "no test ran";
  o.passed = r.ended && o.ending.empty() && o.cases > 0 && o.cases == o.cases_passed && ran.status == 0;
  if (o.passed && expected && (o.cases != expected->cases || o.checks != expected->checks)) {
    o.passed = false;
    o.message = std::to_string(o.checks) + " checks were made, with the reference it is " + std::to_string(expected->checks);
  }
  if (expected && expected->cases > o.cases) o.cases = expected->cases;
  if (!r.running.empty()) o.failed.push_back(r.running + " (" + o.ending.substr(0, 7) + ")");
  std::sort(o.failed.begin(), o.failed.end());
  return o;
}

std::string run_probes(const Toolchain& tools, const Lab& lab, const std::string& program, const std::string& exercise,
                       const RunOptions& options) {
  const std::string ticket = new_ticket();
  const Ran ran = run_program(tools, lab, program, {"--probe", exercise}, options, ticket);
  std::string text;
  bool probing = false;
  for (const std::string& line : ticketed(ran.results, ticket)) {
    const JsonDocument document(line, "probe");
    JsonObject json(document.root(), "probe");
    if (json.has("probing")) probing = true;
    if (json.has("probe")) text += json.text("probe") + "\n", probing = false;
  }
  if (probing) text += ran.out_of_time ? "out of time\n" : ran.status >= 128 ? "crashed\n" : "ended\n";
  return text;
}

std::map<std::string, Expected> recorded_checks(const Lab& lab) {
  std::map<std::string, Expected> recorded;
  const std::string path = lab.folder + "/checks.json";
  if (!std::filesystem::exists(path)) return recorded;
  const JsonDocument document(read_text_file(path), path);
  JsonObject json(document.root(), path, "", ErrorKind::kData);
  for (const std::string& exercise : json.keys()) {
    const std::vector<int64_t> numbers = json.integers_or(exercise, 0, int64_t{1} << 60, {});
    if (numbers.size() != 2) json.refuse(exercise, "two numbers, cases and checks");
    recorded[exercise] = {static_cast<int>(numbers[0]), numbers[1]};
  }
  return recorded;
}

std::map<std::string, std::string> recorded_fingerprints(const Lab& lab) {
  std::map<std::string, std::string> recorded;
  const std::string path = lab.folder + "/fingerprints.json";
  if (!std::filesystem::exists(path)) return recorded;
  const JsonDocument document(read_text_file(path), path);
  JsonObject json(document.root(), path, "", ErrorKind::kData);
  for (const std::string& key : json.keys()) recorded[key] = json.text(key);
  return recorded;
}

std::string fingerprint(const std::string& exercise, const Outcome& outcome, const std::string& probes) {
  std::string all = probes;
  for (const std::string& name : outcome.failed) all += "\n" + name;
  return exercise + ":" + hex_of(hash_of(all));
}

}  // namespace vitrail::labs
