#include "cuda/loader/cuda_plugin.hpp"
#include "cuda/host/plugin_mark.hpp"

#include <prunecell/cuda.hpp>
#include <prunecell/error.hpp>

#include <dlfcn.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace prunecell::cuda {
namespace {

constexpr const char* file_name = "libprunecell_cuda.so";

struct Loaded {
  std::mutex mutex;
  const Plugin* plugin = nullptr;
  std::string path;
  std::string failure;  ///< why there is none beside this library, once that was tried
};
Loaded& loaded() {
  static Loaded& instance = *new Loaded;  // never destroyed: masks may be, at the very end, and need it
  return instance;
}

/// The folder of the file that holds this function, with its '/'; empty where it is not known. The kernel says: dladdr
/// gives the name that a program was started by, which may be relative to another folder, or made up.
std::string own_folder() {
  const auto address = reinterpret_cast<std::uintptr_t>(&own_folder);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t first = 0, end = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR, &first, &end) != 2) continue;
    if (address < first || address >= end) continue;
    const std::size_t start = line.find('/'), slash = line.rfind('/');
    return start == std::string::npos ? std::string() : line.substr(start, slash + 1 - start);
  }
  return {};
}

/// Whether the file says that it is this version's plugin. Read before it is loaded, since loading runs its code.
bool bears_the_mark(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw DeviceUnavailable("the CUDA plugin cannot be loaded: " + path + " cannot be read");
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  return bytes.find(std::string_view(plugin_mark, sizeof plugin_mark)) != std::string::npos;
}

/// Throws DeviceUnavailable. A library once loaded stays: device memory and streams may refer to it until the end.
const Plugin* open(const std::string& path) {
  const DeviceUnavailable another("the CUDA plugin " + path + " is not one of prunecell " PRUNECELL_VERSION);
  if (!bears_the_mark(path)) throw another;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw DeviceUnavailable(std::string("the CUDA plugin cannot be loaded: ") + dlerror());
  auto* get = reinterpret_cast<GetPlugin*>(dlsym(library, get_plugin_name));
  const Plugin* found = get ? get() : nullptr;
  if (found && std::strcmp(found->mark, plugin_mark) == 0) return found;
  dlclose(library);
  throw another;
}

std::string path_beside() {
  const std::string folder = own_folder();
  if (!folder.empty()) return folder + file_name;
  throw DeviceUnavailable("the CUDA plugin cannot be loaded: /proc does not tell where prunecell's own file lies");
}

}  // namespace

const Plugin& plugin() {
  Loaded& state = loaded();
  const std::lock_guard lock(state.mutex);
  if (state.plugin) return *state.plugin;
  if (!state.failure.empty()) throw DeviceUnavailable(state.failure);
  try {
    state.path = path_beside();
    state.plugin = open(state.path);
  } catch (const DeviceUnavailable& error) {
    state.failure = error.what();
    throw;
  }
  return *state.plugin;
}

void load_plugin(const std::string& path) {
  if (!path.starts_with('/'))  // else the loader would search for it
    throw InvalidArgument("path of the CUDA plugin: expected an absolute one, got '" + path + "'");
  Loaded& state = loaded();
  const std::lock_guard lock(state.mutex);
  if (state.plugin && state.path == path) return;
  if (state.plugin) throw WrongState("the CUDA plugin " + state.path + " is in use already");
  state.plugin = open(path);
  state.path = path;
}

void raise(const Status& status) {
  switch (status.kind) {
    case Status::Kind::done: return;
    case Status::Kind::invalid_argument: throw InvalidArgument(status.text);
    case Status::Kind::wrong_state: throw WrongState(status.text);
    case Status::Kind::unavailable: throw DeviceUnavailable(status.text);
    case Status::Kind::failed: throw DeviceError(status.text);
  }
}

bool is_available() noexcept { return device_count() > 0; }

int device_count() noexcept {
  try {
    int count = 0;
    const Status status = plugin().device_count(count);
    return status.kind == Status::Kind::done ? count : 0;
  } catch (...) {
    return 0;
  }
}

std::string unavailable_reason() {
  try {
    int count = 0;
    raise(plugin().device_count(count));
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

int device_of(const void* memory) {
  int device = 0;
  raise(plugin().device_of(memory, device));
  return device;
}

DeviceMemory::DeviceMemory(int device, std::size_t bytes) : device_(device) {
  if (bytes > 0) raise(plugin().allocate(device, bytes, data_));
}

DeviceMemory::DeviceMemory(DeviceMemory&& other) noexcept
    : device_(other.device_), data_(std::exchange(other.data_, nullptr)) {}

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  return *this;
}

DeviceMemory::~DeviceMemory() {
  if (data_) plugin().release(device_, data_);
}

}  // namespace prunecell::cuda
