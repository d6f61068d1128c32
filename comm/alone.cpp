#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "comm/world.h"

namespace vitrail {

namespace {

class Alone final : public Communicator {
 public:
  explicit Alone(std::string node) : Communicator(0, {std::move(node)}) {}
  TransferPtr send(int to, std::span<const std::byte>, Channel) override { nobody(to); }
  TransferPtr receive(int from, std::span<std::byte>, Channel) override { nobody(from); }
  [[noreturn]] void abort(int code) override { std::_Exit(code); }

 private:
  [[noreturn]] static void nobody(int rank) {
    fail(ErrorKind::kValue, "comm", "there is one rank, and no rank ", rank, " to talk to.");
  }
};

}  // namespace

std::unique_ptr<Communicator> alone() {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return std::make_unique<Alone>(host);
}

}  // namespace vitrail
