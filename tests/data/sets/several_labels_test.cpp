// Lists with any number of labels per picture.
#include <algorithm>

#include "data/relabelled.h"
#include "data/sets/content_split.h"
#include "data/sets/list.h"
#include "data/sets/registry.h"
#include "tests/support/picture_folder.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

PictureList list_of(const std::string& text, const std::string& name = "list.csv",
                    LabelsPerPicture form = LabelsPerPicture::kByContent) {
  return parse_list(text, name, false, form);
}

std::string list_refusal(const std::string& text, const std::string& name = "list.csv",
                         LabelsPerPicture form = LabelsPerPicture::kByContent) {
  return refusal(ErrorKind::kData, [&] { list_of(text, name, form); });
}

using Labels = std::vector<std::vector<int64_t>>;

Labels labels_of(const PictureList& list) {
  Labels labels;
  for (const PictureFile& file : list.train) labels.push_back(file.labels);
  return labels;
}

}  // namespace

TEST_CASE("several labels: between ; or |, in an array, in a column of that name, or in a column per class") {
  const std::vector<std::string> names{"cat", "dog 2", "dog 10"};
  const Labels expected{{0, 2}, {}, {1}};
  for (const auto& [text, name] :
       {std::pair<std::string, std::string>{"path,label\na.png,dog 10;cat\nb.png,\nc.png,dog 2\n", "l.csv"},
        {"path;label\na.png;cat|dog 10\nb.png;\nc.png;dog 2\n", "l.csv"},
        {"file,tags\na.png, dog 10 ; cat;;cat\nb.png,\nc.png,dog 2\n", "l.csv"},
        {"dog 10,path,cat,dog 2,split\n1,a.png,1,0,train\n0,b.png,0,0,\n0,c.png,0,1,train\n", "l.csv"},
        {"{\"path\":\"a.png\",\"labels\":[\"dog 10\",\"cat\"]}\n{\"path\":\"b.png\",\"labels\":[]}\n"
         "{\"path\":\"c.png\",\"label\":\"dog 2\"}\n",
         "l.jsonl"},
        {"{\"path\":\"a.png\",\"label\":\"dog 10|cat\"}\n{\"path\":\"b.png\",\"label\":\"\"}\n"
         "{\"path\":\"c.png\",\"label\":\"dog 2\"}\n",
         "l.jsonl"}}) {
    CAPTURE(text);
    const PictureList list = list_of(text, name);
    CHECK(list.multi_label);
    CHECK(list.class_names == names);
    CHECK(labels_of(list) == expected);
    for (const PictureFile& file : list.train) CHECK(file.label == -1);
    REQUIRE(!list.notes.empty());
    CHECK_SAYS(list.notes[0], "any number of labels per picture, told by ");
    CHECK_SAYS(list.notes[0], "1.00 on average, 1 picture without one");
  }
}

TEST_CASE("one label a cell stays one label, and each form can be asked for") {
  const std::string plain = "path,label\na.png,cat\nb.png,dog\n", apart = "path,label\na.png,cat;dog\nb.png,dog\n";
  CHECK(!list_of(plain).multi_label);
  const PictureList asked = list_of(plain, "l.csv", LabelsPerPicture::kSeveral);
  CHECK(asked.multi_label);
  CHECK(labels_of(asked) == Labels{{0}, {1}});
  const PictureList whole = list_of(apart, "l.csv", LabelsPerPicture::kOne);
  CHECK(!whole.multi_label);
  CHECK(whole.class_names == std::vector<std::string>{"cat;dog", "dog"});
  const PictureList numbers = list_of("path,label\na.png,1;10\nb.png,2\n");
  CHECK(numbers.class_names == std::vector<std::string>{"1", "2", "10"});
}

