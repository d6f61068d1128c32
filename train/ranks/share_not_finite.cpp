#include "train/ranks/share_not_finite.h"

#include "comm/collectives.h"
#include "train/ranks/pack.h"

namespace vitrail {

int share_not_finite(Communicator& comm, NotFinite& found) {
  Packer packer;
  packer.put(found.where).put(found.images.data(), found.images.size());
  const std::vector<std::string> all = all_gather(comm, packer.bytes());
  for (size_t r = 0; r < all.size(); ++r) {
    Unpacker unpacker(all[r]);
    const auto where = unpacker.get<std::string>();
    if (where.empty()) continue;
    found.where = where;
    found.images = unpacker.array<int64_t>();
    return static_cast<int>(r);
  }
  return 0;
}

}  // namespace vitrail
