// Lab 0, exercise 0.1: where a pixel lies.
#pragma once

#include <cstdint>

namespace lab {

// The place of the pixel in `row` and `column`, both counted from 0, of a picture with `width` pixels in a row, that is stored
// row after row: 0 for the upper left pixel, width for the one below it.
int64_t pixel_place(int64_t row, int64_t column, int64_t width);

}  // namespace lab
