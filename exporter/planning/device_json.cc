#include "exporter/planning/device_json.h"

namespace finwait::planning {

Json DeviceJson(const firewall::facts::Interface& device) {
  Json json = Json::object();
  PutKnown(json, "name", device.name);
  PutKnown(json, "index", device.index);
  PutKnown(json, "type", device.type);
  PutKnown(json, "group", device.group);
  PutKnown(json, "kind", device.kind);
  if (device.vrf) {
    json["vrf"] = {{"name", device.vrf->name}, {"index", device.vrf->index}, {"group", device.vrf->group}};
  }
  return json;
}

firewall::facts::Interface DeviceIn(const Json& json) {
  firewall::facts::Interface device;
  TakeKnown(json, "name", device.name);
  TakeKnown(json, "index", device.index);
  TakeKnown(json, "type", device.type);
  TakeKnown(json, "group", device.group);
  TakeKnown(json, "kind", device.kind);
  if (const auto vrf = json.find("vrf"); vrf != json.end()) {
    device.vrf = firewall::facts::Vrf{vrf->at("name").get<std::string>(), vrf->at("index").get<std::uint32_t>(),
                                      vrf->at("group").get<std::uint32_t>()};
  }
  return device;
}

}  // namespace finwait::planning
