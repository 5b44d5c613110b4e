#include "api/backend.hpp"
#include "cpu/apply_masks.hpp"

namespace prunecell::cpu {

void count_zeros(const Context& context, std::span<const TensorView> weights, std::span<Result> results) {
  for_each_tile(context, arrays_of(weights, std::identity()), results, [&](const Tile& tile, Scratch&) {
    const TensorView& view = weights[tile.job];
    const void* items = item_at(view, tile.first);  // zeros count wherever they lie
    std::uint32_t kept[tile_size / 32];
    CollectedTile nothing;
    const auto classify = kernels().classify[int(Collect::nothing)][int(view.dtype)];
    const ClassCounts counts = classify(items, nullptr, tile.size, {0, 0, 0}, nullptr, kept, nothing);
    return TileResult{.zeros = tile.size - counts.kept};
  });
}

}  // namespace prunecell::cpu
