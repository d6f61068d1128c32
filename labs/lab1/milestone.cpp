// The photo lab: eight pictures out of one, by shape, strides and offset alone.
#include <cstdlib>
#include <iostream>

#include "data/image/image.h"
#include "data/sets/scenes.h"
#include "labs/common/milestone.h"
#include "tensor/tensor.h"
#include "tensor/view.h"

using namespace vitrail;

namespace {

constexpr int64_t kSide = 96, kPatch = 16;

// A photograph named by PHOTO, cut to a square of kSide, else a drawn scene. u8 [3, S, S].
Tensor photograph() {
  const char* path = std::getenv("PHOTO");
  if (!path) return SceneDataset(4, true, 1, kSide).scene(0).image;
  const Tensor image = convert_channels(read_image(path), 3);
  const int64_t step = std::max<int64_t>(1, std::min(image.size(1), image.size(2)) / kSide);
  const Tensor small =
      slice(slice(slice(slice(image, 1, 0, kSide * step, step), 2, 0, kSide * step, step), 1, 0, kSide), 2, 0, kSide);
  if (small.size(1) < kSide || small.size(2) < kSide) {
    std::cerr << "PHOTO: a picture of at least " << kSide << " x " << kSide << " pixels is needed\n";
    std::exit(2);
  }
  return small;
}

struct Tile {
  const char* name;
  Tensor picture;  // u8 [3, h, w], a view of the photograph
};

std::vector<Tile> tiles_of(const Tensor& photo) {
  const int64_t n = kSide / kPatch;
  // [3, S, S] -> [3, n, P, n, P]: row of patches, row in the patch, column of patches, column in the patch
  const Tensor cut = reshape(photo, {3, n, kPatch, n, kPatch});
  return {
      {"the photograph", photo},
      {"turned over its diagonal: two strides exchanged", permute(photo, {0, 2, 1})},
      {"a crop: another offset", slice(slice(photo, 1, kSide / 4, 3 * kSide / 4), 2, kSide / 4, 3 * kSide / 4)},
      {"every third pixel: strides three times as long", slice(slice(photo, 1, 0, kSide, 3), 2, 0, kSide, 3)},
      {"red alone, shown as grey: a stride of 0", expand(slice(photo, 0, 0, 1), {3, kSide, kSide})},
      {"one column for all: a stride of 0", expand(slice(photo, 2, kSide / 2, kSide / 2 + 1), {3, kSide, kSide})},
      {"a mosaic: patches turned over their diagonals", permute(cut, {0, 1, 4, 3, 2})},
      {"patches by rows: what a ViT reads", permute(cut, {0, 1, 3, 2, 4})},
  };
}

// Copies a tile, whatever its axes, into the frame of the sheet that begins at (row, column).
void paste(Tensor& sheet, const Tensor& tile, int64_t row, int64_t column) {
  if (tile.dim() == 5 && tile.size(2) == kPatch && tile.size(3) != kPatch) {  // mosaic: [3, n, P, n, P]
    const int64_t n = tile.size(1);
    Tensor frame = slice(slice(sheet, 1, row, row + kSide), 2, column, column + kSide);
    copy_(reshape(frame, {3, n, kPatch, n, kPatch}), tile);
  } else if (tile.dim() == 5) {  // patches: [3, n, n, P, P], with a pixel between them
    for (int64_t i = 0; i < tile.size(1); ++i) {
      for (int64_t j = 0; j < tile.size(2); ++j) {
        const Tensor patch = slice(slice(select(select(tile, 1, i), 1, j), 1, 0, kPatch - 2), 2, 0, kPatch - 2);
        copy_(slice(slice(sheet, 1, row + i * kPatch, row + i * kPatch + kPatch - 2), 2, column + j * kPatch,
                    column + j * kPatch + kPatch - 2),
              patch);
      }
    }
  } else {
    copy_(slice(slice(sheet, 1, row, row + tile.size(1)), 2, column, column + tile.size(2)), tile);
  }
}

int draw_all(const std::string& out) {
  const Tensor photo = photograph();
  const int64_t before = memory_stats().allocations;
  const std::vector<Tile> tiles = tiles_of(photo);
  const int64_t made = memory_stats().allocations - before;
  bool shared = made == 0;
  for (const Tile& tile : tiles) shared = shared && tile.picture.storage() == photo.storage();
  const int64_t gap = 6;
  Tensor sheet = full({3, 2 * kSide + 3 * gap, 4 * kSide + 5 * gap}, 255, Dtype::u8);
  for (size_t i = 0; i < tiles.size(); ++i) {
    const auto k = static_cast<int64_t>(i);
    paste(sheet, tiles[i].picture, gap + k / 4 * (kSide + gap), gap + k % 4 * (kSide + gap));
    std::cout << "  " << i + 1 << "  " << tiles[i].name << "\n      shape " << tiles[i].picture.shape() << ", strides "
              << tiles[i].picture.strides() << ", offset " << tiles[i].picture.offset() << "\n";
  }
  write_png(out + "/lab1.png", sheet);
  std::cout << "  8 pictures, " << (shared ? "0 bytes copied" : "but some were copied") << "\n";
  return shared ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return lab::milestone(argc, argv, draw_all); }
