#pragma once

#include <optional>

#include "exporter/diagnosis/diagnosis.h"

namespace finwait::diagnosis {

/// Whether some connection would not close cleanly without an entry, or with one: the general one of a family in which
/// conntrack runs, or a live one. Nothing when none is known to and one may.
std::optional<bool> HasDropPath(const Diagnosis& diagnosis);

}  // namespace finwait::diagnosis
