#include "data/sets/list.h"

#include <algorithm>
#include <filesystem>

#include "data/sets/csv.h"
#include "data/sets/registry.h"
#include "tests/support/picture_folder.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

std::vector<std::vector<std::string>> cells(const std::string& text) {
  std::vector<std::vector<std::string>> result;
  for (const CsvRow& row : parse_csv(text, "t.csv")) result.push_back(row.cells);
  return result;
}

std::string csv_refusal(const std::string& text) {
  return refusal(ErrorKind::kData, [&] { parse_csv(text, "t.csv"); });
}

// The message with which a list of this content is refused.
std::string list_refusal(const std::string& text, const std::string& name = "list.csv") {
  const Folder folder;
  put_content(folder.file(name), text);
  return refusal(ErrorKind::kData, [&] { read_list(folder.file(name)); });
}

PictureList list_of(const std::string& text, const std::string& name = "list.csv") {
  const Folder folder;
  put_content(folder.file(name), text);
  return read_list(folder.file(name));
}

using Table = std::vector<std::vector<std::string>>;

}  // namespace

TEST_CASE("CSV: byte order mark, both line ends, quotes with separators, quotes and line ends in them, blank lines") {
  CHECK(cells("a,b\r\n1,2\r\n") == Table{{"a", "b"}, {"1", "2"}});
  CHECK(cells("\xef\xbb\xbf" "a,b\n\n1,2\n\n") == Table{{"a", "b"}, {"1", "2"}});
  CHECK(cells("a,b\n\"x,\"\"y\"\"\",\"two\nlines\"") == Table{{"a", "b"}, {"x,\"y\"", "two\nlines"}});
  CHECK(cells("a;b\n1,5;2") == Table{{"a", "b"}, {"1,5", "2"}});
  CHECK(cells("a\tb\n1\t") == Table{{"a", "b"}, {"1", ""}});
  CHECK(cells("a,b\n,") == Table{{"a", "b"}, {"", ""}});
  CHECK(cells("").empty());
  CHECK(parse_csv("a,b\n\"x\ny\",2\n3,4", "t.csv")[2].line == 4);
}

TEST_CASE("CSV: what is wrong is named with its line") {
  CHECK_SAYS(csv_refusal("a,b\n1,2\n1,2,3\n"), "t.csv line 3: it has 3 cells, the first line has 2.");
  CHECK_SAYS(csv_refusal("a,b\n1\n"), "line 2: it has 1 cells");
  CHECK_SAYS(csv_refusal("a,b\n1,\"x\n\n"), "line 2: a quote is opened and never closed");
  CHECK_SAYS(csv_refusal("a,b\n\"x\"y,1\n"), "line 2: text after a closing quote");
  CHECK_SAYS(csv_refusal("a,b\nx\"y,1\n"), "line 2: a quote inside of a cell");
  CHECK_SAYS(csv_refusal(std::string("a,b\nx\0y,1\n", 10)), "line 2: a NUL byte");
}

TEST_CASE("CSV: damaged tables are refused or read, never worse") {
  const std::string text = "\xef\xbb\xbfpath,label,split\r\n\"a, b.png\",cat,train\r\nc.png,\"d\"\"og\",val\r\n";
  refused_mutants(Bytes(text.begin(), text.end()), 2000, [](const Bytes& bytes) {
    parse_csv(std::string(bytes.begin(), bytes.end()), "t.csv");
  });
}

TEST_CASE("a list names its columns in any order and case, and passes others over") {
  const PictureList list = list_of("Label,width,FILE_NAME,Set\ndog,3,x/a.png,train\ncat,4,b.png,\ncat,4,c.png,VAL\n dog ,4,d.png,test\n");
  CHECK(list.class_names == std::vector<std::string>{"cat", "dog"});
  REQUIRE(list.train.size() == 2);
  CHECK(list.train[0].path.ends_with("/x/a.png"));
  CHECK(list.train[0].label == 1);
  CHECK(list.validation.size() == 1);
  CHECK(list.test.size() == 1);
  CHECK(list.test[0].label == 1);
}

TEST_CASE("labels are names, or whole numbers in the order of numbers; a mixture is a slip with its line") {
  const PictureList list = list_of("path,label\na.png,10\nb.png,9\nc.png,0\n");
  CHECK(list.class_names == std::vector<std::string>{"0", "9", "10"});
  CHECK(list.train[0].label == 2);
  CHECK_SAYS(list_refusal("path,label\na.png,1\nb.png,1.5\n"), "list.csv line 3: labels are whole numbers from 0, as in line 2: it is \"1.5\".");
  CHECK_SAYS(list_refusal("path,label\na.png,1\nb.png,-1\n"), "line 3: labels are whole numbers from 0");
  CHECK_SAYS(list_refusal("path,label\na.png,cat\nb.png,3\n"), "line 3: labels are names, as in line 2: it is \"3\".");
  CHECK_SAYS(list_refusal("path,label\na.png,\n"), "line 2: the label is empty");
}

