#pragma once

#include <linux/netfilter/xt_set.h>

#include <optional>
#include <string_view>

#include "collectors/firewall/model/expression.h"

namespace finwait::firewall::xt {

/// What `-m set` asks for. All revisions but 0, whose structure iptables has not written since 2011.
struct IpsetMatch {
  xt_set_info set = {};
  bool counted = false;               ///< it also asks how often the element was hit
  bool excluded = false;              ///< --return-nomatch
  ip_set_counter_match packets = {};  ///< where `counted`
  ip_set_counter_match bytes = {};
};

/// What an answer hangs on that an ipset decides begins so; then comes its name.
inline constexpr std::string_view kWhatIpset = "what ipset ";
/// The same of one whose name could not be read either.
inline constexpr std::string_view kWhatUnreadIpset = "what an ipset holds that could not be read";

/// Nothing: it is of a form that this version does not know.
std::optional<IpsetMatch> DecodeIpsetMatch(const XtMatch& match);

}  // namespace finwait::firewall::xt
