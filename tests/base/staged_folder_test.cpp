// A folder that appears whole or not at all.
#include "base/staged_folder.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tests/support/scratch_folder.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

TEST_CASE("a staged folder is not there before it is published, and then whole") {
  const ScratchFolder scratch;
  const std::string target = scratch.file("a/b/out/");
  {
    StagedFolder folder(target);
    put_content(folder.file("x"), "1");
    CHECK_FALSE(fs::exists(target));
    folder.publish();
  }
  CHECK(content_of(scratch.file("a/b/out/x")) == "1");
  CHECK(std::distance(fs::directory_iterator(scratch.file("a/b")), fs::directory_iterator()) == 1);
}

TEST_CASE("a staged folder that is not published leaves nothing") {
  const ScratchFolder scratch;
  {
    StagedFolder folder(scratch.file("out"));
    put_content(folder.file("x"), "1");
  }
  CHECK(scratch.entries() == 0);
}

TEST_CASE("publishing replaces a folder as a whole") {
  const ScratchFolder scratch;
  fs::create_directory(scratch.file("out"));
  put_content(scratch.file("out/old"), "0");
  {
    StagedFolder folder(scratch.file("out"));
    put_content(folder.file("new"), "1");
    folder.publish();
  }
  CHECK(content_of(scratch.file("out/new")) == "1");
  CHECK_FALSE(fs::exists(scratch.file("out/old")));
  CHECK(scratch.entries() == 1);
}

TEST_CASE("a folder that cannot be staged is named with the reason") {
  const ScratchFolder scratch;
  put_content(scratch.file("file"), "x");
  CHECK(refuses([&] { StagedFolder folder(scratch.file("file/out")); }, ErrorKind::kIo, "file"));
}