TEST_CASE("slips in lists of several labels are named with their line") {
  CHECK_SAYS(list_refusal("path,cat,dog\na.png,1,0\nb.png,2,0\n"),
             "line 3: without a column label every other column is a class and holds 0 or 1: \"cat\" is \"2\".");
  CHECK_SAYS(list_refusal("path,cat,cat\na.png,1,0\n"), "two columns have the name \"cat\"");
  CHECK_SAYS(list_refusal("path,cat,\na.png,1,0\n"), "column 3 has no name");
  CHECK_SAYS(list_refusal("path,colour\na.png,red\n"), "the first line must name the columns path and label");
  CHECK_SAYS(list_refusal("path,cat\na.png,1\n", "l.csv", LabelsPerPicture::kOne),
             "the first line must name the columns path and label");
  CHECK_SAYS(list_refusal("path,label\na.png,cat;dog\nb.png,7\n"), "line 3: labels are names, as in line 2: it is \"7\"");
  CHECK_SAYS(list_refusal("path,label\na.png,cat;dog\na.png,cat\n"),
             "a second label for \"a.png\": it is \"cat\", in line 2 \"cat;dog\"");
  CHECK(list_of("path,label\na.png,cat;dog\na.png,dog;cat\n").train.size() == 2);
  CHECK_SAYS(list_refusal("path,labels\na.png,\nb.png,\n"), "no picture of the list has a label");
  CHECK_SAYS(list_refusal("{\"path\":\"a.png\",\"label\":[\"cat\"]}\n", "l.jsonl", LabelsPerPicture::kOne),
             "one label a picture was asked for: it is an array");
  CHECK_SAYS(list_refusal("{\"path\":\"a.png\",\"label\":[\"cat\",3]}\n", "l.jsonl"), "l.jsonl line 1");
  CHECK_SAYS(list_refusal("{\"path\":\"a.png\",\"label\":\"cat\",\"labels\":[]}\n", "l.jsonl"),
             "says what another key of the object says already");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { open_source("folder:/tmp", {.labels = LabelsPerPicture::kSeveral}); }),
             "a folder of class folders says one label per picture");
}

TEST_CASE("a class that only the test has is a note where a picture has several labels") {
  const PictureList list = list_of("path,label,split\na.png,cat;dog,train\nb.png,owl,test\n");
  CHECK(list.class_names.size() == 3);
  CHECK_SAYS(list.notes.back(), "classes without a picture to train on: owl");
}

TEST_CASE("pictures with several labels are read, split by content, matched by name and left out by name") {
  const PictureFolder folder;
  std::string text = "path,label\n";
  for (int64_t i = 0; i < 40; ++i) {
    folder.put(std::to_string(i) + ".png", noise_picture(i));
    text += std::to_string(i) + ".png," + (i % 4 == 0 ? "cat;dog" : i % 4 == 1 ? "dog" : i % 4 == 2 ? "" : "owl|cat") + "\n";
  }
  folder.put_text("list.csv", text);
  const DatasetSource source = open_source(folder.file("list.csv"));
  const DatasetPtr train = source.open(Split::kTrain), held = source.open(Split::kValidation);
  CHECK(train->info().multi_label);
  CHECK(train->size() + held->size() == 40);
  CHECK(held->size() >= 6);
  int64_t seen = 0;
  for (int64_t i = 0; i < held->size(); ++i) {
    const Sample sample = held->sample(i);
    CHECK(sample.target.label == -1);
    REQUIRE(sample.target.classes.shape() == Shape{3});
    std::vector<int64_t> on;
    for (int64_t c = 0; c < 3; ++c)
      if (sample.target.classes.at({c}) == 1) on.push_back(c);
    CHECK(on == held->labels(i));
    seen += static_cast<int64_t>(on.size());
  }
  CHECK(seen > 0);
  const DatasetPtr moved = with_classes(train, {"owl", "bat", "dog", "cat"});
  const KnownClasses known = with_known_classes(train, {"owl", "cat"});
  CHECK(known.unknown == std::vector<std::string>{"dog"});
  CHECK(known.left_out == 0);
  for (int64_t i = 0; i < train->size(); ++i) {
    std::vector<int64_t> by_name, left;
    for (const int64_t c : train->labels(i)) by_name.push_back(c == 0 ? 3 : c == 1 ? 2 : 0);
    for (const int64_t c : train->labels(i))
      if (c != 1) left.push_back(c == 0 ? 1 : 0);
    std::sort(by_name.begin(), by_name.end()), std::sort(left.begin(), left.end());
    CHECK(moved->labels(i) == by_name);
    CHECK(known.data->labels(i) == left);
  }
  CHECK(moved->sample(0).target.classes.numel() == 4);
}
