#include "labs/lab0/pixel.h"

namespace lab {

int64_t pixel_place(int64_t row, int64_t column, int64_t width) {
  // LAB 0.1 BEGIN  return the place of the pixel: rows lie one behind the other, `width` pixels each
  return row * width + column;
  // LAB 0.1 END
}

}  // namespace lab
