// What the CUDA plugin, a library of its own that is loaded at first use, offers to the core. Both are built from one
// source: the core refuses a plugin that does not bear the core's own mark.
#pragma once

#include "api/backend.hpp"
#include "cuda/device/outcome.hpp"
#include "cuda/host/status.hpp"

#include <prunecell/level_search.hpp>
#include <prunecell/ops.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace prunecell::cuda {

enum class Packing : bool { pack, unpack };

/// Where an operation leaves one outcome per job: in device memory, without waiting, or in host memory after waiting
/// for the stream; neither: nobody asks.
struct Outcomes {
  Outcome* device = nullptr;
  Outcome* host = nullptr;
};

struct Plugin {
  const char* mark;  ///< of plugin_mark.hpp

  Status (*device_count)(int& count);
  Status (*device_of)(const void* memory, int& device);

  /// Memory that outlives streams. Releasing it waits for what the device does.
  Status (*allocate)(int device, std::size_t bytes, void*& memory);
  Status (*release)(int device, void* memory);
  /// Between any two memories, after all that the device has been asked for; done on return.
  Status (*copy)(int device, void* to, const void* from, std::size_t bytes);
  /// Within the device, in the order of the stream.
  Status (*copy_on_stream)(const Context& context, void* to, const void* from, std::size_t bytes);

  Status (*build_masks)(const Context& context, std::span<const RebuildJob> jobs, Outcomes outcomes, Apply apply);
  Status (*masks_at)(const Context& context, std::span<const RebuildJob> jobs, Outcomes outcomes,
                     std::span<const Limit> limits, Apply apply);
  Status (*apply_masks)(const Context& context, std::span<const ApplyJob> jobs, Outcomes outcomes);
  Status (*count_zeros)(const Context& context, std::span<const TensorView> weights, Outcomes outcomes);
  Status (*move_values)(const Context& context, std::span<const PackJob> jobs, Outcomes outcomes, Packing packing);
  Status (*count_levels)(const Context& context, std::span<const LevelJob> jobs);
  /// Waits for the stream, then reads outcomes from the device.
  Status (*read)(const Context& context, const Outcome* outcomes, std::span<Outcome> to);
};

/// The one function that the plugin exports.
using GetPlugin = const Plugin*();
inline constexpr const char* get_plugin_name = "prunecell_cuda_plugin";

}  // namespace prunecell::cuda
