#pragma once

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/report/explanation.h"

namespace finwait::report {

/// Adds to `explanation.why` what the witness saw: by which part of the kernel stuck sockets' FINs were dropped, resets
/// and peers' FINs that were, by rule, and FINs that the rules would have let pass.
void DescribeWitness(const diagnosis::Diagnosis& diagnosis, Explanation& explanation);

}  // namespace finwait::report
