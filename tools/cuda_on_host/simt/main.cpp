#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#ifdef __SANITIZE_THREAD__
/// Fibers are threads that are never joined, and none has work left at the end.
extern "C" const char* __tsan_default_options() { return "atexit_sleep_ms=0"; }
#endif
