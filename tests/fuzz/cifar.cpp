// The binary files of CIFAR-10 and CIFAR-100.
#include "data/sets/cifar.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Scratch scratch;
  scratch.write("test_batch.bin", data, size);
  scratch.write("test.bin", data, size);
  for (CifarKind kind : {CifarKind::k10, CifarKind::k100})
    fuzz::refuse_or_read([&] { read_cifar_folder(scratch.folder(), kind, false, {}); });
  return 0;
}
