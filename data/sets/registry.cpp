#include "data/sets/registry.h"

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "base/text.h"
#include "data/sets/folder.h"
#include "data/sets/glyphs.h"
#include "data/sets/known_sets.h"
#include "data/sets/list.h"
#include "data/sets/mnist.h"
#include "data/sets/recognise.h"
#include "data/sets/scenes.h"

namespace vitrail {
namespace {

constexpr int64_t kDefaultTrain = 20000, kDefaultTest = 4000, kDefaultSide = 64;
constexpr int64_t kMostDrawn = 1'000'000'000;  // more than anyone sees; the order of an epoch is held in memory

// A set of the table: its name, how a user writes what follows the name ("" for a drawn set), and how it is opened.
struct Entry {
  std::string name, place;
  std::function<DatasetSource(const std::string& place, const DatasetOptions& options)> open;

  std::string written() const { return place.empty() ? name : name + ":" + place; }
};

// A set of two parts, each read or drawn when it is asked for.
template <class Open>
DatasetSource two_parts(const std::string& name, const DatasetOptions& options, Open open) {
  check(options.limit >= 0, ErrorKind::kValue, "data", "limit must not be negative: it is ", options.limit);
  DatasetSource source;
  source.name = name;
  source.parts = {Split::kTrain, Split::kTest};
  source.open = [open, limit = options.limit](Split split) -> DatasetPtr {
    DatasetPtr dataset = open(split == Split::kTrain);
    return limit > 0 ? first_n(std::move(dataset), limit) : dataset;
  };
  return source;
}

// An entry whose set read(folder, train) reads from a folder.
template <class Read>
Entry files_entry(const std::string& name, Read read) {
  return {name, "DIR", [name, read](const std::string& folder, const DatasetOptions& options) {
            return two_parts(name, options, [read, folder](bool train) -> DatasetPtr { return read(folder, train); });
          }};
}

// An entry whose set draw(train, size, options) draws.
template <class Draw>
Entry drawn_entry(const std::string& name, Draw draw) {
  return {name, "", [name, draw](const std::string&, const DatasetOptions& options) {
            for (const int64_t size : {options.train_size, options.test_size})
              check(size >= 0 && size <= kMostDrawn, ErrorKind::kValue, "data", "train_size and test_size must be in [0, ",
                    kMostDrawn, "]: they are ", options.train_size, ", ", options.test_size);
            return two_parts(name, options, [draw, options](bool train) -> DatasetPtr {
              const int64_t wanted = train ? options.train_size : options.test_size;
              return draw(train, wanted > 0 ? wanted : train ? kDefaultTrain : kDefaultTest, options);
            });
          }};
}

Entry mnist_entry(const std::string& name, DatasetInfo (*info)()) {
  return files_entry(name, [info](const std::string& folder, bool train) {
    return read_mnist_folder(folder, train ? "train" : "t10k", info());
  });
}

// A new set: a line here, in the order in which they are listed.
std::vector<Entry> make_table() {
  std::vector<Entry> table = {mnist_entry("mnist", mnist_info), mnist_entry("fashion-mnist", fashion_mnist_info),
                              mnist_entry("kmnist", kmnist_info)};
  table.push_back(files_entry("qmnist", [](const std::string& folder, bool train) {
    DatasetInfo info = mnist_info();
    info.name = "qmnist";
    return read_qmnist_folder(folder, train, std::move(info));
  }));
  for (const std::string& part : emnist_names())
    table.push_back(files_entry("emnist-" + part, [part](const std::string& folder, bool train) {
      return read_emnist_folder(folder, part, train, emnist_info(part));
    }));
  for (const CifarKind kind : {CifarKind::k10, CifarKind::k100})
    table.push_back(files_entry(kind == CifarKind::k10 ? "cifar10" : "cifar100", [kind](const std::string& folder, bool train) {
      return read_cifar_folder(folder, kind, train, cifar_info(kind));
    }));
  table.push_back({"folder", "DIR", [](const std::string& place, const DatasetOptions& options) {
                     check(options.labels != LabelsPerPicture::kSeveral, ErrorKind::kValue, "data", escaped_path(place),
                           ": a folder of class folders says one label per picture. Hint: a list (.csv, .jsonl) says several.");
                     return open_pictures(scan_folder(place, options.collect_problems), options);
                   }});
  table.push_back({"list", "FILE", [](const std::string& place, const DatasetOptions& options) {
                     std::error_code ignored;  // what cannot be inspected fails when it is read, with the system's reason
                     const bool folder = std::filesystem::is_directory(place, ignored);
                     const std::string list = folder ? only_list_in(place) : place;
                     check(!list.empty(), ErrorKind::kValue, "data", escaped_path(place),
                           ": a folder is read by its list if it holds one (.csv, .jsonl) alone. Hint: name the file.");
                     return open_pictures(read_list(list, options.collect_problems, options.labels), options);
                   }});
  for (const auto& [name, part] :
       {std::pair("glyphs", GlyphPart::kAll), {"drawn-digits", GlyphPart::kDigits}, {"drawn-letters", GlyphPart::kLetters}})
    table.push_back(drawn_entry(name, [part = part](bool train, int64_t size, const DatasetOptions& o) {
      return std::make_shared<GlyphDataset>(o.seed, train, size, part);
    }));
  table.push_back(drawn_entry("scenes", [](bool train, int64_t size, const DatasetOptions& o) {
    return std::make_shared<SceneDataset>(o.seed, train, size, o.image_size == 0 ? kDefaultSide : o.image_size);
  }));
  return table;
}

const std::vector<Entry>& table() {
  static const std::vector<Entry> entries = make_table();
  return entries;
}

const Entry* find_entry(const std::string& name) {
  for (const Entry& entry : table())
    if (entry.name == name) return &entry;
  return nullptr;
}

bool is_there(const std::string& path) {
  std::error_code ignored;
  return !path.empty() && std::filesystem::exists(path, ignored);
}

[[noreturn]] void unknown_name(const std::string& name) {
  std::vector<std::string> known, shown;  // a message has room for one of the parts of EMNIST
  for (const Entry& entry : table()) {
    known.push_back(entry.name);
    const bool another = !shown.empty() && shown.back().starts_with("emnist-") && entry.name.starts_with("emnist-");
    if (!another) shown.push_back(entry.name);
  }
  const std::string near = nearest(name, known);
  fail(ErrorKind::kValue, "data", "no such path or data set: ", quote(name),
       ". Hint: ", near.empty() ? "a folder, a list, or NAME:PATH with " + listed(shown, shown.size()) : "did you mean " + near,
       near.empty() ? "." : "?");
}

DatasetSource open_recognised(const std::string& path, const DatasetOptions& options) {
  const Recognised found = recognise(path);
  DatasetSource source = find_entry(found.name)->open(path, options);
  if (!found.note.empty()) source.notes.insert(source.notes.begin(), found.note);
  return source;
}

}  // namespace

const std::vector<std::string>& dataset_specs() {
  static const std::vector<std::string> specs = [] {
    std::vector<std::string> all;
    for (const Entry& entry : table()) all.push_back(entry.written());
    return all;
  }();
  return specs;
}

bool is_drawn(const std::string& name) {
  const Entry* entry = find_entry(name);
  return entry != nullptr && entry->place.empty();
}

bool is_dataset_spec(const std::string& text) {
  std::error_code ignored;
  return find_entry(text.substr(0, text.find(':'))) != nullptr || std::filesystem::is_directory(text, ignored) ||
         (is_list_name(text) && is_there(text));
}

DatasetSource open_source(const std::string& spec, const DatasetOptions& options) {
  const size_t colon = spec.find(':');
  const std::string name = spec.substr(0, colon), place = colon == std::string::npos ? "" : spec.substr(colon + 1);
  const Entry* entry = find_entry(name);
  const bool drawn = is_drawn(name);
  if (is_there(spec) && !drawn && place.empty()) return open_recognised(spec, options);
  if (!entry && is_there(spec)) return open_recognised(spec, options);  // a path with a colon in it
  if (!entry) {
    const bool path = colon == std::string::npos && spec.find_first_of("/.") != std::string::npos;
    check(!path, ErrorKind::kIo, "data", escaped_path(spec), ": there is no such file or folder.");
    unknown_name(name);
  }
  check(!drawn || colon == std::string::npos, ErrorKind::kValue, "data", name,
        " is drawn by the program and takes no folder: it is ", quote(spec));
  check(drawn || !place.empty(), ErrorKind::kValue, "data", name, " is read from files. Hint: say where they are, as in ",
        entry->written(), ".");
  return entry->open(place, options);
}

DatasetPtr open_dataset(const std::string& spec, Split split, const DatasetOptions& options) {
  return open_source(spec, options).open(split);
}

}  // namespace vitrail
