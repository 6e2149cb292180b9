#pragma once

#include <string>

#include "tests/recording/case.h"
#include "tests/recording/kernel_recording.h"
#include "tests/recording/rule_source.h"

namespace finwait::firewall::read {

/// The rules of a case of tests/cases/read, as the kernel told them.
inline recording::RuleSource Replayed(const std::string& name) {
  return recording::RuleSource::Replayed(
      recording::KernelRecording::Parse(recording::FindCase("read", name).Require(recording::kKernelFile)));
}

}  // namespace finwait::firewall::read
