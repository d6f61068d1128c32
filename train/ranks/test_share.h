// A test that several ranks share.
#pragma once

#include "comm/communicator.h"
#include "train/task/task.h"

namespace vitrail {

class Loader;

// Rank r computes batches r, r + R, r + 2 R, ... of the loader; the metric sees all of them on every rank, in their order, so
// that its counts and sums have the bits of one rank. What is sent are the answers and the labels, not the pictures. A signal
// on any rank throws Interrupted on all. Error(kValue) for a task whose answers are more than logits.
void add_over_ranks(Communicator& comm, Task& task, Loader& loader, Metric& metric);

}  // namespace vitrail
