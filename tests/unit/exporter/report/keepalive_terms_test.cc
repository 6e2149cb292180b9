#include "exporter/report/keepalive_terms.h"

#include <gtest/gtest.h>

namespace finwait::report {
namespace {

using kernel::namespaces::Owner;
using kernel::namespaces::OwnerKind;

struct Peer {
  std::uint16_t port;
  bool at_peer;
  const char* unit;
};

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
            "In terms of PostgreSQL: tcp_keepalives_idle = 120, tcp_keepalives_interval = 75 and "
            "tcp_keepalives_count = 9 in postgresql.conf.");
  EXPECT_EQ(KeepaliveTerms(Service(6379, false), 60),
            "In terms of Redis: tcp-keepalive 60 in redis.conf, which sets the interval to a third of it and the count "
            "to 3.");
  EXPECT_NE(KeepaliveTerms(Service(50051, true), 30).find("GRPC_ARG_KEEPALIVE_TIME_MS = 30000,"), std::string::npos);
}

TEST(KeepaliveTermsTest, AreThoseOfTheHolderRatherThanOfThePort) {
  EXPECT_EQ(KeepaliveTerms(Service(5432, true, "haproxy.service"), 120),
            "In terms of HAProxy: option srvtcpka, srvtcpka-idle 120s, srvtcpka-intvl 75s and srvtcpka-cnt 9 in the "
            "backend.");
  EXPECT_EQ(KeepaliveTerms(Service(443, false, "nginx.service"), 30),
            "In terms of nginx: so_keepalive=30s:30s:9 at its listen directive.");
  EXPECT_EQ(KeepaliveTerms(Service(5432, true, "prometheus.service"), 30).find("In terms of Go: "), 0U);
}

TEST(KeepaliveTermsTest, NameTheIntervalWhereverTheTimeIsASysctl) {
  for (const Peer& one : {Peer{3306, false, ""}, Peer{3306, true, ""}, Peer{5432, true, ""}, Peer{80, true, "nginx"}}) {
    const std::string terms = KeepaliveTerms(Service(one.port, one.at_peer, one.unit), 30);
    EXPECT_NE(terms.find("net.ipv4.tcp_keepalive_time = 30"), std::string::npos) << terms;
    EXPECT_NE(terms.find("net.ipv4.tcp_keepalive_intvl = 30"), std::string::npos) << terms;
  }
}

TEST(KeepaliveTermsTest, SetBothEndsOfEnvoy) {
  EXPECT_NE(KeepaliveTerms(Service(443, false, "envoy.service"), 30).find("{level: 6, name: 4, int_value: 30}"),
            std::string::npos);
  EXPECT_NE(KeepaliveTerms(Service(443, true, "envoy.service"), 30).find("keepalive_probes: 9"), std::string::npos);
}

TEST(KeepaliveTermsTest, DoNotGuessTheApplication) {
  EXPECT_EQ(KeepaliveTerms(Service(443, true), 120).find("If it is written in Go: net.Dialer{"), 0U);
  EXPECT_EQ(KeepaliveTerms(Service(443, false), 120).find("If it is written in Go: net.ListenConfig{"), 0U);
}

}  // namespace
}  // namespace finwait::report
