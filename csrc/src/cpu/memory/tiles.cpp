#include "cpu/memory/tiles.hpp"

#include <algorithm>
#include <cstring>

namespace prunecell::cpu {
namespace {

/// Equally spaced elements of a tile, counted in elements: where they lie in memory, and where in the tile.
struct Line {
  std::int64_t memory, memory_step, tile, tile_step, count;
};

/// body(line) for lines that make up the logical indices from `first` on, `size` of them. Along channels, which lie
/// side by side in memory, or along positions, whichever gives the longer lines.
template <class Body>
void for_each_line(const Layout& layout, std::int64_t first, std::int64_t size, Body&& body) {
  const std::int64_t channels = layout.channels, positions = layout.positions;
  const std::int64_t image_size = channels * positions;
  for (std::int64_t image = first / image_size * image_size; image < first + size; image += image_size) {
    const std::int64_t begin = std::max(first - image, std::int64_t(0)),
                       end = std::min(first + size - image, image_size);
    const std::int64_t tile = image - first, first_channel = begin / positions, channel_end = (end - 1) / positions + 1;
    if (channel_end - first_channel >= positions) {
      const auto reaching = [=](std::int64_t index, std::int64_t position) {  // the first channel that has it
        return index > position ? (index - position - 1) / positions + 1 : 0;
      };
      for (std::int64_t position = 0; position < positions; ++position) {
        const std::int64_t channel = reaching(begin, position), count = reaching(end, position) - channel;
        body(Line{image + position * channels + channel, 1, tile + channel * positions + position, positions, count});
      }
    } else {
      for (std::int64_t channel = first_channel; channel < channel_end; ++channel) {
        const std::int64_t row = channel * positions, position = std::max(begin - row, std::int64_t(0));
        const std::int64_t count = std::min(end - row, positions) - position;
        body(Line{image + position * channels + channel, channels, tile + row + position, 1, count});
      }
    }
  }
}

template <std::size_t Item>
void gather(const TensorView& view, std::int64_t first, std::int64_t size, std::byte* buffer) {
  const auto* data = static_cast<const std::byte*>(view.data);
  for_each_line(view.layout, first, size, [&](const Line& line) {
    const std::byte* from = data + line.memory * std::int64_t(Item);
    std::byte* to = buffer + line.tile * std::int64_t(Item);
    for (std::int64_t i = 0; i < line.count; ++i)
      std::memcpy(to + i * line.tile_step * std::int64_t(Item), from + i * line.memory_step * std::int64_t(Item), Item);
  });
}

template <std::size_t Item>
void scatter(const TensorView& view, std::int64_t first, std::int64_t size, const std::byte* buffer) {
  auto* data = static_cast<std::byte*>(view.data);
  for_each_line(view.layout, first, size, [&](const Line& line) {
    const std::byte* from = buffer + line.tile * std::int64_t(Item);
    std::byte* to = data + line.memory * std::int64_t(Item);
    for (std::int64_t i = 0; i < line.count; ++i)
      std::memcpy(to + i * line.memory_step * std::int64_t(Item), from + i * line.tile_step * std::int64_t(Item), Item);
  });
}

}  // namespace

void* read_tile(const TensorView& view, std::int64_t first, std::int64_t size, TileBuffer& buffer) {
  if (!view.layout.row_major()) {
    switch (item_size(view.dtype)) {
      case 2: gather<2>(view, first, size, buffer.bytes); break;
      case 4: gather<4>(view, first, size, buffer.bytes); break;
      default: gather<8>(view, first, size, buffer.bytes); break;
    }
  }
  return open_tile(view, first, buffer);
}

void finish_tile(const TensorView& view, std::int64_t first, std::int64_t size, const TileBuffer& buffer) {
  if (view.layout.row_major()) return;
  switch (item_size(view.dtype)) {
    case 2: return scatter<2>(view, first, size, buffer.bytes);
    case 4: return scatter<4>(view, first, size, buffer.bytes);
    default: return scatter<8>(view, first, size, buffer.bytes);
  }
}

}  // namespace prunecell::cpu
