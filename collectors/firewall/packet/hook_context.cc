#include "collectors/firewall/packet/hook_context.h"

#include <algorithm>
#include <string>

namespace finwait::firewall::packet {
namespace {

AbstractNumber<16> KnownText(const std::string& text) {
  AbstractNumber<16> bytes = AbstractNumber<16>::Known(0);
  for (std::size_t i = 0; i < std::min<std::size_t>(text.size(), 15); ++i) {
    bytes.bytes[i] = AbstractByte::Known(static_cast<std::uint8_t>(text[i]));
  }
  return bytes;
}

DeviceView View(const Interface& device, Field name, Field index, Field type, Field group, Field kind) {
  DeviceView view;
  view.present = true;
  view.name = device.name ? KnownText(*device.name) : AbstractNumber<16>::Of(name);
  view.index = device.index ? AbstractNumber<4>::Known(*device.index) : AbstractNumber<4>::Of(index);
  view.type = device.type ? AbstractNumber<2>::Known(*device.type) : AbstractNumber<2>::Of(type);
  view.group = device.group ? AbstractNumber<4>::Known(*device.group) : AbstractNumber<4>::Of(group);
  view.kind = device.kind ? KnownText(*device.kind) : AbstractNumber<16>::Of(kind);
  view.no_kind = device.kind && device.kind->empty();
  return view;
}

}  // namespace

DeviceView DeviceView::Input(const Interface& device) {
  return View(device, Field::kInName, Field::kInIndex, Field::kInType, Field::kInGroup, Field::kInKind);
}

DeviceView DeviceView::Output(const Interface& device) {
  return View(device, Field::kOutName, Field::kOutIndex, Field::kOutType, Field::kOutGroup, Field::kOutKind);
}

}  // namespace finwait::firewall::packet
