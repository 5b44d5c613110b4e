#include "memory.hpp"

#include "fault.hpp"
#include "sanitizers.hpp"

#include <simt/control.hpp>
#include <simt/executor.hpp>

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <string>

namespace simt {
namespace {

constexpr std::size_t alignment = 256, guard = 256;
constexpr unsigned char guard_byte = 0xfd;

// Freed memory is kept for a while, so that a late write to it is seen.
constexpr std::size_t kept_blocks = 32, kept_bytes = 256 * 1024;

// Both outlive everything: a leak checker finds memory that was freed late, and destructors may free.
std::map<const char*, Allocation>& live() {
  static auto& allocations = *new std::map<const char*, Allocation>;
  return allocations;
}

std::deque<Allocation>& freed() {
  static auto& allocations = *new std::deque<Allocation>;
  return allocations;
}

int device_accesses = 0;

std::span<char> before(const Allocation& a) { return a.block.first(std::size_t(a.data - a.block.data())); }
std::span<char> behind(const Allocation& a) { return a.block.subspan(std::size_t(a.data - a.block.data()) + a.size); }
std::span<char> inside(const Allocation& a) { return {a.data, a.size}; }

/// Index of the first byte that is different, or -1. Reads what the sanitizers forbid.
[[gnu::optimize("O3")]] std::ptrdiff_t first_other(std::span<const char> memory, unsigned char byte) {
  unsigned char different = 0;
  for (const char each : memory) different |= static_cast<unsigned char>(each) ^ byte;
  if (!different) return -1;
  for (std::size_t i = 0; i < memory.size(); ++i)
    if (static_cast<unsigned char>(memory[i]) != byte) return std::ptrdiff_t(i);
  return -1;
}

void check_around(const Allocation& a) {
  const std::string size = " an allocation of " + std::to_string(a.size) + " bytes";
  if (const auto i = first_other(behind(a), guard_byte); i >= 0)
    fault("memory overrun", "wrote " + std::to_string(i + 1) + " bytes past the end of" + size);
  if (const auto i = first_other(before(a), guard_byte); i >= 0)
    fault("memory overrun",
          "wrote " + std::to_string(a.data - a.block.data() - i) + " bytes before the begin of" + size);
}

void check_freed(const Allocation& a) {
  if (const auto i = first_other(inside(a), freed_byte); i >= 0)
    fault("use after free",
          "wrote byte " + std::to_string(i) + " of a freed allocation of " + std::to_string(a.size) + " bytes");
}

void drop_oldest() {
  const Allocation oldest = freed().front();
  freed().pop_front();
  check_freed(oldest);
  sanitizers::allow(oldest.block.data(), oldest.block.size());
  std::free(oldest.block.data());
}

}  // namespace

// No memset, which the address sanitizer would stop at the gaps that it keeps between variables.
[[gnu::optimize("O3", "no-tree-loop-distribute-patterns")]] void fill(std::span<char> memory, unsigned char byte) {
  for (char& each : memory) each = char(byte);
}

void* allocate(std::size_t size, cudaMemoryType type, int device, bool of_graph) {
  const std::size_t bytes = (size + options().misalignment + alignment - 1) / alignment * alignment + 2 * guard;
  if (bytes < size) return nullptr;
  char* begin = static_cast<char*>(std::aligned_alloc(alignment, bytes));
  if (!begin) return nullptr;
  const std::size_t skip = type == cudaMemoryTypeDevice ? options().misalignment : 0;
  const Allocation made{begin + guard + skip, size, type, device, of_graph, false, {begin, bytes}};
  fill(before(made), guard_byte);
  fill(behind(made), guard_byte);
  fill(inside(made), fresh_byte);
  sanitizers::forbid(before(made).data(), before(made).size());
  sanitizers::forbid(behind(made).data(), behind(made).size());
  if (type == cudaMemoryTypeDevice && !device_accesses) sanitizers::forbid(made.data, size);
  live().emplace(made.data, made);
  return made.data;
}

std::span<const char> live_memory(const void* address) {
  const Allocation* found = allocation_around(address);
  return found ? std::span<const char>(found->data, found->size) : std::span<const char>();
}

Allocation* allocation_at(const void* data) {
  const auto found = live().find(static_cast<const char*>(data));
  return found == live().end() ? nullptr : &found->second;
}

const Allocation* allocation_around(const void* address) {
  auto next = live().upper_bound(static_cast<const char*>(address));
  if (next == live().begin()) return nullptr;
  const Allocation& candidate = std::prev(next)->second;
  return candidate.holds(address, 0) ? &candidate : nullptr;
}

void deallocate(const Allocation& allocation) {
  check_around(allocation);
  bury(allocation);
  freed().push_back(allocation);
  live().erase(allocation.data);
  std::size_t bytes = 0;
  for (const Allocation& each : freed()) bytes += each.size;
  for (; freed().size() > kept_blocks || (bytes > kept_bytes && !freed().empty()); drop_oldest())
    bytes -= freed().front().size;
}

void revive(const Allocation& allocation) {
  sanitizers::allow(allocation.data, allocation.size);
  fill(inside(allocation), fresh_byte);
}

void bury(const Allocation& allocation) {
  fill(inside(allocation), freed_byte);
  sanitizers::forbid(allocation.data, allocation.size);
}

void check_guards() {
  for (const auto& [data, allocation] : live()) check_around(allocation);
  for (const Allocation& allocation : freed()) check_freed(allocation);
}

std::size_t live_allocations() { return live().size(); }

DeviceAccess::DeviceAccess() {
  if (device_accesses++) return;
  for (const auto& [data, a] : live())
    if (a.type == cudaMemoryTypeDevice) sanitizers::allow(a.data, a.size);
}

DeviceAccess::~DeviceAccess() {
  if (--device_accesses) return;
  for (const auto& [data, a] : live())
    if (a.type == cudaMemoryTypeDevice) sanitizers::forbid(a.data, a.size);
}

}  // namespace simt
