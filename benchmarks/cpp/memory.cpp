#include "memory.hpp"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace benchmarks {
namespace {

constexpr std::size_t huge_page = std::size_t(1) << 21;

std::byte* map(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  madvise(memory, bytes, MADV_HUGEPAGE);  // a wish: without it pages are small for everybody
#endif
  std::memset(memory, 0, bytes);
  return static_cast<std::byte*>(memory);
}

std::size_t whole_pages(std::size_t bytes) { return (bytes / huge_page + 1) * huge_page; }

}  // namespace

Block::Block(std::size_t bytes) : memory_(map(whole_pages(bytes)), Unmap{whole_pages(bytes)}), bytes_(bytes) {}

void Block::Unmap::operator()(std::byte* memory) const { munmap(memory, mapped); }

Bits::Bits(std::int64_t count) : size(count), memory(std::size_t(prunecell::word_count(count)) * 4) {
  std::memset(memory.data(), 0xff, memory.bytes());
  if (count % 32) view().words[count / 32] = (1u << count % 32) - 1;
}

void copy_bytes(const Block& from, const Block& to) { std::memcpy(to.data(), from.data(), from.bytes()); }

}  // namespace benchmarks
