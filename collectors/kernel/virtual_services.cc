#include "collectors/kernel/virtual_services.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collectors/base/text.h"
#include "collectors/kernel/procfs.h"

namespace finwait::kernel {
namespace {

// "C0000201:0050" or "[2001:0db8:...:0001]:0050", as ip_vs_info_seq_show() prints them.
std::optional<Endpoint> ParseEnd(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) {
    return std::nullopt;
  }
  const auto port = ParseHex<std::uint16_t>(text.substr(colon + 1));
  std::optional<IpAddress> address;
  if (text.front() == '[' && text[colon - 1] == ']') {
    address = IpAddress::Parse(std::string(text.substr(1, colon - 2)));
  } else if (const auto number = ParseHex<std::uint32_t>(text.substr(0, colon))) {
    const std::byte bytes[] = {static_cast<std::byte>(*number >> 24), static_cast<std::byte>(*number >> 16),
                               static_cast<std::byte>(*number >> 8), static_cast<std::byte>(*number)};
    address = IpAddress::FromBytes(bytes);
  }
  return port && address ? std::optional(Endpoint{*address, *port}) : std::nullopt;
}

void Sort(std::vector<Endpoint>& ends) {
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

}  // namespace

Result<VirtualServices> ReadVirtualServices(const Host& host, IpFamily family, Deadline deadline) {
  VirtualServices read;
  bool counts = false;  // the service that the servers below it are of
  const auto add = [&](std::vector<Endpoint>& ends, std::string_view text) {
    const auto end = ParseEnd(text);
    if (!end) {
      read.others = true;
    } else if (end->address.Family() == family) {
      read.others = read.others || ends.size() >= VirtualServices::kMostEnds;
      if (ends.size() < VirtualServices::kMostEnds) {
        ends.push_back(*end);
      }
    }
  };
  const auto visit = [&](std::string_view line) -> Result<void> {
    Words words(line);
    const std::string_view first = words.Next();
    const std::string_view second = words.Next();
    if (first == "->") {
      // "RemoteAddress:Port" of the heading is no server.
      if (counts && words.Next() == "Masq") {
        add(read.servers, second);
      }
      return {};
    }
    counts = first == "TCP" || first == "FWM";
    if (first == "TCP") {
      add(read.services, second);
    }
    read.others = read.others || first == "FWM";
    return {};
  };
  const auto done = ForEachLine(host.procfs / "thread-self/net/ip_vs", deadline, visit);
  if (!done && !IsAbsent(done.error())) {
    return Failure(done.error());
  }
  Sort(read.services);
  Sort(read.servers);
  return read;
}

}  // namespace finwait::kernel
