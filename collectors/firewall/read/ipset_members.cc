#include "collectors/firewall/read/ipset_members.h"

#include <algorithm>
#include <string>
#include <utility>

#include "collectors/base/ip.h"

namespace finwait::firewall::read {
namespace {

// The first `bits` bits of an address and its family, behind `text`.
void AppendPrefix(const IpAddress& address, unsigned bits, std::string& text) {
  text += static_cast<char>(address.Bytes().size());
  unsigned left = bits;
  for (const std::byte byte : address.Bytes()) {
    const unsigned here = std::min(left, 8U);
    text += static_cast<char>(std::to_integer<unsigned>(byte) & (0xff00U >> here));
    left -= here;
  }
}

bool HasTheFormOf(const facts::IpsetMember& member, const facts::IpsetElementKey& element) {
  return member.address.has_value() == element.address.has_value() &&
         member.second_address.has_value() == element.second_address.has_value() &&
         member.port.has_value() == element.port.has_value() && member.mark.has_value() == element.mark.has_value() &&
         member.device.has_value() == !element.device.empty();
}

}  // namespace

Result<void> IpsetMembers::Take(kernel::netlink::Bytes attributes) {
  return ReadIpsetMessage(
      attributes, [this](const IpsetForm& form) { return TakeForm(form); },
      [this](const ListedMember& listed) { return TakeMember(listed); });
}

Result<void> IpsetMembers::TakeForm(const IpsetForm& form) {
  form_ = form;
  const bool both = std::any_of(asked_.begin(), asked_.end(), [](const auto* one) { return one->second_address; });
  return form.masks_addresses && both ? UnknownIpsetForm() : Result<void>();
}

Result<void> IpsetMembers::TakeMember(const ListedMember& listed) {
  if (++members_ > kMost) {
    return Fail(FailureReason::kError, "list an ipset: it has more than " + std::to_string(kMost) + " members");
  }
  const facts::IpsetMember& member = listed.member;
  if (!std::all_of(asked_.begin(), asked_.end(), [&](const auto* one) { return HasTheFormOf(member, *one); })) {
    return UnknownIpsetForm();
  }
  if (!listed.of_tcp) {
    return {};
  }
  facts::IpsetElementKey as_element;
  as_element.address = member.address;
  as_element.second_address = member.second_address;
  as_element.port = member.port;
  as_element.mark = member.mark;
  const Lengths lengths{member.bits, member.second_bits};
  const auto [first, last] = IndexOf(lengths).equal_range(Identity(as_element, lengths));
  for (auto met = first; met != last; ++met) {
    const facts::IpsetElementKey& asked = *asked_[met->second];
    const bool same_hardware = !member.hardware_address || member.hardware_address == asked.hardware_address;
    const bool holds = member.HoldsDevice(asked.device) && same_hardware;
    Best& best = best_[met->second];
    best.hangs_on_hardware = best.hangs_on_hardware || (member.hardware_address && !asked.hardware_address);
    if (!best.lengths || *best.lengths < lengths) {
      best = {lengths, holds, member.excludes, best.hangs_on_hardware, false, listed.extensions};
    } else if (*best.lengths == lengths && holds) {
      best.contradicted = best.contradicted || (best.holds && best.excludes != member.excludes);
      best.excludes = member.excludes;
      best.ambiguous = best.ambiguous || (best.holds && best.extensions != listed.extensions);
      best.holds = true;
      best.extensions = listed.extensions;
    }
  }
  return {};
}

const IpsetMembers::Index& IpsetMembers::IndexOf(Lengths lengths) {
  auto found = std::find_if(indexes_.begin(), indexes_.end(), [&](const auto& one) { return one.first == lengths; });
  if (found == indexes_.end()) {
    Index index;
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      index.emplace(Identity(*asked_[i], lengths), i);
    }
    found = indexes_.emplace(indexes_.end(), lengths, std::move(index));
  }
  return found->second;
}

std::string IpsetMembers::Identity(const facts::IpsetElementKey& element, Lengths lengths) const {
  std::string identity;
  if (element.address) {
    AppendPrefix(*element.address, std::min<unsigned>(lengths.first, form_.address_mask), identity);
  }
  if (element.second_address) {
    AppendPrefix(*element.second_address, lengths.second, identity);
  }
  const std::uint32_t numbers[] = {element.port.value_or(0), element.mark.value_or(0) & form_.mark_mask};
  identity.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
  return identity;
}

std::vector<Result<IpsetAnswer>> IpsetMembers::Answers() const {
  std::vector<Result<IpsetAnswer>> answers;
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    const Best& best = best_[i];
    if (best.hangs_on_hardware) {
      answers.emplace_back(
          Fail(FailureReason::kUnsupported,
               "list an ipset: it holds Ethernet addresses, and which one the packet has is not known"));
    } else if (best.contradicted) {
      answers.emplace_back(Fail(FailureReason::kError, "list an ipset: its members contradict each other"));
    } else {
      IpsetAnswer answer{best.holds && best.excludes == asked_[i]->excluded, best.extensions, best.ambiguous};
      answer.extensions.counts = form_.has_counters;
      answers.emplace_back(answer);
    }
  }
  return answers;
}

}  // namespace finwait::firewall::read
