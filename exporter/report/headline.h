#pragma once

#include <string>

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/report/situation.h"

namespace finwait::report {

/// One sentence: how things stand.
std::string Verdict(const diagnosis::Diagnosis& diagnosis, const Situation& situation);

/// One sentence: why, with the place at which packets are lost or, where nothing can be told, what is not known and
/// what would tell. Empty where nothing is wrong.
std::string CauseOf(const diagnosis::Diagnosis& diagnosis, const Situation& situation);

}  // namespace finwait::report
