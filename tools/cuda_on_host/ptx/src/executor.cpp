#include "executor.hpp"

#include "block.hpp"
#include "fault.hpp"

#include <simt/executor.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

namespace ptx {
namespace {

Dim3 to_dim3(const auto& value) { return {value.x, value.y, value.z}; }

Range allocation_around(std::uint64_t address) {
  const std::span<const char> memory = simt::live_memory(reinterpret_cast<const void*>(address));
  const auto begin = reinterpret_cast<std::uint64_t>(memory.data());
  return {begin, begin + memory.size()};
}

class Kernels {
 public:
  explicit Kernels(const std::string& folder) {
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      if (file.path().extension() != ".ptx") continue;
      std::ostringstream text;
      text << std::ifstream(file.path()).rdbuf();
      for (Entry& entry : parse(file.path().filename(), text.str())) by_name_.emplace(entry.name, std::move(entry));
    }
  }

  const Entry& entry_of(const void* kernel) {
    const Entry*& known = by_address_[kernel];
    if (!known) known = &find(simt::kernel_name(kernel));
    return *known;
  }

 private:
  /// Unnamed namespaces have names of their own in PTX; demangled they are all the same.
  const Entry& find(const std::string& name) const {
    const auto [first, end] = by_name_.equal_range(name);
    const auto count = std::distance(first, end);
    if (count != 1) fault("wrong kernel", std::to_string(count) + " entries are called " + name);
    return first->second;
  }

  std::multimap<std::string, Entry> by_name_;
  std::map<const void*, const Entry*> by_address_;
};

}  // namespace

void execute_kernels_of(const std::string& folder) {
  simt::execute_with([kernels = std::make_shared<Kernels>(folder)](const simt::KernelLaunch& launch) {
    auto block = std::make_shared<Block>(kernels->entry_of(launch.kernel), launch.parameters, to_dim3(launch.grid),
                                         to_dim3(launch.block), allocation_around);
    return [block](uint3 index) { block->run(to_dim3(index)); };
  });
}

}  // namespace ptx
