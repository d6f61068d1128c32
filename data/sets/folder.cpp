#include "data/sets/folder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/text.h"
#include "data/sets/find_file.h"
#include "data/sets/walk.h"

namespace vitrail {
namespace {

constexpr int kMostWrappers = 4;  // folders around the set that hold nothing but it

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

// The sub-folder that has one of these names, "" if there is none.
std::string part_named(const std::vector<std::string>& folders, const std::set<std::string>& names) {
  for (const std::string& folder : folders)
    if (names.contains(lower(folder))) return folder;
  return "";
}

const std::set<std::string> kTrainNames = {"train", "training"}, kValidationNames = {"val", "valid", "validation"},
                            kTestNames = {"test", "testing"};

bool is_part_name(const std::string& name) {
  return kTrainNames.contains(lower(name)) || kValidationNames.contains(lower(name)) || kTestNames.contains(lower(name));
}

// Where the classes or the parts begin: below folders that hold one folder, which holds folders in turn.
std::string unwrapped(std::string root, std::vector<std::string>& notes) {
  const std::string given = root;
  for (int i = 0; i < kMostWrappers; ++i) {
    Skipped ignored;
    const FolderContent content = read_folder(root, ignored);
    if (content.folders.size() != 1 || !content.pictures.empty()) break;
    if (is_part_name(content.folders.front())) break;
    const std::string inner = root + "/" + content.folders.front();
    if (read_folder(inner, ignored).folders.empty()) break;
    root = inner;
  }
  if (root != given) notes.push_back(cat("the classes are taken from ", escaped_path(root)));
  return root;
}

// The pictures of each class folder, by the folder's name. An empty class is refused, or reported and left out.
std::map<std::string, std::vector<std::string>> classes_in(const std::string& folder, bool collect, Skipped& skipped,
                                                           PictureList& list) {
  std::map<std::string, std::vector<std::string>> classes;
  const FolderContent content = read_folder(folder, skipped);
  skipped.loose.insert(skipped.loose.end(), content.pictures.begin(), content.pictures.end());
  for (const std::string& name : content.folders) {
    std::vector<std::string> pictures = pictures_below(folder + "/" + name, skipped);
    if (!pictures.empty()) {
      classes.emplace(name, std::move(pictures));
      continue;
    }
    refuse(list, collect,
           cat("class folder ", escaped_path(folder + "/" + name),
               " has no picture. Hint: remove it, or put pictures of that class into it."));
  }
  check(!classes.empty(), ErrorKind::kData, "data", escaped_path(folder), ": there are no class folders with pictures. ",
        holds(folder), " Hint: one folder a class, a list (CSV or JSON lines), or vitrail train --help for other sets.");
  return classes;
}

std::vector<std::string> names_of(const std::map<std::string, std::vector<std::string>>& classes) {
  std::vector<std::string> names;
  for (const auto& entry : classes) names.push_back(entry.first);
  return names;
}

std::vector<std::string> without(const std::vector<std::string>& names, const std::vector<std::string>& others) {
  std::vector<std::string> rest;  // both are sorted by bytes
  std::set_difference(names.begin(), names.end(), others.begin(), others.end(), std::back_inserter(rest));
  return rest;
}

void check_same_classes(const std::string& part, const std::vector<std::string>& names, const std::string& train,
                        const std::vector<std::string>& expected, bool collect, PictureList& list) {
  const std::vector<std::string> missing = without(expected, names), unknown = without(names, expected);
  if (!missing.empty())
    refuse(list, collect,
           cat(escaped_path(part), " lacks ", missing.size(), " of the classes of ", escaped_path(train), ": ", listed(missing),
               "."));
  if (!unknown.empty())
    refuse(list, collect,
           cat(escaped_path(part), " has classes that ", escaped_path(train), " has not: ", listed(unknown), "."));
}

// Class by class, in the order of the class names.
std::vector<PictureFile> files_of(const std::map<std::string, std::vector<std::string>>& classes,
                                  const std::vector<std::string>& order) {
  std::vector<PictureFile> files;
  for (size_t label = 0; label < order.size(); ++label) {
    const auto found = classes.find(order[label]);
    if (found == classes.end()) continue;
    for (const std::string& path : found->second) files.push_back({path, static_cast<int64_t>(label)});
  }
  return files;
}

// The pictures of validation or test, if the root has that part. Kaggle's test/ holds pictures without labels.
std::vector<PictureFile> read_part(const std::string& root, const std::string& name, const std::string& train,
                                   const std::vector<std::string>& order, bool collect, Skipped& skipped, PictureList& list) {
  if (name.empty()) return {};
  const std::string folder = root + "/" + name;
  Skipped ignored;
  if (read_folder(folder, ignored).folders.empty()) {
    list.notes.push_back(cat(escaped_path(folder), " has no class folders and is left out"));
    return {};
  }
  const auto classes = classes_in(folder, collect, skipped, list);
  std::vector<std::string> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  check_same_classes(folder, names_of(classes), root + "/" + train, sorted, collect, list);
  return files_of(classes, order);
}

}  // namespace

PictureList scan_folder(const std::string& given, bool collect) {
  check_folder(given);
  PictureList list;
  const std::string top = given.size() > 1 && given.ends_with('/') ? given.substr(0, given.size() - 1) : given;
  const std::string root = unwrapped(top, list.notes);
  // The folder's own name, also where it is given as "." or with slashes behind it.
  std::error_code ignored;
  const std::filesystem::path whole = std::filesystem::absolute(top, ignored).lexically_normal();
  list.name = class_name_of((whole.has_filename() ? whole : whole.parent_path()).filename().string());
  Skipped skipped;
  const FolderContent at_root = read_folder(root, skipped);
  const std::vector<std::string>& folders = at_root.folders;
  const std::string train = part_named(folders, kTrainNames);
  const std::string validation = part_named(folders, kValidationNames), test = part_named(folders, kTestNames);
  const bool parts_alone = !folders.empty() && static_cast<size_t>(!validation.empty() + !test.empty()) == folders.size();
  check(!train.empty() || !parts_alone, ErrorKind::kData, "data", escaped_path(root), ": there is no train/. ", holds(root),
        " Hint: train/ with one folder a class; val/ and test/ may stand beside it.");

  if (train.empty()) skipped = {};  // the root is read again as the folder of the classes
  if (!train.empty()) skipped.loose = at_root.pictures;
  const auto classes = classes_in(train.empty() ? root : root + "/" + train, collect, skipped, list);
  const std::vector<std::string> order = ordered_classes(names_of(classes), list.notes);
  list.train = files_of(classes, order);
  if (!train.empty()) {
    list.validation = read_part(root, validation, train, order, collect, skipped, list);
    list.test = read_part(root, test, train, order, collect, skipped, list);
    std::vector<std::string> unused;
    for (const std::string& folder : folders)
      if (folder != train && folder != validation && folder != test) unused.push_back(folder);
    if (!unused.empty()) list.notes.push_back(cat("beside ", train, "/, left out: ", listed(unused)));
  }
  for (const std::string& name : order) list.class_names.push_back(class_name_of(name));
  const std::set<std::string> distinct(list.class_names.begin(), list.class_names.end());
  check(distinct.size() == order.size(), ErrorKind::kData, "data", escaped_path(root),
        ": two class folders have the same name once bytes that are not UTF-8 are written out.");
  if (const std::string sentence = skipped.sentence(); !sentence.empty()) list.notes.push_back(sentence);
  return list;
}

}  // namespace vitrail
