#pragma once

#include <optional>
#include <string>

#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/packet/condition.h"

namespace finwait::firewall::xt {

/// What a packet has for an ipset to look up, as far as that is known. What the set's type does not hold is empty.
struct IpsetElement {
  packet::AbstractBytes address;
  packet::AbstractBytes second_address;
  packet::AbstractBytes port;
  packet::AbstractBytes mark;
  std::string device;
  IpFamily family = IpFamily::kIpv4;
};

/// What the open fields of `element` must be for the set to hold it (`excluding`: to exclude it), or, `inverted`, for
/// it not to. Nothing where that is more than conditions can say.
///
/// The set is one condition for each open field where it holds every combination of them (a list of addresses is one
/// condition, however long); else it is as many products of sets as it has different ports, or networks at the other
/// end.
std::optional<packet::Conditions> ConditionsOfIpset(const facts::IpsetContents& contents, const IpsetElement& element,
                                                    bool excluding, bool inverted);

}  // namespace finwait::firewall::xt
