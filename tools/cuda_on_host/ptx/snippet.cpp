#include "snippet.hpp"

#include "../simt/child.hpp"
#include "src/block.hpp"

#include <bit>
#include <span>

namespace snippet {
namespace {

constexpr const char* begin = R"(
.version 9.0
.target sm_75
.address_size 64
.entry snippet(.param .u64 out)
{
  .reg .pred %p<10>;
  .reg .b16 %rs<10>;
  .reg .b32 %r<10>;
  .reg .b64 %rd<10>;
  .reg .f32 %f<10>;
  .reg .f64 %fd<10>;
  .shared .align 16 .b8 second[20];
  .shared .align 16 .b8 first[32];
  ld.param.u64 %rd8, [out];
  mov.u32 %r9, %tid.x;
  mul.wide.u32 %rd9, %r9, 8;
  add.s64 %rd9, %rd8, %rd9;
)";

std::uint64_t word(const std::string& body) { return run(body)[0]; }

}  // namespace

Words run(const std::string& body, unsigned threads, Words memory) {
  memory.resize(threads);
  const auto entries = ptx::parse("snippet.ptx", begin + body + "\n  ret;\n}\n");
  const auto address = reinterpret_cast<std::uint64_t>(memory.data());
  const auto find_range = [&](std::uint64_t) { return ptx::Range{address, address + 8 * memory.size()}; };
  ptx::Block block(entries.at(0), std::as_bytes(std::span(&address, 1)), {1, 1, 1}, {threads, 1, 1}, find_range);
  block.run({0, 0, 0});
  return memory;
}

std::uint16_t rs0(const std::string& body) { return std::uint16_t(word(body + " st.global.u16 [%rd9], %rs0;")); }
std::uint32_t r0(const std::string& body) { return std::uint32_t(word(body + " st.global.u32 [%rd9], %r0;")); }
std::uint64_t rd0(const std::string& body) { return word(body + " st.global.u64 [%rd9], %rd0;"); }
float f0(const std::string& body) {
  return std::bit_cast<float>(std::uint32_t(word(body + " st.global.f32 [%rd9], %f0;")));
}
double fd0(const std::string& body) { return std::bit_cast<double>(word(body + " st.global.f64 [%rd9], %fd0;")); }
bool p0(const std::string& body) { return word(body + " selp.u64 %rd0, 1, 0, %p0; st.global.u64 [%rd9], %rd0;") == 1; }

std::string fault_of(const std::string& body, unsigned threads) {
  const Outcome outcome = run_in_child([&] {
    run(body, threads);
    return true;
  });
  return outcome.survived ? "" : outcome.errors;
}

}  // namespace snippet
