#include "module.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <string_view>

namespace simt {
namespace {

class ElfFile {
 public:
  explicit ElfFile(const std::string& path) : file_(path, std::ios::binary) {
    if (!file_) file_.open("/proc/self/exe", std::ios::binary);  // a program found on PATH has no path here
    const auto header = read<Elf64_Ehdr>(0, 1);
    if (header.empty()) return;
    relocated_ = header[0].e_type == ET_DYN;
    sections_ = read<Elf64_Shdr>(header[0].e_shoff, header[0].e_shnum);
    if (header[0].e_shstrndx < sections_.size()) names_ = contents<char>(sections_[header[0].e_shstrndx]);
  }

  bool relocated() const { return relocated_; }
  const std::vector<Elf64_Shdr>& sections() const { return sections_; }
  std::string_view name(const Elf64_Shdr& section) const { return names_.data() + section.sh_name; }

  template <class T>
  std::vector<T> contents(const Elf64_Shdr& section) {
    return read<T>(section.sh_offset, section.sh_size / sizeof(T));
  }

 private:
  template <class T>
  std::vector<T> read(std::uint64_t offset, std::size_t count) {
    std::vector<T> out(count);
    file_.seekg(std::streamoff(offset));
    if (!file_.read(reinterpret_cast<char*>(out.data()), std::streamsize(count * sizeof(T)))) out.clear();
    return out;
  }

  std::ifstream file_;
  bool relocated_ = true;
  std::vector<Elf64_Shdr> sections_;
  std::vector<char> names_;
};

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> plain(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                          &std::free);
  return plain ? plain.get() : name;
}

}  // namespace

const Module& Module::of(const void* kernel) {
  static std::map<void*, Module> modules;
  Dl_info found{};
  dladdr(kernel, &found);
  const auto known = modules.find(found.dli_fbase);
  if (known != modules.end()) return known->second;
  const std::string path = found.dli_fname ? found.dli_fname : "";
  return modules.emplace(found.dli_fbase, Module(path, reinterpret_cast<std::uintptr_t>(found.dli_fbase)))
      .first->second;
}

Module::Module(std::string path, std::uintptr_t base) : path_(std::move(path)), base_(base) {
  ElfFile file(path_);
  if (!file.relocated()) base_ = 0;
  for (const Elf64_Shdr& section : file.sections())
    if (file.name(section).starts_with(".noinit"))
      shared_memory_.emplace_back(reinterpret_cast<char*>(base_ + section.sh_addr), section.sh_size);
}

std::string Module::name_of(const void* function) const {
  ElfFile file(path_);
  const std::uint64_t wanted = reinterpret_cast<std::uintptr_t>(function) - base_;
  for (const Elf64_Shdr& section : file.sections()) {
    if (section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM) continue;
    const auto names = file.contents<char>(file.sections()[section.sh_link]);
    for (const Elf64_Sym& symbol : file.contents<Elf64_Sym>(section))
      if (symbol.st_value == wanted && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC)
        return demangled(names.data() + symbol.st_name);
  }
  return "unknown";
}

}  // namespace simt
