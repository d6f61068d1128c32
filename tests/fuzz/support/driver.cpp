// A main() for a fuzz target where libFuzzer is absent: NAME [-max_total_time=SECONDS] FILE-OR-FOLDER... replays the files;
// then, for so many seconds, small changes of them. An input that kills the process is left in ./crash-input.
#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "tests/fuzz/support/random_calls.h"
#include "tests/fuzz/support/target.h"
#include "tests/fuzz/support/watch.h"

using namespace vitrail::fuzz;
using Bytes = std::vector<uint8_t>;

namespace {

Bytes current;  // what is being read, for keep_current()

void keep_current() {
  const int file = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || write(file, current.data(), current.size()) < 0) return;
  const char* said = "\nfinding: the input is in crash-input\n";
  if (write(STDERR_FILENO, said, std::strlen(said)) < 0) _exit(1);
}

void run(const Bytes& input) {
  current = input;
  allow_seconds(10);
  LLVMFuzzerTestOneInput(current.data(), current.size());
}

std::vector<Bytes> read_all(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) files.push_back(entry.path());
  } else {
    files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  std::vector<Bytes> inputs;
  for (const auto& name : files) {
    std::ifstream file(name, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

// One to eight bytes changed, set to extremes, removed, repeated, or a piece of another input put in.
Bytes mutated(Draw& draw, const std::vector<Bytes>& corpus) {
  Bytes bytes = draw.pick(corpus);
  for (int64_t i = 1 + draw.below(8); i > 0 && !bytes.empty(); --i) {
    const auto at = static_cast<std::ptrdiff_t>(draw.below(static_cast<int64_t>(bytes.size())));
    const auto length = std::min<std::ptrdiff_t>(1 + draw.below(16), static_cast<std::ptrdiff_t>(bytes.size()) - at);
    constexpr uint8_t kExtremes[] = {0, 1, 0x7f, 0x80, 0xff, '0', '9', '-', '"', '[', '{', '\n'};
    switch (draw.below(6)) {
      case 0: bytes[at] ^= static_cast<uint8_t>(1 << draw.below(8)); break;
      case 1: bytes[at] = draw.pick(kExtremes); break;
      case 2: bytes[at] = static_cast<uint8_t>(draw.below(256)); break;
      case 3: bytes.erase(bytes.begin() + at, bytes.begin() + at + length); break;
      case 4: {
        const Bytes piece(bytes.begin() + at, bytes.begin() + at + length);
        bytes.insert(bytes.begin() + at, piece.begin(), piece.end());
        break;
      }
      default: {
        const Bytes& other = draw.pick(corpus);
        if (other.empty()) break;
        const auto from = static_cast<std::ptrdiff_t>(draw.below(static_cast<int64_t>(other.size())));
        bytes.insert(bytes.begin() + at, other.begin() + from, other.begin() + std::min(from + 32, std::ssize(other)));
      }
    }
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string time_flag = "-max_total_time=";
  int64_t seconds = 0, runs = 0;
  std::vector<Bytes> corpus;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with(time_flag))
      seconds = std::stoll(argument.substr(time_flag.size()));
    else if (!argument.starts_with("-"))
      std::ranges::copy(read_all(argument), std::back_inserter(corpus));
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: no input. Usage: %s [-max_total_time=SECONDS] FILE-OR-FOLDER...\n", argv[0], argv[0]);
    return 2;
  }
  on_death(keep_current);
  for (const Bytes& input : corpus) run(input);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  for (; std::chrono::steady_clock::now() < end; ++runs) {
    Draw draw(static_cast<uint64_t>(seconds), static_cast<uint64_t>(runs));
    run(mutated(draw, corpus));
  }
  allow_seconds(0);
  std::printf("%zu inputs replayed, %lld changed ones\n", corpus.size(), static_cast<long long>(runs));
  return 0;
}
