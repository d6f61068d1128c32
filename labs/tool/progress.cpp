#include "labs/tool/progress.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"

namespace vitrail::labs {
namespace {

const char* const kFolder = ".labs";
const char* const kPath = ".labs/progress.json";

}  // namespace

Progress::Progress() {
  if (!std::filesystem::exists(kPath)) return;
  try {
    const JsonDocument document(read_text_file(kPath), kPath);
    JsonObject json(document.root(), kPath, "", ErrorKind::kData);
    for (JsonObject& entry : json.objects("exercises")) {
      ExerciseProgress& p = of_[entry.text("id")];
      p.hints = static_cast<int>(entry.integer_or("hints", 0, 3, 0));
      p.revealed = entry.boolean_or("revealed", false);
      p.opened = entry.integer_or("opened", 0, int64_t{1} << 40, 0);
      p.passed = entry.integer_or("passed", 0, int64_t{1} << 40, 0);
    }
  } catch (const Error& error) {
    std::filesystem::rename(kPath, std::string(kPath) + ".damaged");
    std::cout << "  note: " << error.what() << " It is kept as " << kPath << ".damaged.\n";
    of_.clear();
  }
}

void Progress::save() const {
  JsonWriter w(1);
  w.begin_object().key("exercises").begin_array();
  for (const auto& [id, p] : of_) {
    w.begin_object()
        .field("id", id)
        .field("hints", p.hints)
        .field("revealed", p.revealed)
        .field("opened", p.opened)
        .field("passed", p.passed)
        .end_object();
  }
  w.end_array().end_object();
  std::filesystem::create_directories(kFolder);
  write_file_atomically(kPath, w.text() + "\n");
}

void show_hint(const Lab& lab, const std::string& exercise) {
  const Exercise& e = *lab.find(exercise);
  Progress progress;
  ExerciseProgress& p = progress[exercise];
  const int count = static_cast<int>(e.hints.size());
  const bool passed = p.passed > 0;
  if (p.hints < count && !passed) ++p.hints, progress.save();
  const int shown = passed ? count : p.hints;
  for (int i = 0; i < shown; ++i)
    std::cout << "  hint " << i + 1 << " of " << count << ": " << e.hints[static_cast<size_t>(i)] << "\n";
  if (p.hints == count || passed) {
    const bool held = holds_reference(sources_of(lab), exercise);
    std::cout << "  That was the last. "
              << (held ? "The reference: make reveal EX=" + exercise : "Next: ask somebody, with the failing check in hand.")
              << "\n";
  }
}

void reveal(const Lab& lab, const std::string& exercise) {
  const Exercise& e = *lab.find(exercise);
  Progress progress;
  ExerciseProgress& p = progress[exercise];
  const int left = static_cast<int>(e.hints.size()) - p.hints;
  const std::vector<SourceFile> files = sources_of(lab);
  check(holds_reference(files, exercise), ErrorKind::kValue, "labs", "this tree does not hold the reference of ", exercise,
        ". Hint: ask your teacher.");
  check(p.passed > 0 || left <= 0, ErrorKind::kValue, "labs", "the reference of ", exercise,
        " is shown after you pass, or after all hints: ", left, " left. Hint: make hint EX=", exercise);
  if (p.passed == 0) p.revealed = true;
  progress.save();
  for (const auto& [file, region] : places_of(files, exercise)) {
    const std::string text = joined(file->lines, region->begin + 1, region->end);
    std::cout << file->path << ":" << region->begin + 2 << "\n" << text;
  }
  if (p.revealed) std::cout << "  It is noted that you have seen it.\n";
}

void show_status(const std::vector<Lab>& labs) {
  Progress progress;
  std::printf("  %-84s %10s %10s %9s\n", "lab", "exercises", "points", "minutes");
  for (const Lab& lab : labs) {
    int passed = 0, points = 0;
    int64_t first = 0, last = 0;  // from the first run to the last pass
    for (const Exercise& e : lab.exercises) {
      const auto at = progress.all().find(e.id);
      if (at == progress.all().end()) continue;
      if (at->second.opened > 0 && (first == 0 || at->second.opened < first)) first = at->second.opened;
      if (at->second.passed == 0) continue;
      ++passed, points += e.points;
      last = std::max(last, at->second.passed);
    }
    const int64_t seconds = last > first ? last - first : 0;
    std::printf("  %2d  %-80s %4d of %2zu %4d of %3d %9lld\n", lab.number, lab.title.c_str(), passed, lab.exercises.size(),
                points, lab.points(), static_cast<long long>((seconds + 59) / 60));
  }
}

}  // namespace vitrail::labs
