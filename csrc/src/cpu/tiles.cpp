#include "tiles.hpp"

#include <cstring>

namespace prunecell::cpu {
namespace {

/// body(offset in memory) for `size` logical indices from `first` on.
template <class Body>
void walk(const Layout& layout, std::int64_t first, std::int64_t size, Body&& body) {
  const std::int64_t image_size = layout.channels * layout.positions;
  std::int64_t image = first / image_size * image_size;
  std::int64_t channel = first % image_size / layout.positions;
  std::int64_t position = first % layout.positions;
  for (std::int64_t i = 0; i < size; ++i) {
    body(image + position * layout.channels + channel);
    if (++position < layout.positions) continue;
    position = 0;
    if (++channel < layout.channels) continue;
    channel = 0;
    image += image_size;
  }
}

template <std::size_t Item>
void gather(const TensorView& view, std::int64_t first, std::int64_t size, std::byte* buffer) {
  const auto* data = static_cast<const std::byte*>(view.data);
  walk(view.layout, first, size, [&](std::int64_t offset) {
    std::memcpy(buffer, data + offset * std::int64_t(Item), Item);
    buffer += Item;
  });
}

template <std::size_t Item>
void scatter(const TensorView& view, std::int64_t first, std::int64_t size, const std::byte* buffer) {
  auto* data = static_cast<std::byte*>(view.data);
  walk(view.layout, first, size, [&](std::int64_t offset) {
    std::memcpy(data + offset * std::int64_t(Item), buffer, Item);
    buffer += Item;
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
