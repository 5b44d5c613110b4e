# Flags that make memory errors harder to exploit, in release builds and where the tools know them. Sanitized and
# debug builds have better checks.
include(CheckCXXCompilerFlag)
include(CheckLinkerFlag)

check_cxx_compiler_flag(-fstack-protector-strong PRUNECELL_HAS_STACK_PROTECTOR)
set(PRUNECELL_HARDENED_FLAGS)
if(PRUNECELL_HAS_STACK_PROTECTOR)
  list(APPEND PRUNECELL_HARDENED_FLAGS -fstack-protector-strong)
endif()
# Some distributions set it already; another value would be a warning.
list(APPEND PRUNECELL_HARDENED_FLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)

# Tables of addresses are read-only before any code runs; the stack is not executable; what a library of ours calls by
# name is its own, not a namesake in the program that loads it. In a shared library this holds for functions alone: a
# program may hold its data.
set(PRUNECELL_HARDENED_LINK)
foreach(option -z,relro -z,now -z,noexecstack -Bsymbolic -Bsymbolic-functions)
  string(MAKE_C_IDENTIFIER "PRUNECELL_LINKS_${option}" known)
  check_linker_flag(CXX "-Wl,${option}" ${known})
  if(${known})
    list(APPEND PRUNECELL_HARDENED_LINK "-Wl,${option}")
  endif()
endforeach()

# Static libraries ignore link options.
function(prunecell_harden target)
  set(flags ${PRUNECELL_HARDENED_LINK})
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "MODULE_LIBRARY")
    list(REMOVE_ITEM flags "-Wl,-Bsymbolic-functions")  # the last one given counts
  else()
    list(REMOVE_ITEM flags "-Wl,-Bsymbolic")
  endif()
  target_link_options(${target} PRIVATE "$<$<CONFIG:Release>:${flags}>")
endfunction()
