#include "exporter/command_line/options.h"

#include "exporter/command_line/command_line.h"

namespace finwait::command_line {

tl::expected<Options, UsageError> ParseOptions(std::span<const char* const> arguments,
                                               std::span<const CollectorSwitch> collectors) {
  return CommandLine(collectors).Parse(arguments);
}

}  // namespace finwait::command_line
