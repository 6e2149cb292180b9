#include "collectors/kernel/decode_socket.h"

#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/mptcp.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <cstring>
#include <span>
#include <vector>

namespace finwait::kernel {
namespace {

struct Given {
  std::uint8_t timer = 4;
  std::uint8_t tries = 3;
  std::uint32_t unsent = 1;
  std::uint32_t window = 65535;
  std::uint8_t backoff = 0;
  std::uint32_t timeout_us = 200'000;
  std::size_t info_size = sizeof(tcp_info);
  std::uint8_t state = 4;
  std::uint32_t expires_ms = 0;
  std::uint32_t last_sent_ms = 0;
  std::uint32_t last_received_ms = 10'000;
  std::uint32_t last_acknowledged_ms = 10'000;
  std::uint32_t queued = 0;
};

// An inet_diag_msg in FIN_WAIT_1 with tcp_info behind it.
std::vector<std::byte> Message(const Given& given) {
  inet_diag_msg header = {};
  header.idiag_family = AF_INET;
  header.idiag_state = given.state;
  header.idiag_expires = given.expires_ms;
  header.idiag_timer = given.timer;
  header.idiag_retrans = given.tries;
  header.idiag_wqueue = given.queued;
  header.id.idiag_cookie[0] = 7;
  header.id.idiag_cookie[1] = 1;
  tcp_info info = {};
  info.tcpi_notsent_bytes = given.unsent;
  info.tcpi_snd_wnd = given.window;
  info.tcpi_backoff = given.backoff;
  info.tcpi_rto = given.timeout_us;
  info.tcpi_last_data_sent = given.last_sent_ms;
  info.tcpi_last_data_recv = given.last_received_ms;
  info.tcpi_last_ack_recv = given.last_acknowledged_ms;
  const nlattr attribute = {static_cast<std::uint16_t>(sizeof(nlattr) + given.info_size), INET_DIAG_INFO};
  std::vector<std::byte> message(sizeof header + sizeof attribute + given.info_size);
  std::memcpy(message.data(), &header, sizeof header);
  std::memcpy(message.data() + sizeof header, &attribute, sizeof attribute);
  std::memcpy(message.data() + sizeof header + sizeof attribute, &info, given.info_size);
  return message;
}

TcpSocket Decode(const Given& given) {
  const auto record = DecodeSocket(Message(given));
  EXPECT_TRUE(record.has_value() && record->has_value());
  return **record;
}

TEST(DecodeSocketTest, DataSendsBeforeTheFinOfAnOpenSocketAlone) {
  EXPECT_FALSE(Decode({.state = 1}).SendsBeforeFin());
  EXPECT_TRUE(Decode({.state = 1, .queued = 1}).SendsBeforeFin());
  EXPECT_TRUE(Decode({.state = 8, .queued = 70'000}).SendsBeforeFin());
  EXPECT_FALSE(Decode({.state = 4, .queued = 1}).SendsBeforeFin()) << "FIN_WAIT_1: it is the FIN";
}

// What sock_diag tells of a protocol above TCP: its name and, of Multipath TCP, a subflow's flags.
std::vector<std::byte> WithSubflow(std::uint32_t flags) {
  std::vector<std::byte> message = Message({.state = 1});
  const struct {
    nlattr name = {sizeof(nlattr) + 6, INET_ULP_INFO_NAME};
    char text[8] = "mptcp";
    nlattr subflow = {2 * sizeof(nlattr) + sizeof(std::uint32_t), INET_ULP_INFO_MPTCP | NLA_F_NESTED};
    nlattr flags = {sizeof(nlattr) + sizeof(std::uint32_t), MPTCP_SUBFLOW_ATTR_FLAGS};
  } inside;
  const auto add = [&](const auto& part) {
    const auto bytes = std::as_bytes(std::span(&part, 1));
    message.insert(message.end(), bytes.begin(), bytes.end());
  };
  const nlattr whole = {sizeof(nlattr) + sizeof inside + sizeof flags, INET_DIAG_ULP_INFO | NLA_F_NESTED};
  add(whole);
  add(inside);
  add(flags);
  return message;
}

TEST(DecodeSocketTest, MultipathTcpSendsADataFinBeforeTheFin) {
  const auto agreed = DecodeSocket(WithSubflow(MPTCP_SUBFLOW_FLAG_MCAP_LOC | MPTCP_SUBFLOW_FLAG_MCAP_REM));
  ASSERT_TRUE(agreed.has_value() && agreed->has_value());
  EXPECT_EQ((*agreed)->multipath, std::optional(true));
  EXPECT_TRUE((*agreed)->SendsBeforeFin());
  const auto fallen_back = DecodeSocket(WithSubflow(MPTCP_SUBFLOW_FLAG_MCAP_LOC));
  ASSERT_TRUE(fallen_back.has_value() && fallen_back->has_value());
  EXPECT_EQ((*fallen_back)->multipath, std::optional(false)) << "the peer does not know it";
  EXPECT_EQ(Decode({.state = 1}).multipath, std::optional(false));
}

TEST(DecodeSocketTest, ReadsWhatTellsAnUnsentFin) {
  const TcpSocket socket = Decode({});
  EXPECT_EQ(socket.cookie, 0x1'0000'0007U);
  EXPECT_EQ(socket.state, TcpState::kFinWait1);
  EXPECT_EQ(socket.timer, SocketTimer::kProbe);
  EXPECT_EQ(socket.tries, 3U);
  EXPECT_EQ(socket.unsent, 1U);
  EXPECT_EQ(socket.send_window, 65535U);
  EXPECT_TRUE(socket.orphan);
}

TEST(DecodeSocketTest, AnOlderKernelsShorterTcpInfoLeavesWhatItLacksUnknown) {
  Given given;
  given.info_size = offsetof(tcp_info, tcpi_snd_wnd);
  EXPECT_FALSE(Decode(given).send_window.has_value());
  EXPECT_TRUE(Decode(given).unsent.has_value());
  given.info_size = offsetof(tcp_info, tcpi_notsent_bytes);
  EXPECT_FALSE(Decode(given).unsent.has_value());
}

TEST(DecodeSocketTest, ProbesOfAClosedWindowCountByTheirBackoffAsThePeerAnswersThem) {
  Given given;
  given.tries = 0;
  given.backoff = 4;
  given.window = 0;
  EXPECT_EQ(Decode(given).tries, 4U);
  given.window = 1;
  EXPECT_EQ(Decode(given).tries, 0U);
}

TEST(DecodeSocketTest, TheTriesTellTheLeastAgeForBothKindsOfTimer) {
  Given probes;  // the timeout shown has not doubled: 200 + 400 + 800 ms
  EXPECT_EQ(Decode(probes).minimum_age.count(), 1400);
  Given retransmissions;
  retransmissions.timer = 1;
  retransmissions.timeout_us = 1'600'000;  // has doubled three times
  EXPECT_EQ(Decode(retransmissions).minimum_age.count(), 1400);
}

TEST(DecodeSocketTest, TheTimeSinceTheLastTryAddsToTheLeastAge) {
  Given retransmissions;
  retransmissions.timer = 1;
  retransmissions.timeout_us = 1'600'000;
  retransmissions.expires_ms = 600;
  EXPECT_EQ(Decode(retransmissions).minimum_age.count(), 2400);
  retransmissions.tries = 0;  // a timer for the loss of what was sent last, perhaps, which is shorter
  EXPECT_EQ(Decode(retransmissions).minimum_age.count(), 0);
}

TEST(DecodeSocketTest, TheLeastAgeIsNoMoreThanTheTimeSinceThePeersLastAnswer) {
  Given probes;  // of a host that waits for a second at most, as nobody tells here
  probes.tries = 15;
  probes.last_acknowledged_ms = 15'500;
  probes.last_received_ms = 16'000;
  EXPECT_EQ(Decode(probes).minimum_age.count(), 15'500);
  probes.backoff = 15;  // a closed window's probes are answered, and it stays closed
  probes.window = 0;
  EXPECT_GT(Decode(probes).minimum_age.count(), 600'000);
}

TEST(DecodeSocketTest, TriesOfAHostWhereTheyAreASecondApartAtMostTellNoMoreThanThat) {
  Given probes;
  probes.tries = 15;
  probes.last_acknowledged_ms = 7'200'000;
  probes.last_received_ms = 7'200'000;
  const auto seconds_apart = DecodeSocket(Message(probes), std::chrono::seconds(1));
  EXPECT_EQ((**seconds_apart).minimum_age.count(), 200 + 400 + 800 + 12 * 1000);
}

TEST(DecodeSocketTest, WhatAClosedSocketSendsAgainDoesNotEndItsSilence) {
  Given given;
  given.last_sent_ms = 2000;
  given.last_received_ms = 90'000;
  given.last_acknowledged_ms = 40'000;
  EXPECT_EQ(Decode(given).idle, std::chrono::seconds(40));
  given.state = 1;  // TCP_ESTABLISHED
  EXPECT_EQ(Decode(given).idle, std::chrono::seconds(2));
}

TEST(DecodeSocketTest, AStateThatIsNoConnectionIsLeftOut) {
  auto message = Message({});
  message[1] = std::byte{7};  // TCP_CLOSE
  EXPECT_FALSE(DecodeSocket(message)->has_value());
  message[1] = std::byte{12};  // TCP_NEW_SYN_RECV
  EXPECT_EQ((**DecodeSocket(message)).state, TcpState::kSynReceived);
}

TEST(DecodeSocketTest, EveryTruncationIsAnErrorOrLessOfASocket) {
  const auto whole = Message({});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto record = DecodeSocket(netlink::Bytes(whole).first(size));
    EXPECT_TRUE(!record || size >= sizeof(inet_diag_msg)) << size;
  }
}

}  // namespace
}  // namespace finwait::kernel
