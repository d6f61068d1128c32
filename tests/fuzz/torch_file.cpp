// Files of torch, of both forms. Checksums are not repaired: the pickle target reaches what lies behind them.
#include "models/weights/formats/torch_file.h"

#include "models/weights/formats/file_kind.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::refuse_or_read([&] {
    const ByteSource source = source_of(fuzz::bytes_of(data, size), "file");
    if (recognise_file(source) == FileKind::kPickle) {
      read_torch_legacy(source, {});
      return;
    }
    const ZipArchive archive(source);
    if (is_torch_archive(archive)) read_torch_archive(archive, {});
  });
}
