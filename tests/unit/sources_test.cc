#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/lab/paths.h"

namespace finwait {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// What a source file must not contain, because one place alone does it: comments and string literals do not count.
struct Reserved {
  const char* what;
  std::regex pattern;
};
const std::vector<Reserved>& NetlinkSockets() {
  static const std::vector<Reserved> reserved = {
      {"makes a netlink socket",
       std::regex(R"(\b(AF_NETLINK|PF_NETLINK|mnl_socket_\w+|nfnl_\w*open|nl_socket_\w+)\b)")},
      {"opens libnetfilter_conntrack's own netlink socket", std::regex(R"(\bnfct_open\w*\s*\()")},
  };
  return reserved;
}
const std::vector<Reserved>& SendingAndReceiving() {
  static const std::vector<Reserved> reserved = {
      {"sends or receives",
       std::regex(R"((^|[^\w.>])(send|sendto|sendmsg|sendmmsg|recv|recvfrom|recvmsg|recvmmsg)\s*\()")},
  };
  return reserved;
}

std::string WithoutCommentsAndLiterals(const std::string& source) {
  static const std::regex kIgnored(R"(//[^\n]*|/\*[^]*?\*/|"(\\.|[^"\\\n])*"|'(\\[^'\n]+|[^'\\\n])')");
  return std::regex_replace(source, kIgnored, " ");
}

std::vector<std::string> Offences(const std::string& source, const std::vector<Reserved>& reserved) {
  const std::string code = WithoutCommentsAndLiterals(source);
  std::vector<std::string> offences;
  for (const Reserved& each : reserved) {
    if (std::regex_search(code, each.pattern)) {
      offences.emplace_back(each.what);
    }
  }
  return offences;
}

std::string Read(const std::filesystem::path& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

// The paths of all sources below a directory of the repository, relative to it.
std::vector<std::filesystem::path> SourcesIn(const char* directory) {
  const std::filesystem::path root = lab::SourceFolder();
  std::vector<std::filesystem::path> sources;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / directory)) {
    if (entry.path().extension() == ".cc" || entry.path().extension() == ".h") {
      sources.push_back(std::filesystem::relative(entry.path(), root));
    }
  }
  return sources;
}

// Requests and their answers have one socket, events that only come in another; what is received comes through one
// function.
// The opener (kernel/namespaces/opener.h) is a process of its own, which links none of that: it opens sockets elsewhere
// and passes them on.
const std::filesystem::path kOpener = "collectors/kernel/namespaces/opener.cc";
const std::set<std::filesystem::path> kOpen = {
    kOpener, "collectors/kernel/netlink/bound_socket.cc", "collectors/kernel/netlink/event_socket.cc",
    "collectors/kernel/netlink/sealed_requests.cc", "collectors/kernel/netlink/transport.cc"};
const std::set<std::filesystem::path> kSendOrReceive = {kOpener, "collectors/kernel/netlink/transport.cc",
                                                        "collectors/kernel/netlink/sealed_requests.cc",
                                                        "collectors/kernel/netlink/receive.cc"};
// Names what the others may open.
const std::filesystem::path kAllowedToOpen = "exporter/privilege/allowed_calls.cc";

TEST(Sources, OpenNetlinkSocketsInTheNetlinkRoomOnly) {
  for (const char* directory : {"collectors", "exporter"}) {
    for (const auto& path : SourcesIn(directory)) {
      const auto offences = Offences(Read(lab::SourceFolder() / path), NetlinkSockets());
      if (kOpen.contains(path) || path == kAllowedToOpen) {
        EXPECT_THAT(offences, ElementsAre("makes a netlink socket")) << "this test no longer sees it";
      } else {
        EXPECT_THAT(offences, IsEmpty()) << path;
      }
    }
  }
}

// The exporter talks to its HTTP clients; collectors talk to nobody but the kernel.
TEST(Sources, OfCollectorsSendAndReceiveInTheNetlinkRoomOnly) {
  for (const auto& path : SourcesIn("collectors")) {
    const auto offences = Offences(Read(lab::SourceFolder() / path), SendingAndReceiving());
    if (kSendOrReceive.contains(path)) {
      EXPECT_THAT(offences, ElementsAre("sends or receives")) << "this test no longer sees it";
    } else {
      EXPECT_THAT(offences, IsEmpty()) << path;
    }
  }
}

TEST(Sources, AreSearchedForCallsAndNotForWords) {
  for (const char* call : {"::send(fd, x, 1, 0)", "sendto (fd)", "x = recvmsg(fd, &m, 0);", "(void)recv(fd, b, 1, 0)",
                           "a = 60'000; send(b, 1'000)"}) {
    EXPECT_THAT(Offences(call, SendingAndReceiving()), ElementsAre("sends or receives")) << call;
  }
  for (const char* harmless : {"// send(x)", "/* recv(\n) */", "\"sendto(\"", "transport_->Send(x)", "resend(x)",
                               "stream.send(x)", "send_quota = 1", "'('; '\\x28'"}) {
    EXPECT_THAT(Offences(harmless, SendingAndReceiving()), IsEmpty()) << harmless;
  }
  for (const char* socket : {"socket(AF_NETLINK, SOCK_RAW, 0)", "mnl_socket_open(12)", "nfnl_open()"}) {
    EXPECT_THAT(Offences(socket, NetlinkSockets()), ElementsAre("makes a netlink socket")) << socket;
  }
  EXPECT_THAT(Offences("nfct_open(1, 0)", NetlinkSockets()),
              ElementsAre("opens libnetfilter_conntrack's own netlink socket"));
}

}  // namespace
}  // namespace finwait
