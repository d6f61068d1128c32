// Python's pickles, with every global let in.
#include "models/weights/formats/pickle.h"

#include "models/weights/formats/torch_parts.h"
#include "models/weights/formats/torch_tensor.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::refuse_or_read([&] {
    int64_t position = 0;
    const ByteSource source = source_of(fuzz::bytes_of(data, size), "file");
    const Pickle pickle = read_pickle(source, position, [](const std::string&) {});
    torch_tensors(pickle, *choose_torch_part(pickle, "file", "").tensors, "file");
  });
}
