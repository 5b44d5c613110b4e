// Kernels launched over the shim: the entry that they become, and its arguments.
#include "../simt/child.hpp"
#include "../simt/device_array.hpp"
#include "src/executor.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace {

struct Pair {
  char first;
  long second;
};

/// Does nothing itself: its entry, below, adds what it was given to the number of the block, for each block.
__global__ void sum(short, long*, Pair) {}

/// The name that nvcc gives, with a part of its own for each file.
std::string entry(const std::string& file, const std::string& last_size) {
  return ".version 9.0\n.target sm_75\n.address_size 64\n.entry _ZN20_GLOBAL__N__" + file +
         "3sumEsPlNS_4PairE(.param .u16 small, .param .u64 out, .param .align 8 .b8 pair[" + last_size + R"(])
.maxntid 2, 1, 1
{
  .reg .b16 %rs<2>; .reg .b32 %r<2>; .reg .b64 %rd<6>;
  ld.param.s16 %rs0, [small];
  ld.param.u64 %rd0, [out];
  ld.param.s8 %rs1, [pair];
  ld.param.s64 %rd1, [pair+8];
  cvt.s64.s16 %rd2, %rs0;
  cvt.s64.s16 %rd3, %rs1;
  add.s64 %rd1, %rd1, %rd2;
  add.s64 %rd1, %rd1, %rd3;
  mov.u32 %r0, %ctaid.x;
  cvt.u64.u32 %rd4, %r0;
  add.s64 %rd1, %rd1, %rd4;
  mul.wide.u32 %rd4, %r0, 8;
  add.s64 %rd0, %rd0, %rd4;
  st.global.u64 [%rd0], %rd1;
  ret;
}
)";
}

/// Launches the kernel where these are the files of compiled code, in a process of its own.
Outcome launch_with(const std::vector<std::string>& files, unsigned threads = 1) {
  return run_in_child([&] {
    const auto folder = std::filesystem::temp_directory_path() / ("ptx_tests_" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    for (const std::string& text : files)
      std::ofstream(folder / (std::to_string(&text - files.data()) + ".ptx")) << text;
    ptx::execute_kernels_of(folder);
    std::filesystem::remove_all(folder);
    DeviceArray<long> out(3);
    launch(sum, 3, threads, short(-2), out.data(), Pair{-3, 1005});
    return out.read() == std::vector<long>{1000, 1001, 1002};
  });
}

TEST_CASE("a kernel becomes the entry of its name, whatever nvcc calls the unnamed namespace") {
  CHECK(launch_with({entry("0a1b2c3d", "16")}).result);
}

TEST_CASE("a kernel without an entry aborts, as does one with two, with other parameters or of smaller blocks") {
  const auto says = [](const std::vector<std::string>& files, const std::string& part, unsigned threads = 1) {
    const std::string errors = launch_with(files, threads).errors;
    INFO(errors);
    return errors.find(part) != std::string::npos;
  };
  const std::string name = "entries are called (anonymous namespace)::sum(short, long*, (anonymous namespace)::Pair)";
  CHECK(says({}, "0 " + name));
  CHECK(says({entry("0a1b2c3d", "16"), entry("4e5f6071", "16")}, "2 " + name));
  CHECK(says({entry("0a1b2c3d", "24")}, "takes 40 bytes of them, not 32"));
  CHECK(says({entry("0a1b2c3d", "16")}, "is compiled for blocks of 2, not of 3", 3));
}

}  // namespace
