#include "exporter/planning/device_json.h"

namespace finwait::planning {

Json DeviceJson(const firewall::facts::Interface& device) {
  Json json = Json::object();
  PutKnown(json, "name", device.name);
  PutKnown(json, "index", device.index);
  PutKnown(json, "type", device.type);
  PutKnown(json, "group", device.group);
  PutKnown(json, "kind", device.kind);
  return json;
}

firewall::facts::Interface DeviceIn(const Json& json) {
  firewall::facts::Interface device;
  TakeKnown(json, "name", device.name);
  TakeKnown(json, "index", device.index);
  TakeKnown(json, "type", device.type);
  TakeKnown(json, "group", device.group);
  TakeKnown(json, "kind", device.kind);
  return device;
}

}  // namespace finwait::planning
