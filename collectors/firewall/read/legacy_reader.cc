#include "collectors/firewall/read/legacy_reader.h"

// Before the kernel's own headers, which then leave out what both define.
#include <netinet/in.h>

#include <fcntl.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "collectors/base/unique_fd.h"

namespace finwait::firewall::read {
namespace {

// The list of tables is a name a line, and there are five tables.
constexpr std::size_t kMaxNamesFile = 4096;

std::string ToolName(TableFamily family) {
  return family == TableFamily::kIpv6 ? "ip6tables-legacy" : "iptables-legacy";
}

// The reader's filter of system calls (privilege/allowed_calls.h) leaves this one out where there was nothing to ask
// for.
Failure CannotAsk(const std::string& operation) {
  if (errno == ENOSYS) {
    return Fail(FailureReason::kError,
                operation +
                    ": the table came after the start of this program, which can read such tables no more; restart "
                    "finwait_exporter to see its rules");
  }
  return FailErrno(operation, errno);
}

Failure Annotated(Error error, const std::string& remedy) {
  if (error.reason == FailureReason::kPermission) {
    error.message += remedy;
  }
  return Failure(std::move(error));
}

// Both families number their options and lay out the two answers alike.
static_assert(IPT_SO_GET_INFO == IP6T_SO_GET_INFO && IPT_SO_GET_ENTRIES == IP6T_SO_GET_ENTRIES);
static_assert(sizeof(ipt_getinfo) == sizeof(ip6t_getinfo) && sizeof(ipt_get_entries) == sizeof(ip6t_get_entries));

Result<void> GetOption(TableFamily family, int option, void* value, std::size_t size, const std::string& operation) {
  const bool ipv6 = family == TableFamily::kIpv6;
  // Any IP socket answers, and only a raw one takes CAP_NET_RAW. One of TCP can send nothing while it is not connected.
  const UniqueFd fd(::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) {
    return CannotAsk(operation);
  }
  auto length = static_cast<socklen_t>(size);
  if (::getsockopt(fd.Get(), ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, option, value, &length) != 0) {
    return errno == ENOSYS ? CannotAsk(operation)
                           : Annotated(ErrnoError(operation, errno), "; give the capability CAP_NET_ADMIN");
  }
  if (length != size) {
    return Fail(FailureReason::kError, operation + ": the kernel's answer has another size than announced");
  }
  return {};
}

}  // namespace

Result<LegacyTableInfo> SocketLegacyKernel::GetInfo(TableFamily family, const std::string& table) {
  ipt_getinfo raw = {};
  table.copy(raw.name, sizeof raw.name - 1);
  auto got = GetOption(family, IPT_SO_GET_INFO, &raw, sizeof raw, "read " + ToolName(family) + " table " + table);
  if (!got) {
    return Failure(got.error());
  }
  LegacyTableInfo info;
  info.valid_hooks = raw.valid_hooks;
  std::copy(std::begin(raw.hook_entry), std::end(raw.hook_entry), info.hook_entry.begin());
  std::copy(std::begin(raw.underflow), std::end(raw.underflow), info.underflow.begin());
  info.entries = raw.num_entries;
  info.size = raw.size;
  return info;
}

Result<std::vector<std::byte>> SocketLegacyKernel::GetEntries(TableFamily family, const std::string& table,
                                                              std::uint32_t size) {
  ipt_get_entries head = {};
  table.copy(head.name, sizeof head.name - 1);
  head.size = size;
  std::vector<std::byte> answer(sizeof head + size);
  std::memcpy(answer.data(), &head, sizeof head);
  auto got = GetOption(family, IPT_SO_GET_ENTRIES, answer.data(), answer.size(),
                       "read the rules of " + ToolName(family) + " table " + table);
  if (!got) {
    return Failure(got.error());
  }
  answer.erase(answer.begin(), answer.begin() + sizeof head);
  return answer;
}

Result<std::vector<std::string>> LegacyReader::TableNames(TableFamily family) {
  // thread-self and not self: the namespace that counts is the calling thread's, as it is for the sockets.
  const std::string file = family == TableFamily::kIpv6 ? "ip6_tables_names" : "ip_tables_names";
  const std::filesystem::path path = procfs_ / "thread-self/net" / file;
  const std::string operation = "read " + path.string();
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) {
      return std::vector<std::string>();
    }
    return Annotated(
        ErrnoError(operation, errno),
        "; without it " + ToolName(family) + " rules stay unseen: run as uid 0 or give the supplementary group 0");
  }
  std::string text(kMaxNamesFile, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd.Get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return FailErrno(operation, errno);
    }
    if (got == 0) {
      break;
    }
    size += static_cast<std::size_t>(got);
  }
  std::vector<std::string> names;
  for (std::size_t start = 0; start < size;) {
    const std::size_t end = std::min(text.find('\n', start), size);
    if (end - start >= XT_TABLE_MAXNAMELEN) {
      return Fail(FailureReason::kError, operation + ": a table's name is longer than the kernel allows");
    }
    if (end > start) {
      names.push_back(text.substr(start, end - start));
    }
    start = end + 1;
  }
  return names;
}

