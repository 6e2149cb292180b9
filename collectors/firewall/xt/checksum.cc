// -j CHECKSUM: fills in what a device would have computed. Nothing can ask for the value before and after.
#include <linux/netfilter/xt_CHECKSUM.h>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace checksum {
namespace {

std::optional<OptionText> ChecksumText(const XtTarget& target, bool) {
  const auto info = ReadAs<xt_CHECKSUM_info>(target.info);
  return info && info->operation == XT_CHECKSUM_OP_FILL ? std::optional<OptionText>(" --checksum-fill") : std::nullopt;
}

constexpr Target kTargets[] = {{.name = "CHECKSUM", .revisions = kAnyRevision, .traits = {}, .text = ChecksumText}};

}  // namespace
}  // namespace checksum

Family families::Checksum() { return {.targets = checksum::kTargets}; }

}  // namespace finwait::firewall::xt
