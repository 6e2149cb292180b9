// SECURITY.md says what the program sends and which system calls it keeps; operators rely on it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>

#include <fstream>
#include <regex>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "collectors/kernel/netlink/read_requests.h"
#include "collectors/sources/registry.h"
#include "exporter/privilege/allowed_calls.h"
#include "tests/lab/paths.h"

namespace finwait {
namespace {

// The cells of each row of the table whose first header cell is `title`, without the header.
std::vector<std::vector<std::string>> Table(const std::string& title) {
  std::ifstream file(lab::SourceFolder() / "SECURITY.md");
  std::vector<std::vector<std::string>> rows;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    inside = line.starts_with("| " + title + " |") || (inside && line.starts_with("|"));
    if (!inside || line.starts_with("| " + title + " |") || line.starts_with("|---")) {
      continue;
    }
    std::vector<std::string> cells;
    std::istringstream text(line.substr(1));
    for (std::string cell; std::getline(text, cell, '|');) {
      cells.push_back(std::regex_replace(cell, std::regex("^ +| +$"), ""));
    }
    rows.push_back(cells);
  }
  return rows;
}

std::multiset<std::string> Words(const std::string& list) {
  std::multiset<std::string> words;
  std::istringstream text(list);
  for (std::string word; std::getline(text, word, ',');) {
    words.insert(std::regex_replace(word, std::regex("^ +| +$"), ""));
  }
  return words;
}

std::string ProtocolName(int protocol) {
  return protocol == NETLINK_NETFILTER   ? "NETLINK_NETFILTER"
         : protocol == NETLINK_SOCK_DIAG ? "NETLINK_SOCK_DIAG"
         : protocol == NETLINK_ROUTE     ? "NETLINK_ROUTE"
         : protocol == NETLINK_XFRM      ? "NETLINK_XFRM"
                                         : std::to_string(protocol);
}

TEST(SecurityPage, ListsEveryMessageThatMayBeSentAndNoOther) {
  std::multiset<std::string> documented;
  for (const auto& row : Table("netlink protocol")) {
    documented.insert(row.at(0) + " " + row.at(1));
  }
  std::multiset<std::string> sent;
  for (const kernel::netlink::ReadRequest& request : kernel::netlink::ReadRequests()) {
    sent.insert(ProtocolName(request.protocol) + " " + request.name);
  }
  EXPECT_EQ(documented, sent);
}

TEST(SecurityPage, ListsEverySystemCallThatIsAllowedAndNoOther) {
  std::multiset<std::string> documented;
  std::multiset<std::string> documented_of_the_store;
  std::multiset<std::string> documented_of_pairs;
  std::multiset<std::string> documented_of_the_opener;
  for (const auto& row : Table("for")) {
    (row.at(0) == "store"              ? documented_of_the_store
     : row.at(0) == "other hosts"      ? documented_of_pairs
     : row.at(0) == "other namespaces" ? documented_of_the_opener
                                       : documented)
        .merge(Words(row.at(1)));
  }
  const auto add = [](std::span<const privilege::AllowedCall> calls, std::set<std::string>& names) {
    for (const privilege::AllowedCall& call : calls) {
      names.insert(call.name);
    }
  };
  std::set<std::string> allowed = {"tgkill"};
  privilege::SealedCalls sealed;
  sealed.messages.emplace_back();
  add(privilege::AllowedCalls({privilege::Role::kReader}), allowed);
  add(privilege::AllowedCalls({privilege::Role::kReader, sealed}), allowed);
  add(privilege::AllowedCalls({privilege::Role::kServer}), allowed);
  EXPECT_EQ(documented, std::multiset<std::string>(allowed.begin(), allowed.end()));
  std::set<std::string> of_the_store;
  add(privilege::StoreCalls(), of_the_store);
  EXPECT_EQ(documented_of_the_store, std::multiset<std::string>(of_the_store.begin(), of_the_store.end()));
  std::set<std::string> of_the_opener;
  add(privilege::OpenerCalls(), of_the_opener);
  EXPECT_EQ(documented_of_the_opener, std::multiset<std::string>(of_the_opener.begin(), of_the_opener.end()));
  std::set<std::string> of_pairs;
  add(privilege::ClientCalls(), of_pairs);
  EXPECT_EQ(documented_of_pairs, std::multiset<std::string>(of_pairs.begin(), of_pairs.end()));
}

TEST(SecurityPage, NamesEveryCollectorThatIsBlindWithoutTheCapability) {
  for (const auto& row : Table("privilege")) {
    if (row.at(0) == "CAP_NET_ADMIN") {
      for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
        const bool named = row.at(2).find("`" + std::string(info.name) + "`") != std::string::npos;
        EXPECT_EQ(named, info.capability == sources::Capability::kNetAdmin) << info.name;
      }
      return;
    }
  }
  ADD_FAILURE() << "the table of privileges has no row for CAP_NET_ADMIN";
}

}  // namespace
}  // namespace finwait