TEST_CASE("a path of a list stays below its folder") {
  for (const char* path : {"../a.png", "/etc/passwd", "x/../../a.png", ".."})
    CHECK_SAYS(list_refusal(std::string("path,label\nok.png,a\n") + path + ",a\n"), "line 3: a path must stay below the folder of the list");
  CHECK(list_of("path,label\nx/../a.png,a\n").train[0].path.ends_with("/a.png"));
  CHECK_SAYS(list_refusal("path,label\n,a\n"), "line 2: the path is empty");
}

TEST_CASE("unknown parts, a second label for a file, classes without training and lists of nothing are refused") {
  CHECK_SAYS(list_refusal("path,label,split\na.png,a,dev\n"), "line 2: split must be train, val or test: it is \"dev\"");
  CHECK_SAYS(list_refusal("path,label\na.png,a\nb.png,b\n./a.png,b\n"), "line 4: a second label for \"./a.png\": it is \"b\", in line 2 \"a\".");
  CHECK_SAYS(list_refusal("path,label,split\na.png,a,train\nb.png,b,val\n"), "classes without a picture to train on: b.");
  CHECK_SAYS(list_refusal("path,label\n"), "the list names no pictures");
  CHECK_SAYS(list_refusal(""), "the list names no pictures");
  CHECK_SAYS(list_refusal("a.png,cat\n"), "line 1: the first line must name the columns path and label, and perhaps split: it is a.png, cat.");
}

TEST_CASE("JSON lines say the same") {
  const PictureList list = list_of("\xef\xbb\xbf{\"path\": \"a b.png\", \"label\": \"cat\", \"width\": 3}\r\n\n"
                                   "{\"file_name\": \"\\u00e9.png\", \"label\": \"dog\", \"split\": \"train\"}\n"
                                   "{\"path\": \"c.png\", \"label\": \"cat\", \"split\": \"val\"}\n", "l.jsonl");
  CHECK(list.class_names == std::vector<std::string>{"cat", "dog"});
  CHECK(list.train.size() == 2);
  CHECK(list.train[1].path.ends_with("/\xc3\xa9.png"));
  CHECK(list.validation.size() == 1);
  CHECK(list_of("{\"path\":\"a\",\"label\":3}\n{\"path\":\"b\",\"label\":12}", "l.jsonl").class_names == std::vector<std::string>{"3", "12"});
  CHECK_SAYS(list_refusal("{\"path\":\"a\",\"label\":3}\n{\"path\":\"b\"}", "l.jsonl"), "l.jsonl line 2: an object needs \"path\" and \"label\"");
  CHECK_SAYS(list_refusal("{\"path\":\"a\",\"label\":1.5}", "l.jsonl"), "line 1");
  CHECK_SAYS(list_refusal("{\"path\":\"a\",\"label\":-1}", "l.jsonl"), "line 1");
  CHECK_SAYS(list_refusal("{\"path\":\"a\"", "l.jsonl"), "l.jsonl line 1");
  CHECK_SAYS(list_refusal("[1]", "l.jsonl"), "line 1");
}

TEST_CASE("a list opens as a data set by its path alone, and a picture that is not there is named") {
  PictureFolder root;
  root.put_class("img", 10, 1);
  std::string text = "path,label\n";
  for (int i = 0; i < 10; ++i) text += "img/" + std::to_string(i) + ".png," + (i % 2 ? "odd" : "even") + "\n";
  put_content(root.file("labels.csv"), text);
  const DatasetPtr data = open_dataset(root.file("labels.csv"), Split::kTrain);
  CHECK(data->size() == 8);
  CHECK(data->class_names() == std::vector<std::string>{"even", "odd"});
  CHECK(open_dataset("list:" + root.file("labels.csv"), Split::kValidation)->size() == 2);
  CHECK(open_dataset(root.path(), Split::kTrain)->class_names() == data->class_names());  // one list beside one folder
  put_content(root.file("labels.csv"), text + "img/none.png,odd\n");
  CHECK_SAYS(refusal(ErrorKind::kIo, [&] { open_dataset(root.file("labels.csv"), Split::kTrain); }), "img/none.png");
  const DatasetSource source = open_source(root.file("labels.csv"), {.bad_images = BadImages::kSkip});
  REQUIRE(source.bad.size() == 1);
  CHECK(source.bad[0].path == root.file("img/none.png"));
}