Result<LegacyTable> LegacyReader::ReadTable(TableFamily family, const std::string& name, std::size_t max_rules) {
  const std::string operation = "read " + ToolName(family) + " table " + name;
  for (int attempt = 1;; ++attempt) {
    if (deadline_.Passed()) {
      return Fail(FailureReason::kTimeout, operation + ": not finished within the deadline");
    }
    auto info = kernel_.GetInfo(family, name);
    if (!info) {
      return Failure(info.error());
    }
    if (info->size > limits_.legacy_table_bytes) {
      return Fail(FailureReason::kError, operation + ": its " + std::to_string(info->size) +
                                             " bytes are more than the " + std::to_string(limits_.legacy_table_bytes) +
                                             " that are read");
    }
    auto entries = kernel_.GetEntries(family, name, info->size);
    if (entries) {
      return DecodeLegacyTable(family, name, *info, *entries, max_rules);
    }
    if (entries.error().errno_code != EAGAIN) {
      return Failure(entries.error());
    }
    if (attempt == kAttempts) {
      return Fail(FailureReason::kError,
                  operation + ": it changed while it was read, " + std::to_string(kAttempts) + " times in a row");
    }
  }
}

void LegacyReader::ReadFamily(TableFamily family, LegacyRuleset& ruleset, std::size_t& rules_left) {
  auto names = TableNames(family);
  if (!names) {
    ruleset.unread.push_back(UnreadPart{Backend::kLegacy, family, {}, names.error()});
    return;
  }
  for (const std::string& name : *names) {
    ruleset.content_hash =
        ruleset.content_hash * 31 + std::hash<std::string>()(name) + static_cast<std::uint64_t>(family);
    Result<LegacyTable> table;
    if (name == "nat") {
      auto described = DescribeLegacyTable(family, name, StandardLegacyHooks(name));
      if (described) {
        table = LegacyTable{std::move(*described), 0};
      }
    } else {
      table = ReadTable(family, name, rules_left);
    }
    if (!table) {
      ruleset.unread.push_back(UnreadPart{Backend::kLegacy, family, name, table.error()});
      continue;
    }
    ruleset.content_hash = ruleset.content_hash * 31 + table->content_hash;
    for (const auto& [chain_name, chain] : table->table.chains) {
      rules_left -= chain->rules.size();
    }
    ruleset.tables.push_back(std::move(table->table));
  }
}

LegacyRuleset LegacyReader::ReadAll() {
  LegacyRuleset ruleset;
  std::size_t rules_left = limits_.rules;
  for (const TableFamily family : {TableFamily::kIpv4, TableFamily::kIpv6}) {
    ReadFamily(family, ruleset, rules_left);
  }
  return ruleset;
}

}  // namespace finwait::firewall::read
