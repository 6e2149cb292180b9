#include "exporter/planning/device_json.h"

#include <gtest/gtest.h>

namespace finwait::planning {
namespace {

using Json = nlohmann::ordered_json;

TEST(DeviceJsonTest, ADeviceComesBackAsItWas) {
  const firewall::facts::Interface device = {"eth0", 2, 1, 0, ""};
  EXPECT_EQ(DeviceJson(device).dump(), R"({"name":"eth0","index":2,"type":1,"group":0,"kind":""})");
  EXPECT_EQ(DeviceIn(DeviceJson(device)), device);
}

TEST(DeviceJsonTest, APortOfAVrfSaysOfWhich) {
  firewall::facts::Interface device = {"eth0", 2, 1, 0, ""};
  device.vrf = firewall::facts::Vrf{"blue", 9, 3};
  EXPECT_EQ(DeviceIn(DeviceJson(device)), device);
}

TEST(DeviceJsonTest, WhatIsNotKnownIsLeftOut) {
  firewall::facts::Interface device;
  device.index = 7;
  EXPECT_EQ(DeviceJson(device).dump(), R"({"index":7})");
  EXPECT_EQ(DeviceIn(DeviceJson(device)), device);
}

TEST(DeviceJsonTest, AValueOfAnotherTypeIsRefused) {
  EXPECT_THROW(DeviceIn(Json::parse(R"({"index":"two"})")), Json::exception);
}

}  // namespace
}  // namespace finwait::planning
