#pragma once

#include <vector>

#include "exporter/report/situation.h"
#include "exporter/report/statement.h"

namespace finwait::report {

/// What to do about the situation, most urgent first, each with its command where one does it. docs/advice.md lists all
/// pieces by id; tests/e2e/advice_test.cc applies each on the real kernel.
std::vector<Statement> WhatToDo(const Situation& situation);

/// What suggests itself and does not help here, and why.
std::vector<Statement> WhatWillNotHelp(const Situation& situation);

}  // namespace finwait::report
