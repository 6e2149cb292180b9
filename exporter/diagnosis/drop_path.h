#pragma once

#include <optional>

#include "collectors/base/ip.h"
#include "exporter/diagnosis/diagnosis.h"

namespace finwait::diagnosis {

/// By IpFamily: where conntrack may be active. Unknown counts as active, since a verdict without conntrack would be too
/// good.
PerFamily<bool> MayBeActive(const Diagnosis& diagnosis);

/// Whether some connection would not close cleanly without an entry, or with one: the general one of a family in which
/// conntrack runs, or a live one. Nothing when none is known to and one may.
std::optional<bool> HasDropPath(const Diagnosis& diagnosis);

}  // namespace finwait::diagnosis
