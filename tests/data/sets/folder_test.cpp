#include "data/sets/folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "data/sets/registry.h"
#include "tests/support/picture_folder.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

bool says(const std::vector<std::string>& sentences, const std::string& part) {
  return std::any_of(sentences.begin(), sentences.end(),
                     [&](const std::string& s) { return s.find(part) != std::string::npos; });
}

std::string scan_refusal(const std::string& folder, ErrorKind kind = ErrorKind::kData) {
  return refusal(kind, [&] { scan_folder(folder); });
}

}  // namespace

TEST_CASE("a folder a class: classes in natural order, files in the order of their names, whatever the file system says") {
  PictureFolder root;
  for (const char* name : {"class10", "class2", "class1"}) root.put_class(name, 2, 10 * std::string(name).size());
  const PictureList list = scan_folder(root.path());
  CHECK(list.class_names == std::vector<std::string>{"class1", "class2", "class10"});
  REQUIRE(list.train.size() == 6);
  CHECK(list.train[0].path == root.file("class1/0.png"));
  CHECK(list.train[5].path == root.file("class10/1.png"));
  CHECK(list.train[5].label == 2);
  CHECK(says(list.notes, "natural order: class 1 is \"class2\"; programs that sort by bytes give this number to \"class10\""));
}

TEST_CASE("a folder has its own name, however it is spelt") {
  PictureFolder root;
  root.put_class("ant", 1, 0);
  root.put_class("bee", 1, 5);
  const std::string name = fs::path(root.path()).filename().string();
  CHECK(scan_folder(root.path()).name == name);
  CHECK(scan_folder(root.path() + "///").name == name);
  CHECK(scan_folder(root.path() + "/ant/..").name == name);
  const fs::path before = fs::current_path();
  fs::current_path(root.path());
  const std::string here = scan_folder(".").name;
  fs::current_path(before);
  CHECK(here == name);
}

TEST_CASE("no note of orders where both agree") {
  PictureFolder root;
  root.put_class("ant", 1, 0);
  root.put_class("bee", 1, 5);
  CHECK(scan_folder(root.path()).notes.empty());
}

TEST_CASE("hidden entries, other files and stray pictures are skipped with a count") {
  PictureFolder root;
  root.put_class("cat", 2, 0);
  root.put_class("dog", 2, 10);
  root.put_class(".ipynb_checkpoints", 2, 20);
  root.put_class("__MACOSX", 1, 30);
  root.put("stray.png", noise_picture(40));
  root.put_text("cat/.DS_Store", "x");
  root.put_text("cat/notes.txt", "x");
  root.put_text("cat/Thumbs.db", "x");
  const PictureList list = scan_folder(root.path());
  CHECK(list.class_names == std::vector<std::string>{"cat", "dog"});
  CHECK(list.train.size() == 4);
  CHECK(says(list.notes,
             "skipped 3 hidden entries, 2 files that are no pictures (Thumbs.db, notes.txt), 1 picture outside of the class"
             " folders (stray.png)"));
}

TEST_CASE("a picture is told by its ending in any case, or without an ending by its first bytes") {
  PictureFolder root;
  root.put("a/ONE.PNG", noise_picture(1));
  root.put("a/bare", noise_picture(2));
  root.put_text("a/README", "words");
  root.put("a/deep/deeper/three.Png", noise_picture(3));
  root.put_class("b", 1, 9);
  const PictureList list = scan_folder(root.path());
  CHECK(list.train.size() == 4);
  CHECK(list.train[2].path == root.file("a/deep/deeper/three.Png"));
  CHECK(says(list.notes, "1 file that is no picture (README)"));
  CHECK(is_picture_name("x.JpEg"));
  CHECK(is_picture_name("x.gif"));  // named as a format that is not read, not passed over
  CHECK_FALSE(is_picture_name("jpg"));
  CHECK_FALSE(is_picture_name("x.png.txt"));
}

TEST_CASE("names with spaces, of other scripts, of bytes that are no text, and with line ends survive") {
  PictureFolder root;
  const std::vector<std::string> names = {"two words", "\xe7\x8a\xac", "caf\xe9", "line\nend", "-dash", "quote\"'"};
  int64_t number = 0;
  for (const std::string& name : names) root.put(name + "/pic " + name + ".png", noise_picture(++number));
  const DatasetPtr data = open_dataset(root.path(), Split::kTrain, {.image_size = 8});
  CHECK(data->num_classes() == 6);
  std::set<std::string> classes(data->class_names().begin(), data->class_names().end());
  for (const char* name : {"two words", "\xe7\x8a\xac", "caf\\xe9", "line\nend", "-dash", "quote\"'"})
    CHECK(classes.contains(name));
  for (int64_t i = 0; i < data->size(); ++i) CHECK(data->sample(i).image.shape() == Shape{3, 8, 8});
}

TEST_CASE("train, val and test are parts of their own; other folders beside them are named") {
  PictureFolder root;
  for (const char* part : {"train", "Val", "test"})
    for (const char* name : {"a", "b"})
      root.put_class(std::string(part) + "/" + name, part[0] == 't' ? 3 : 2, part[0] + 7 * name[0]);
  root.put_class("old/a", 1, 1);
  const PictureList list = scan_folder(root.path());
  CHECK(list.train.size() == 6);
  CHECK(list.validation.size() == 4);
  CHECK(list.test.size() == 6);
  CHECK(says(list.notes, "beside train/, left out: old"));
  CHECK(open_dataset(root.path(), Split::kValidation)->sample_name(0) == root.file("Val/a/0.png"));
  CHECK(open_dataset(root.path(), Split::kTest)->sample_name(0) == root.file("test/a/0.png"));
}

