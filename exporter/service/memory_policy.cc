#include "exporter/service/memory_policy.h"

#include <malloc.h>

namespace finwait::service {

namespace {

/// Blocks from here on are mapped one by one and unmapped when freed. glibc starts there as well, but raises its mark
/// to the size of whatever large block is freed first; setting it keeps it.
constexpr int kMapFromBytes = 128 * 1024;
/// Heaps that threads share. By default there are eight for each core, each with its own free memory: the event loop
/// frees what workers have allocated, and it would pile up in theirs.
constexpr int kHeaps = 2;

}  // namespace

void ConfigureAllocator() {
  mallopt(M_MMAP_THRESHOLD, kMapFromBytes);
  mallopt(M_ARENA_MAX, kHeaps);
}

void TrimMemory() { ::malloc_trim(0); }

}  // namespace finwait::service
