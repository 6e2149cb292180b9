#include "exporter/report/keepalive_terms.h"

#include <gtest/gtest.h>

namespace finwait::report {
namespace {

using kernel::namespaces::Owner;
using kernel::namespaces::OwnerKind;

diagnosis::ServiceIdle Service(std::uint16_t port, bool at_peer, const std::string& unit = "") {
  diagnosis::ServiceIdle service;
  service.service.port = port;
  service.service.at_peer = at_peer;
  if (!unit.empty()) {
    service.owner = std::make_shared<const Owner>(Owner{OwnerKind::kUnit, "", unit, ""});
  }
  return service;
}

TEST(KeepaliveTermsTest, AreToldByThePort) {
  EXPECT_EQ(KeepaliveTerms(Service(5432, false), 120),
            "In terms of PostgreSQL: tcp_keepalives_idle = 120 and tcp_keepalives_interval = 120 in postgresql.conf.");
  EXPECT_EQ(KeepaliveTerms(Service(6379, false), 60), "In terms of Redis: tcp-keepalive 60 in redis.conf.");
  EXPECT_NE(KeepaliveTerms(Service(50051, true), 30).find("GRPC_ARG_KEEPALIVE_TIME_MS = 30000 "), std::string::npos);
}

TEST(KeepaliveTermsTest, AreThoseOfTheHolderRatherThanOfThePort) {
  EXPECT_EQ(KeepaliveTerms(Service(5432, true, "haproxy.service"), 120),
            "In terms of HAProxy: option srvtcpka, srvtcpka-idle 120s and srvtcpka-intvl 120s in the backend.");
  EXPECT_EQ(KeepaliveTerms(Service(443, false, "nginx.service"), 90),
            "In terms of nginx: so_keepalive=90s:90s:9 at its listen directive.");
}

TEST(KeepaliveTermsTest, AreNotGuessed) {
  EXPECT_EQ(KeepaliveTerms(Service(443, true), 120), "");
  EXPECT_EQ(KeepaliveTerms(Service(443, false, "envoy.service"), 120), "") << "its listeners have no such field";
}

}  // namespace
}  // namespace finwait::report
