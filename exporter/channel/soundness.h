#pragma once

#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/facts/need.h"
#include "collectors/sources/collector.h"

/// What holds of values beyond their form, because those who read the kernel see to it, and others rely on it: asked of
/// whatever the other process sends.
namespace finwait::channel {

/// Chains and sets stand under their names, keys of a set have its length, a rule that drops is reached, and there are
/// no more closing sockets than are listed.
bool IsSound(const sources::SampleData& sample);
bool IsSound(const firewall::facts::Fact::Value& fact);
/// Names and keys are as long as the kernel allows.
bool IsSound(const firewall::facts::Need& need);

}  // namespace finwait::channel
