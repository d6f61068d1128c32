#include <cmath>
#include <cstdlib>
#include <ctime>
#include <set>

#include "base/json.h"
#include "base/json_writer.h"
#include "labs/tool/grade.h"

namespace vitrail::labs {
namespace {

std::string environment(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

// What the student's progress file says of hints and of references that were shown. The file is the student's: what cannot be
// read is left out.
void write_progress(JsonWriter& w, const Report& report) {
  std::vector<std::pair<std::string, int64_t>> hints;
  std::vector<std::string> revealed;
  try {
    const JsonDocument document(report.progress, "progress.json");
    JsonObject json(document.root(), "progress.json");
    for (JsonObject& entry : json.objects("exercises")) {
      const std::string id = entry.text("id");
      const int64_t count = entry.integer_or("hints", 0, 3, 0);
      if (count > 0) hints.emplace_back(id, count);
      if (entry.boolean_or("revealed", false)) revealed.push_back(id);
    }
  } catch (const Error&) {
    hints.clear(), revealed.clear();
  }
  w.key("hints").begin_object();
  for (const auto& [id, count] : hints) w.field(id, count);
  w.end_object().field("revealed", revealed);
}

}  // namespace

std::string gradescope_json(const Report& report) {
  JsonWriter w(1);
  w.begin_object().field("score", report.points()).field("execution_time", std::round(report.seconds * 10) / 10);
  w.field("stdout_visibility", "hidden").field("visibility", "visible");
  std::string output;
  for (const std::string& note : report.notes) output += note + "\n";
  w.field("output", output).key("tests").begin_array();
  for (const Grade& g : report.grades) {
    w.begin_object()
        .field("number", g.number)
        .field("name", g.number + " " + g.title)
        .field("score", g.points)
        .field("max_score", g.all);
    w.field("status", g.passed ? "passed" : "failed").field("output", g.output).field("visibility", "visible");
    w.field("tags", std::vector<std::string>{"lab" + std::to_string(g.lab)}).end_object();
  }
  w.end_array().key("leaderboard").begin_array();
  w.begin_object().field("name", "points").field("value", report.points()).field("order", "desc").end_object();
  w.end_array()
      .key("extra_data")
      .begin_object()
      .field("version", "1")
      .field("seed", report.seed)
      .field("lent", std::vector<std::string>{});
  write_progress(w, report);
  return w.end_object().end_object().text() + "\n";
}

std::string classroom50_json(const Report& report) {
  JsonWriter w(1);
  const std::string commit = environment("COMMIT_URL", "local");
  w.begin_object().field("schema", "classroom50/result/v1").field("classroom", environment("CLASSROOM", "vitrail"));
  w.field("assignment", environment("ASSIGNMENT", "labs")).field("assignment_type", environment("MODE", "individual"));
  w.field("owner", environment("OWNER", environment("GITHUB_ACTOR", report.name)))
      .field("submission", environment("SUBMISSION_TAG", "submit/local"));
  w.field("commit", commit)
      .field("release", environment("RELEASE_URL", commit))
      .field("review", environment("REVIEW_URL", commit));
  w.field("datetime", utc_now()).field("score", report.points()).field("max-score", report.all()).key("tests").begin_array();
  for (const Grade& g : report.grades) {
    w.begin_object()
        .field("test-name", g.number + " " + g.title)
        .field("passed", g.passed)
        .field("score", g.points)
        .field("max-score", g.all);
    w.field("output", g.output).end_object();
  }
  return w.end_array().end_object().text() + "\n";
}

std::string csv_table(const std::vector<Report>& reports) {
  std::string text = "submission";
  if (!reports.empty()) {
    for (const Grade& g : reports[0].grades) text += "," + g.number;
  }
  text += ",points,of\n";
  for (const Report& report : reports) {
    std::string name = "\"";
    for (const char c : report.name) name += c == '"' ? std::string("\"\"") : std::string(1, c);
    text += name + "\"";
    for (const Grade& g : report.grades) text += "," + std::to_string(g.points);
    text += "," + std::to_string(report.points()) + "," + std::to_string(report.all()) + "\n";
  }
  return text;
}

}  // namespace vitrail::labs
