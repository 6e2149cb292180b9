#pragma once

#include "exporter/diagnosis/diagnosis.h"

namespace finwait::report {

/// The diagnosis in words: what `check`, the report and the page say. Reads everything of `diagnosis` but its
/// explanation. A pure function.
diagnosis::Explanation Explain(const diagnosis::Diagnosis& diagnosis);

}  // namespace finwait::report
