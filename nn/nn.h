// Every layer.
#pragma once

#include "nn/activation.h"      // IWYU pragma: export
#include "nn/attention.h"       // IWYU pragma: export
#include "nn/attention_pool.h"  // IWYU pragma: export
#include "nn/container.h"       // IWYU pragma: export
#include "nn/conv.h"            // IWYU pragma: export
#include "nn/encoder_block.h"   // IWYU pragma: export
#include "nn/freeze.h"          // IWYU pragma: export
#include "nn/init.h"            // IWYU pragma: export
#include "nn/linear.h"          // IWYU pragma: export
#include "nn/lora.h"            // IWYU pragma: export
#include "nn/mlp.h"             // IWYU pragma: export
#include "nn/norm.h"            // IWYU pragma: export
#include "nn/patch_embed.h"     // IWYU pragma: export
#include "nn/registration.h"    // IWYU pragma: export
#include "nn/summary.h"         // IWYU pragma: export
