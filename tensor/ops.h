// Every tensor operation.
#pragma once

#include "tensor/ops/attention.h"    // IWYU pragma: export
#include "tensor/ops/conv.h"         // IWYU pragma: export
#include "tensor/ops/dropout.h"      // IWYU pragma: export
#include "tensor/ops/eigh.h"         // IWYU pragma: export
#include "tensor/ops/elementwise.h"  // IWYU pragma: export
#include "tensor/ops/indexing.h"     // IWYU pragma: export
#include "tensor/ops/linear.h"       // IWYU pragma: export
#include "tensor/ops/loss.h"         // IWYU pragma: export
#include "tensor/ops/matmul.h"       // IWYU pragma: export
#include "tensor/ops/norm.h"         // IWYU pragma: export
#include "tensor/ops/pool.h"         // IWYU pragma: export
#include "tensor/ops/reduce.h"       // IWYU pragma: export
#include "tensor/ops/resize.h"       // IWYU pragma: export
#include "tensor/ops/softmax.h"      // IWYU pragma: export
#include "tensor/view.h"             // IWYU pragma: export
