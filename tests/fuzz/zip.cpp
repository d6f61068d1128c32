// ZIP archives: every entry to its end.
#include "base/zip.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::refuse_or_read([&] {
    const ByteSource source = source_of(fuzz::bytes_of(data, size), "file");
    const ZipArchive archive(source);
    for (const ZipEntry& entry : archive.entries()) ZipStream(source, entry).finish();
  });
}
