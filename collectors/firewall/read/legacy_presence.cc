#include "collectors/firewall/read/legacy_presence.h"

#include "collectors/firewall/read/legacy_reader.h"

namespace finwait::firewall::read {

bool HasLegacyTables(const std::filesystem::path& procfs, TableFamily family) {
  SocketLegacyKernel unasked;
  const auto names = LegacyReader(procfs, unasked, Deadline::After(std::chrono::seconds(1))).TableNames(family);
  return names && !names->empty();
}

}  // namespace finwait::firewall::read
