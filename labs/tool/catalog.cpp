#include "labs/tool/catalog.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

namespace vitrail::labs {
namespace {

constexpr int kMaxExercises = 12, kHints = 3;

Exercise read_exercise(JsonObject& json, int lab) {
  Exercise e;
  e.id = json.text("id");
  if (e.id.rfind(std::to_string(lab) + ".", 0) != 0)
    json.refuse("id", "an exercise of lab " + std::to_string(lab) + " begins with \"" + std::to_string(lab) + ".\"");
  e.title = json.text("title");
  e.points = static_cast<int>(json.integer("points", 1, 100));
  e.minutes = static_cast<int>(json.integer("minutes", 1, 240));
  e.needs = json.texts_or("needs", {});
  e.hints = json.texts_or("hints", {});
  if (e.hints.size() != kHints) json.refuse("hints", "an exercise has three hints, not " + std::to_string(e.hints.size()));
  for (const std::string& hint : e.hints) {
    if (hint.find_first_not_of(" \t") == std::string::npos) json.refuse("hints", "a hint is empty");
  }
  if (json.has("signatures")) {
    for (JsonObject& signature : json.objects("signatures")) {
      e.signatures.push_back({signature.text("header"), signature.texts_or("names", {})});
      signature.finish();
    }
  }
  json.finish();
  return e;
}

std::string all_exercises(const std::vector<Lab>& labs) {
  std::string text;
  for (const Lab& lab : labs) {
    for (const Exercise& e : lab.exercises) text += (text.empty() ? "" : " ") + e.id;
  }
  return text;
}

}  // namespace

const Exercise* Lab::find(const std::string& id) const {
  const auto at = std::find_if(exercises.begin(), exercises.end(), [&](const Exercise& e) { return e.id == id; });
  return at == exercises.end() ? nullptr : &*at;
}

int Lab::points() const {
  int sum = 0;
  for (const Exercise& e : exercises) sum += e.points;
  return sum;
}

Lab load_lab(const std::string& folder) {
  const std::string path = folder + "/lab.json";
  const JsonDocument document(read_text_file(path), path);
  JsonObject json(document.root(), path, "", ErrorKind::kData);
  Lab lab;
  lab.folder = folder;
  lab.number = static_cast<int>(json.integer("lab", 0, 99));
  lab.title = json.text("title");
  lab.seconds = static_cast<int>(json.integer("seconds", 1, 60));
  lab.stack_mib = static_cast<int>(json.integer_or("stack_mib", 1, 64, 0));
  lab.files = json.texts_or("files", {});
  lab.written_before = json.texts_or("written_before", {});
  lab.milestone = json.text_or("milestone", "");
  lab.questions = json.texts_or("questions", {});
  for (JsonObject& exercise : json.objects("exercises")) lab.exercises.push_back(read_exercise(exercise, lab.number));
  if (lab.exercises.empty() || lab.exercises.size() > kMaxExercises) json.refuse("exercises", "a lab has 1 to 12 exercises");
  for (size_t i = 0; i < lab.exercises.size(); ++i) {
    if (lab.find(lab.exercises[i].id) != &lab.exercises[i])
      json.refuse("exercises", "exercise " + lab.exercises[i].id + " stands twice");
    for (const std::string& need : lab.exercises[i].needs) {
      if (need == lab.exercises[i].id || !lab.find(need))
        json.refuse("exercises", lab.exercises[i].id + " needs " + need + ", which is no other exercise of this lab");
    }
  }
  json.finish();
  check(folder.ends_with("lab" + std::to_string(lab.number)), ErrorKind::kData, "labs", path, ": key lab: ", lab.number,
        " does not belong into folder ", folder);
  return lab;
}

std::vector<Lab> load_labs(const std::string& root) {
  std::vector<Lab> labs;
  if (std::filesystem::is_directory(root)) {
    for (const auto& entry : std::filesystem::directory_iterator(root)) {
      if (std::filesystem::exists(entry.path() / "lab.json")) labs.push_back(load_lab(entry.path().string()));
    }
  }
  std::sort(labs.begin(), labs.end(), [](const Lab& a, const Lab& b) { return a.number < b.number; });
  return labs;
}

const Lab& lab_of_exercise(const std::vector<Lab>& labs, const std::string& exercise) {
  for (const Lab& lab : labs) {
    if (lab.find(exercise)) return lab;
  }
  for (const Lab& lab : labs) {
    if (exercise.rfind(std::to_string(lab.number) + ".", 0) == 0 || exercise == std::to_string(lab.number))
      fail(ErrorKind::kValue, "labs", "there is no exercise ", quote(exercise), ". Those of lab ", lab.number,
           " are: ", all_exercises({lab}));
  }
  fail(ErrorKind::kValue, "labs", "there is no exercise ", quote(exercise), ". The exercises are: ", all_exercises(labs));
}

const Lab& lab_of_number(const std::vector<Lab>& labs, int number) {
  for (const Lab& lab : labs) {
    if (lab.number == number) return lab;
  }
  fail(ErrorKind::kValue, "labs", "there is no lab ", number, ". The exercises are: ", all_exercises(labs));
}

std::set<std::string> chosen_of(const std::vector<Lab>& labs, const std::string& words) {
  std::set<std::string> chosen;
  std::string text = words;
  std::replace(text.begin(), text.end(), ',', ' ');
  std::istringstream in(text);
  for (std::string word; in >> word;) {
    const bool known = std::any_of(labs.begin(), labs.end(),
                                   [&](const Lab& lab) { return std::to_string(lab.number) == word || lab.find(word); });
    check(known, ErrorKind::kValue, "labs", "there is no exercise ", quote(word), ". The exercises are: ", all_exercises(labs));
    chosen.insert(word);
  }
  return chosen;
}

std::vector<SourceFile> sources_of(const Lab& lab) {
  std::vector<SourceFile> files;
  for (const std::string& path : lab.files) {
    files.push_back(read_source(path));
    for (const Region& r : files.back().regions) {
      check(r.lab() != lab.number || lab.find(r.exercise), ErrorKind::kData, "labs", path, ": exercise ", r.exercise,
            " is not in ", lab.folder, "/lab.json");
    }
  }
  for (const Exercise& e : lab.exercises) {
    check(!places_of(files, e.id).empty(), ErrorKind::kData, "labs", lab.folder, "/lab.json: exercise ", e.id,
          " has no region in the lab's files");
  }
  return files;
}

bool holds_reference(const std::vector<SourceFile>& files, const std::string& exercise) {
  for (const auto& [file, region] : places_of(files, exercise)) {
    if (joined(file->lines, region->begin + 1, region->end).find("lab::todo(") != std::string::npos) return false;
  }
  return true;
}

std::vector<std::pair<const SourceFile*, const Region*>> places_of(const std::vector<SourceFile>& files,
                                                                   const std::string& exercise) {
  std::vector<std::pair<const SourceFile*, const Region*>> places;
  for (const SourceFile& file : files) {
    for (const Region& r : file.regions) {
      if (r.exercise == exercise) places.emplace_back(&file, &r);
    }
  }
  return places;
}

}  // namespace vitrail::labs
