#pragma once

#include <linux/netlink.h>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "collectors/firewall/read/legacy_reader.h"
#include "collectors/firewall/read/nft_reader.h"
#include "collectors/firewall/read/rule_part_reader.h"
#include "tests/lab/host.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"
#include "tests/soon.h"

/// Rulesets in a namespace of the test's own, read by the product and by the tools that made them.
namespace finwait::firewall::lab {

using finwait::lab::HostHere;
using finwait::lab::Namespace;

template <typename T>
T Value(Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
  return std::move(*result);
}

/// nftables inside `where`, as a normal look reads it.
inline read::NftRuleset ReadNft(const Namespace& where, read::ReaderLimits limits = {}) {
  read::NftRuleset ruleset;
  where.Run([&] {
    auto channel = Value(kernel::netlink::Channel::Open(NETLINK_NETFILTER));
    ruleset = Value(read::NftReader(channel, Soon(), limits).ReadAll());
  });
  return ruleset;
}

/// Legacy tables inside `where`, as a normal look reads them.
inline read::LegacyRuleset ReadLegacy(const Namespace& where, read::ReaderLimits limits = {}) {
  read::LegacyRuleset ruleset;
  where.Run([&] {
    read::SocketLegacyKernel kernel;
    ruleset = read::LegacyReader("/proc", kernel, Soon(), limits).ReadAll();
  });
  return ruleset;
}

/// A chain that a normal look leaves out.
inline std::shared_ptr<const Chain> ResolvedChain(const Namespace& where, const Table& table,
                                                  const std::string& chain) {
  std::shared_ptr<const Chain> read;
  where.Run([&] { read = Value(read::RulePartReader(HostHere(), Soon()).ReadChain(table, chain)); });
  return read;
}

inline std::string Fixture(const std::string& name) {
  std::ifstream file(finwait::lab::SourceFolder() / "tests/fixtures/firewall" / name);
  if (!file) {
    throw std::runtime_error("no fixture " + name);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Loads `input` with a tool that reads its standard input, such as `nft -f -`.
inline void Load(const Namespace& where, const std::vector<std::string>& tool, const std::string& input) {
  const auto output = where.Command(tool, input);
  if (output.exit_code != 0) {
    throw std::runtime_error(tool.front() + ": " + output.err);
  }
}
/// `ruleset` may close several blocks on one line, which nft's grammar does not allow.
inline void LoadNft(const Namespace& where, const std::string& ruleset) {
  std::string spaced;
  for (std::size_t i = 0; i < ruleset.size(); ++i) {
    const bool closes = ruleset.compare(i, 3, "; }") == 0;
    spaced += closes ? ";\n}\n" : ruleset.substr(i, 1);
    i += closes ? 2 : 0;
  }
  Load(where, {"nft", "-f", "-"}, spaced);
}

/// One UDP packet to loopback; wherever it was dropped or delivered, that has happened when this returns.
inline void SendPacket(const Namespace& where, const std::string& address = "127.0.0.1", int port = 9) {
  // Fails where a rule drops it on its way out: that, too, is a packet sent.
  where.Command({"bash", "-c", "echo x > /dev/udp/" + address + "/" + std::to_string(port)});
}

inline std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace finwait::firewall::lab
