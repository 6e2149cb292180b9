// -j LOG and -j NFLOG.
#include <linux/netfilter/xt_LOG.h>
#include <linux/netfilter/xt_NFLOG.h>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace log {
namespace {

OptionText LogText(const xt_log_info& info) {
  constexpr unsigned kDefaultLevel = 4;  // warning
  static constexpr NamedBit kFlags[] = {{XT_LOG_TCPSEQ, " --log-tcp-sequence"},
                                        {XT_LOG_TCPOPT, " --log-tcp-options"},
                                        {XT_LOG_IPOPT, " --log-ip-options"},
                                        {XT_LOG_UID, " --log-uid"},
                                        {XT_LOG_MACDECODE, " --log-macdecode"}};
  std::string text;
  if (info.prefix[0] != '\0') {
    text += " --log-prefix " + Quoted(BoundedText(info.prefix));
  }
  if (info.level != kDefaultLevel) {
    text += " --log-level " + std::to_string(info.level);
  }
  for (const NamedBit& flag : kFlags) {
    text += (info.logflags & flag.bit) != 0 ? flag.name : "";
  }
  return text;
}

std::optional<OptionText> NflogText(const XtTarget& target, bool) {
  const auto info = ReadAs<xt_nflog_info>(target.info);
  if (!info || info->len != 0 || info->threshold != XT_NFLOG_DEFAULT_THRESHOLD) {
    return std::nullopt;
  }
  std::string text;
  if (info->prefix[0] != '\0') {
    text += " --nflog-prefix " + Quoted(BoundedText(info->prefix));
  }
  return info->group != 0 ? text + " --nflog-group " + std::to_string(info->group) : text;
}

constexpr Target kTargets[] = {
    {.name = "LOG", .revisions = kAnyRevision, .traits = {}, .text = kTargetTextOf<xt_log_info, LogText>},
    {.name = "NFLOG", .revisions = kAnyRevision, .traits = {}, .text = NflogText},
};

}  // namespace
}  // namespace log

Family families::Log() { return {.targets = log::kTargets}; }

}  // namespace finwait::firewall::xt
