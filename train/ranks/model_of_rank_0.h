// A saved model that rank 0 alone reads: the others need not see the file.
#pragma once

#include <string>

#include "comm/communicator.h"
#include "models/weights/save.h"

namespace vitrail {

// read_saved_model() on rank 0, whose errors end all ranks; its card, architecture and weights on every rank. `origin`, which
// only messages are made of, stays on rank 0. All ranks must call it with the same path.
SavedModel read_on_rank_0(Communicator& comm, const std::string& path, const OpenOptions& options = {});

}  // namespace vitrail
