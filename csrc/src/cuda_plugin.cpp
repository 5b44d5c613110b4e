#include "cuda_plugin.hpp"

#include <prunecell/cuda.hpp>
#include <prunecell/error.hpp>

#include <dlfcn.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <string>
#include <utility>

namespace prunecell::cuda {
namespace {

constexpr const char* file_name = "libprunecell_cuda.so";

struct Loaded {
  std::mutex mutex;
  const Plugin* plugin = nullptr;
  std::string path;
};
Loaded& loaded() {
  static Loaded& instance = *new Loaded;  // never destroyed: masks may be, at the very end, and need it
  return instance;
}

/// The folder of the file that holds this function, with its '/'; empty where it is not known.
std::string own_folder() {
  Dl_info info = {};
  if (!dladdr(reinterpret_cast<const void*>(&own_folder), &info) || !info.dli_fname) return {};
  const std::string path = info.dli_fname;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

/// Throws DeviceUnavailable. A library once loaded stays: device memory and streams may refer to it until the end.
const Plugin* open(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw DeviceUnavailable(std::string("the CUDA plugin cannot be loaded: ") + dlerror());
  auto* get = reinterpret_cast<GetPlugin*>(dlsym(library, get_plugin_name));
  const Plugin* found = get ? get() : nullptr;
  if (found && found->format == Plugin::current_format && std::strcmp(found->version, PRUNECELL_VERSION) == 0)
    return found;
  dlclose(library);
  throw DeviceUnavailable("the CUDA plugin " + path + " is not one of prunecell " PRUNECELL_VERSION);
}

}  // namespace

const Plugin& plugin() {
  Loaded& state = loaded();
  const std::lock_guard lock(state.mutex);
  if (state.plugin) return *state.plugin;
  const std::string beside = own_folder() + file_name;
  state.path = access(beside.c_str(), R_OK) == 0 ? beside : file_name;
  state.plugin = open(state.path);
  return *state.plugin;
}

void load_plugin(const std::string& path) {
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