TEST_CASE("where one of validation and test is missing, the other stands for it") {
  PictureFolder root;
  for (const char* part : {"train", "test"})
    for (const char* name : {"a", "b"}) root.put_class(std::string(part) + "/" + name, 2, part[1] + 7 * name[0]);
  CHECK(open_dataset(root.path(), Split::kValidation)->sample_name(0) == root.file("test/a/0.png"));
  CHECK(open_source(root.path()).parts == std::vector<Split>{Split::kTrain, Split::kTest});
}

TEST_CASE("an empty class is refused, and parts whose classes differ are refused with the difference") {
  PictureFolder root;
  root.put_class("train/a", 1, 0);
  root.put_class("train/b", 1, 1);
  root.put_class("val/a", 1, 2);
  CHECK_SAYS(scan_refusal(root.path()), "val lacks 1 of the classes of");
  CHECK_SAYS(scan_refusal(root.path()), ": b.");
  root.put_class("val/b", 1, 3);
  root.put_class("val/zebra", 1, 4);
  CHECK_SAYS(scan_refusal(root.path()), "has classes that");
  CHECK_SAYS(scan_refusal(root.path()), "has not: zebra.");
  fs::create_directories(root.file("train/zebra"));
  root.put_text("train/zebra/list.txt", "");
  CHECK_SAYS(scan_refusal(root.path()), "train/zebra has no picture. Hint: remove it");
  const PictureList collected = scan_folder(root.path(), /*collect=*/true);
  CHECK(says(collected.problems, "train/zebra has no picture"));
  CHECK(says(collected.problems, "has not: zebra."));
}

TEST_CASE("a folder that is no data set says what it holds") {
  PictureFolder root;
  CHECK_SAYS(scan_refusal(root.path()), "there are no class folders with pictures. It is empty.");
  root.put("one.png", noise_picture(1));
  CHECK_SAYS(scan_refusal(root.path()), "It holds one.png.");
  CHECK_SAYS(scan_refusal("/no/such/place", ErrorKind::kIo), "/no/such/place: there is no such folder");
  PictureFolder halves;
  halves.put_class("val/a", 1, 1);
  CHECK_SAYS(scan_refusal(halves.path()), "there is no train/");
}

TEST_CASE("folders around the set, as archives unpack, are passed through and said") {
  PictureFolder root;
  root.put_class("flowers/rose", 1, 1);
  root.put_class("flowers/tulip", 1, 2);
  const PictureList list = scan_folder(root.path() + "/");
  CHECK(list.class_names == std::vector<std::string>{"rose", "tulip"});
  CHECK(says(list.notes, "the classes are taken from"));
  PictureFolder one;  // one class alone is no wrapper
  one.put_class("rose", 2, 1);
  CHECK(scan_folder(one.path()).class_names == std::vector<std::string>{"rose"});
}

TEST_CASE("folders deeper than is looked are counted as such, not as links") {
  PictureFolder root;
  for (const char* name : {"a", "b"}) root.put_class(name, 2, name[0]);
  std::string deep = "a";
  for (int i = 0; i < 66; ++i) deep += "/d";
  root.put(deep + "/far.png", noise_picture(5));
  const PictureList list = scan_folder(root.path());
  CHECK(list.train.size() == 4);
  CHECK(says(list.notes, "1 folder more than 64 levels below the class folder"));
  CHECK(!says(list.notes, "seen already"));
}

TEST_CASE("links are followed; links in a circle end, and a link that leads nowhere is named when it is read") {
  PictureFolder root;
  root.put_class("a", 2, 1);
  root.put_class("b", 1, 9);
  fs::create_directory_symlink("..", root.file("a/up"));  // to the root, which holds a
  fs::create_directory_symlink(".", root.file("b/self"));
  for (int i = 0; i < 30; ++i) fs::create_directory_symlink("self", root.file("b/again" + std::to_string(i)));
  PictureFolder elsewhere;
  elsewhere.put("far.png", noise_picture(20));
  fs::create_symlink(elsewhere.file("far.png"), root.file("b/near.png"));
  const PictureList list = scan_folder(root.path());
  const auto files_of_b =
      std::count_if(list.train.begin(), list.train.end(), [](const PictureFile& f) { return f.label == 1; });
  CHECK(files_of_b == 2);
  CHECK(says(list.notes, "links to folders that were seen already"));
  fs::create_symlink("gone.png", root.file("b/lost.png"));
  CHECK_SAYS(refusal(ErrorKind::kIo, [&] { open_dataset(root.path(), Split::kTrain); }), "b/lost.png");
}

TEST_CASE("a folder that may not be read is an error of the file system" * doctest::skip(geteuid() == 0)) {
  PictureFolder root;
  root.put_class("a", 1, 1);
  chmod(root.file("a").c_str(), 0);
  CHECK_SAYS(scan_refusal(root.path(), ErrorKind::kIo), "Permission denied");
  chmod(root.file("a").c_str(), 0700);
}

TEST_CASE("a queue or a device among the pictures is passed over without being opened") {
  PictureFolder root;
  root.put_class("a", 1, 1);
  root.put_class("b", 1, 2);
  REQUIRE(mkfifo(root.file("a/queue.png").c_str(), 0600) == 0);
  const PictureList list = scan_folder(root.path());
  CHECK(list.train.size() == 2);
  CHECK(says(list.notes, "1 file that is no picture (queue.png)"));
}
