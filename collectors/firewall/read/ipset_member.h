#pragma once

#include <cstdint>
#include <functional>

#include "collectors/base/result.h"
#include "collectors/firewall/facts/fact.h"
#include "collectors/kernel/netlink/attributes.h"

namespace finwait::firewall::read {

/// What the list of an ipset (IPSET_CMD_LIST) says of the set itself.
struct IpsetForm {
  std::uint8_t address_mask = 128;       ///< `netmask`: of an element that is looked up, no more bits count
  std::uint32_t mark_mask = 0xffffffff;  ///< `markmask`
  bool masks_addresses = false;
  bool has_counters = false;
};

/// One of its members.
struct ListedMember {
  facts::IpsetMember member;
  bool of_tcp = true;                 ///< packets of TCP may hit it
  facts::IpsetExtensions extensions;  ///< whether the set counts aside
};

/// Hands on what one message of the list holds, in order. An error where somebody it is handed to has one, or where it
/// is of a form that this program does not know.
Result<void> ReadIpsetMessage(kernel::netlink::Bytes attributes,
                              const std::function<Result<void>(const IpsetForm&)>& on_form,
                              const std::function<Result<void>(const ListedMember&)>& on_member);

/// The error of a list whose form this program does not know.
Failure UnknownIpsetForm();

}  // namespace finwait::firewall::read
