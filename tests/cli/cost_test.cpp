// What refusing a file costs: at most its size and 64 MiB of memory, whatever it claims. Measured as the peak of a process of
// its own.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

#include "base/file.h"
#include "tests/support/png_file.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

struct Cost {
  int code = 0;
  int64_t peak_bytes = 0;
};

Cost cost_of(const std::vector<std::string>& arguments) {
  const std::string path = program();
  std::vector<char*> words{const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const int null = open("/dev/null", O_RDWR);
    for (const int fd : {0, 1, 2}) dup2(null, fd);
    execv(path.c_str(), words.data());
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), usage.ru_maxrss * int64_t{1024}};
}

void check_cost(const std::vector<std::string>& arguments, const std::string& file, int code) {
  const auto size = static_cast<int64_t>(std::filesystem::file_size(file));
  const Cost cost = cost_of(arguments);
  CAPTURE(arguments[0] + " " + file);
  CHECK(cost.code == code);
#ifndef __SANITIZE_ADDRESS__  // whose own memory is many times the program's
  CHECK(cost.peak_bytes <= size + (int64_t{64} << 20));
#else
  static_cast<void>(size);
#endif
}

using Bytes = std::vector<uint8_t>;

Bytes packed(const Bytes& plain, int window) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(size_t{2} << 20), in = plain;  // room for a mebibyte of anything
  stream.next_in = in.data(), stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = out.data(), stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  const auto end = out.begin() + static_cast<std::ptrdiff_t>(stream.total_out);
  deflateEnd(&stream);
  return Bytes(out.begin(), end);
}

// `start`, then `megabytes` of zeros, as a gzip file of many members.
Bytes gzip_of_zeros(const Bytes& start, int megabytes) {
  const Bytes zeros = packed(Bytes(1 << 20), 16 + MAX_WBITS);
  Bytes file = packed(start, 16 + MAX_WBITS);
  for (int i = 0; i < megabytes; ++i) file.insert(file.end(), zeros.begin(), zeros.end());
  return file;
}

// Pictures of 28 x 28: a header that promises one more than so many megabytes hold.
Bytes picture_header(size_t megabytes) {
  Bytes header{0, 0, 8, 3};
  add_big_endian(header, (megabytes << 20) / 784 + 1);
  add_big_endian(header, 28);
  add_big_endian(header, 28);
  return header;
}

// A black PNG of side x side RGB pixels whose last byte of pixels is damaged.
Bytes damaged_png(size_t side) {
  z_stream stream{};
  REQUIRE(deflateInit(&stream, 1) == Z_OK);
  Bytes row(1 + 3 * side), pixels(size_t{4} << 20);
  stream.next_out = pixels.data(), stream.avail_out = static_cast<uInt>(pixels.size());
  for (size_t y = 0; y < side; ++y) {
    stream.next_in = row.data(), stream.avail_in = static_cast<uInt>(row.size());
    REQUIRE(deflate(&stream, y + 1 < side ? Z_NO_FLUSH : Z_FINISH) >= Z_OK);
  }
  pixels.resize(stream.total_out);
  deflateEnd(&stream);
  pixels.back() ^= 1;
  return PngFile(side, side, 8, 2).chunk("IDAT", pixels).end();
}

// A grey-blue JPEG of side x side pixels.
Bytes large_jpeg(int side, bool progressive) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = info.image_height = static_cast<JDIMENSION>(side);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  if (progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  Bytes row(3 * static_cast<size_t>(side));
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<uint8_t>(100 + i % 3 * 20);
  for (JSAMPROW rows = row.data(); info.next_scanline < info.image_height;) jpeg_write_scanlines(&info, &rows, 1);
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  Bytes result(bytes, bytes + size);
  std::free(bytes);
  return result;
}

// A BMP of side x side pixels of one bit and one colour, whose last row asks for a second.
Bytes damaged_bmp(uint32_t side) {
  Bytes bmp(62 + side / 8 * side);
  const auto put = [&](size_t at, uint32_t number) {
    for (size_t i = 0; i < 4; ++i) bmp[at + i] = static_cast<uint8_t>(number >> (8 * i));
  };
  bmp[0] = 'B', bmp[1] = 'M';
  put(10, 62), put(14, 40), put(18, side), put(22, side), put(26, 1 | 1 << 16), put(46, 1);
  bmp.back() = 1;
  return bmp;
}

std::string written(const std::string& name, const Bytes& bytes) {
  const std::string path = scratch() + "/" + name;
  write_file_atomically(path, {std::span<const uint8_t>(bytes)});
  return path;
}

}  // namespace

TEST_CASE("a packed file that would unpack to a gigabyte costs its own size") {
  const std::string zeros = written("zeros.gz", gzip_of_zeros({}, 400));
  check_cost({"info", zeros}, zeros, 3);
  const std::string huge = written("huge.gz", gzip_of_zeros(picture_header(400), 400));
  check_cost({"info", huge}, huge, 3);
  const std::string pictures = written("pictures.gz", gzip_of_zeros(picture_header(60), 60));
  check_cost({"info", pictures}, pictures, 3);
  check_cost({"predict", "--model", trained(), "--index", "3", pictures}, pictures, 3);
  const std::string folder = scratch() + "/packed_set";
  std::filesystem::create_directories(folder);
  for (const char* split : {"train", "t10k"}) {
    std::filesystem::copy(pictures, folder + "/" + split + "-images-idx3-ubyte.gz");
    std::filesystem::copy(pictures, folder + "/" + split + "-labels-idx1-ubyte.gz");
  }
  check_cost({"info", "mnist:" + folder}, pictures, 3);
}

TEST_CASE("a small damaged PNG of a large picture costs its own size") {
  const std::string path = written("black.png", damaged_png(8000));
  check_cost({"info", path}, path, 3);
  check_cost({"predict", "--model", trained(), path}, path, 3);
}

TEST_CASE("a damaged JPEG or BMP of a large picture costs its own size") {
  for (const bool progressive : {false, true}) {
    Bytes jpeg = large_jpeg(8000, progressive);
    jpeg.resize(jpeg.size() - 100);
    const std::string path = written("large.jpg", jpeg);
    check_cost({"info", path}, path, 3);
    check_cost({"predict", "--model", trained(), path}, path, 3);
  }
  const std::string path = written("large.bmp", damaged_bmp(8000));
  check_cost({"info", path}, path, 3);
}

TEST_CASE("a configuration of many megabytes costs its own size") {
  std::string lists = "{\"a\":[";
  while (lists.size() < 15'000'000) lists += "[],";
  for (const std::string& text : {"{\"" + std::string(15'000'000, 'k') + "\":1}", lists + "0]}"}) {
    const std::string path = written("config.json", Bytes(text.begin(), text.end()));
    check_cost({"info", path}, path, 2);
  }
}

TEST_CASE("narrow integers in a checkpoint are not widened to be looked at, nor to be refused") {
  const int64_t size = int64_t{100} << 20;
  const std::string header = cat(R"({"w":{"dtype":"I8","shape":[)", size, R"(],"data_offsets":[0,)", size, "]}}");
  Bytes start(8);
  start[0] = static_cast<uint8_t>(header.size());
  start.insert(start.end(), header.begin(), header.end());
  const std::string path = written("narrow.safetensors", start);
  std::filesystem::resize_file(path, start.size() + static_cast<uint64_t>(size));
  check_cost({"info", path}, path, 0);
  check_cost({"eval", "--data", "glyphs", "--model", path}, path, 3);
}
