#include "collectors/firewall/read/devices.h"

namespace finwait::firewall::read {

facts::Interface DeviceOf(const kernel::Link& link, const kernel::Link* master) {
  facts::Interface device{link.name, link.index, link.type, link.group, link.kind};
  if (master != nullptr && master->kind == "vrf") {
    device.vrf = facts::Vrf{master->name, master->index, master->group};
  }
  return device;
}

facts::Interface DeviceOf(const kernel::Route& route) {
  facts::Interface device{route.interface_name, route.interface_index, route.interface_type, route.interface_group,
                          route.interface_kind};
  if (route.vrf_index != 0) {
    device.vrf = facts::Vrf{route.vrf_name, route.vrf_index, route.vrf_group};
  }
  return device;
}

}  // namespace finwait::firewall::read
