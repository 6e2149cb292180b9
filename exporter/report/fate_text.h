#pragma once

#include <string_view>

#include "exporter/diagnosis/close_evaluator.h"

namespace finwait::report {

/// What becomes of the close of one connection, as the end of "once its conntrack entry is gone, ...".
std::string_view Sentence(diagnosis::Fate fate);

/// Why open connections are counted under `fate`: "no conntrack entry, and ...".
std::string_view Meaning(diagnosis::Fate fate);

/// Why open connections are counted under `fate` that have their entry: rules drop FINs all the same.
std::string_view MeaningWithEntry(diagnosis::Fate fate);

}  // namespace finwait::report
