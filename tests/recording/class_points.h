#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "exporter/diagnosis/class_survey.h"
#include "tests/recording/rule_source.h"

namespace finwait::recording {

/// All connections of a host that has two addresses of each family and three devices: what recorded rulesets are
/// divided for, whatever routes there were when they were recorded.
diagnosis::ConnectionSpace MadeUpSpace(IpFamily family);

/// How single connections of classes fared, evaluated one by one.
struct PointTally {
  std::size_t points = 0;
  std::size_t imprecise = 0;       ///< the class is unknown, and this one connection is not
  std::vector<std::string> wrong;  ///< of no class or of two, or otherwise than their class says
};

/// Draws `points` connections of `survey`, which divided `space`: some of the space, some of each class and at its
/// edges. Evaluates each by the engine for one connection, with `evaluator`.
PointTally CheckPoints(const diagnosis::FamilySurvey& survey, const diagnosis::ConnectionSpace& space,
                       diagnosis::CloseEvaluator& evaluator, firewall::facts::Resolver* resolver, std::uint64_t seed,
                       std::size_t points);

}  // namespace finwait::recording
