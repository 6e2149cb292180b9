#include "exporter/options.h"

#include "exporter/command_line.h"

namespace finwait {

tl::expected<Options, UsageError> ParseOptions(std::span<const char* const> arguments,
                                               std::span<const CollectorSwitch> collectors) {
  return CommandLine(collectors).Parse(arguments);
}

}  // namespace finwait
