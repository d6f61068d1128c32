// A ViT's part of encoder_of().
#pragma once

#include "models/explain/encoder.h"

namespace vitrail::models {
class ViT;
}

namespace vitrail::models::explain {

// Of the model, whatever its depth and classes; encoder_of() refuses what cannot be shown.
Encoder vit_encoder(ViT& model, Size2d image);

}  // namespace vitrail::models::explain
