// The shapes of scenes as point sets.
#pragma once

#include <cstdint>

namespace vitrail {

// Is (x, y), in units of the shape's size and with y downwards, inside shape number `shape` of scene_shapes()? Every shape
// lies within the unit circle.
bool inside_shape(int64_t shape, double x, double y);

}  // namespace vitrail
