#include "exporter/planning/device_json.h"

namespace finwait::planning {

nlohmann::ordered_json DeviceJson(const firewall::facts::Interface& device) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  PutKnown(json, "name", device.name);
  PutKnown(json, "index", device.index);
  PutKnown(json, "type", device.type);
  PutKnown(json, "group", device.group);
  PutKnown(json, "kind", device.kind);
  return json;
}

firewall::facts::Interface DeviceIn(const nlohmann::ordered_json& json) {
  firewall::facts::Interface device;
  TakeKnown(json, "name", device.name);
  TakeKnown(json, "index", device.index);
  TakeKnown(json, "type", device.type);
  TakeKnown(json, "group", device.group);
  TakeKnown(json, "kind", device.kind);
  return device;
}

}  // namespace finwait::planning
