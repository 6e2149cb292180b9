#pragma once

#include <optional>
#include <string>

#include "collectors/firewall/model/expression.h"

namespace finwait::firewall::print {

/// The options of a match "conntrack", revisions 1 to 3; nothing for others.
std::optional<std::string> XtConntrackText(const XtMatch& match, bool ipv6);

/// The options of a match "state", revision 0.
std::optional<std::string> XtStateText(const XtMatch& match, bool ipv6);

/// Whether a match "conntrack" was written as "state".
bool IsStateAlias(const XtMatch& match);

}  // namespace finwait::firewall::print
