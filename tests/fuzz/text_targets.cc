#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <httplib.h>

#include "collectors/base/duration.h"
#include "collectors/base/utf8.h"
#include "collectors/firewall/read/legacy_reader.h"
#include "collectors/kernel/features.h"
#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/netstat.h"
#include "collectors/sources/sysctl.h"
#include "exporter/command_line/options.h"
#include "exporter/http/listen_address.h"
#include "exporter/http/negotiation.h"
#include "exporter/http/request_reader.h"
#include "exporter/http/router.h"
#include "tests/fuzz/fake_procfs.h"
#include "tests/fuzz/target.h"
#include "tests/soon.h"

namespace finwait::fuzz {
namespace {

/// The text between one separator and the next.
std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

bool IsOneLine(std::string_view text) {
  return !text.empty() &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

void RequireSentences(const Result<sources::Collected>& collected) {
  if (!collected) {
    Require(IsOneLine(collected.error().message), "a failure is one line");
    return;
  }
  Require(collected->data != nullptr, "a look that succeeded has data");
  for (const Error& gap : collected->gaps) {
    Require(IsOneLine(gap.message), "a gap is one line");
  }
}

}  // namespace

void RunProcfs(std::span<const std::byte> input) {
  static const FakeProcfs procfs;
  // Four files: netstat, snmp, names and lists, one number.
  std::vector<std::string> files = Split(TextOf(input), '\0');
  files.resize(4);
  procfs.Write("thread-self/net/netstat", files[0]);
  procfs.Write("thread-self/net/snmp", files[1]);
  for (const char* list : {"thread-self/net/ip_tables_names", "modules", "kallsyms"}) {
    procfs.Write(list, files[2]);
  }
  for (const char* number : {"sys/net/netfilter/nf_conntrack_count", "sys/net/netfilter/nf_conntrack_max",
                             "sys/net/netfilter/nf_conntrack_tcp_loose", "sys/net/ipv4/tcp_fin_timeout",
                             "sys/net/netfilter/nf_conntrack_tcp_timeout_established"}) {
    procfs.Write(number, files[3]);
  }
  kernel::Host host;
  host.procfs = procfs.Root();
  host.open_channel = [](int) -> Result<kernel::netlink::Channel> {
    return Fail(FailureReason::kUnsupported, "no netlink here");
  };
  RequireSentences(sources::NetstatCollector(host).Collect(Soon()));
  RequireSentences(sources::SysctlCollector(host).Collect(Soon()));
  RequireSentences(sources::ConntrackStatsCollector(host).Collect(Soon()));
  firewall::read::SocketLegacyKernel kernel;  // not asked
  const auto names = firewall::read::LegacyReader(host.procfs, kernel, Soon()).TableNames(firewall::TableFamily::kIpv4);
  if (names) {
    for (const std::string& name : *names) {
      Require(!name.empty() && name.size() < 32, "a table's name is as long as the kernel allows");
    }
  } else {
    Require(IsOneLine(names.error().message), "a failure is one line");
  }
  (void)kernel::KernelFeatures({procfs.Root(), procfs.Root(), procfs.Root(), procfs.Root(), "1"})
      .Find(kernel::kNfTables);
}

/// As the exporter negotiates its metrics.
bool PrefersOpenMetrics(std::string_view accept) {
  return http::Prefers(accept, {"application/openmetrics-text", "1.0.0"}, {"text/plain", "0.0.4"});
}

void RunHttpRequest(std::span<const std::byte> input) {
  using http::RequestReader;
  const std::string_view bytes = TextOf(input);
  RequestReader whole({});
  const RequestReader::State state = whole.Read(bytes);

  // Arriving in pieces, it comes to the same: at the latest when all of it is there.
  RequestReader pieces({});
  RequestReader::State last = RequestReader::State::kIncomplete;
  const std::size_t step = 1 + bytes.size() % 7;
  for (std::size_t at = 0; at < bytes.size() && last == RequestReader::State::kIncomplete; at += step) {
    last = pieces.Read(bytes.substr(at, step));
  }
  if (state == RequestReader::State::kComplete) {
    Require(last == RequestReader::State::kComplete, "pieces are read as the whole is");
  }
  if (state == RequestReader::State::kRefused) {
    constexpr int kRefusals[] = {400, 405, 413, 414, 431, 505};
    Require(std::find(std::begin(kRefusals), std::end(kRefusals), whole.Refusal()) != std::end(kRefusals),
            "a refusal has its status");
    Require(last == RequestReader::State::kRefused || bytes.size() > 16 * 1024, "pieces are refused as the whole is");
  }
  if (state != RequestReader::State::kComplete) {
    return;
  }
  const http::RequestHead head = whole.TakeHead();
  const http::RequestHead again = pieces.TakeHead();
  Require(head.target == again.target && head.path == again.path && head.fields == again.fields,
          "pieces are read as the whole is");
  Require(head.target.starts_with('/') && head.path.starts_with('/'), "a path begins with a slash");
  head.ForEachField([](std::string_view, std::string_view value) {
    Require(value.find_first_of("\r\n") == std::string_view::npos, "a field is one line");
  });
  bool thrown = false;
  http::Router router([&thrown](std::string_view, std::string_view) { thrown = true; }, std::chrono::seconds(15), 100);
  const bool can_be_route = head.path.size() < 200 && std::all_of(head.path.begin(), head.path.end(), [](char c) {
                              return c > ' ' && c < 0x7F;  // as --web.telemetry-path
                            });
  router.Add(can_be_route ? head.path : "/", [&head](const httplib::Request& request) {
    Require(request.method == head.method && request.path == head.path, "the request arrives");
    (void)PrefersOpenMetrics(http::Header(request, "Accept"));
    (void)http::AcceptsGzip(http::Header(request, "Accept-Encoding"));
    return http::MakeResponse(200, "text/plain", "body");
  });
  const http::OutgoingResponse response = router.Respond(head, {}, head.keep_alive);
  Require(!thrown, "nothing was thrown");
  Require(response.head.starts_with("HTTP/1.1 ") && response.head.ends_with("\r\n\r\n"), "an answer has a head");
  Require(response.head.find("\r\n\r\n") == response.head.size() - 4, "a head ends once");
}

void RunHeaderValues(std::span<const std::byte> input) {
  const std::string_view text = TextOf(input);
  (void)PrefersOpenMetrics(text);
  (void)http::AcceptsGzip(text);
  if (const auto address = http::ParseListenAddress(text)) {
    Require(http::ParseListenAddress(http::ToString(*address)) == address, "an address reads back");
  }
  if (const auto duration = ParseDuration(text)) {
    Require(*duration >= std::chrono::nanoseconds(0) && *duration <= std::chrono::hours(10'000),
            "durations are bounded");
  }
  for (std::string_view rest = text; !rest.empty();) {
    const Utf8Character character = FirstUtf8Character(rest);
    Require(character.bytes >= 1 && character.bytes <= std::min<std::size_t>(4, rest.size()),
            "characters are in the text");
    rest.remove_prefix(character.bytes);
  }
}

void RunCommandLine(std::span<const std::byte> input) {
  constexpr command_line::CollectorSwitch kCollectors[] = {{"sockets", true}, {"firewall", false}};
  // A program's arguments cannot hold a NUL.
  std::string text(TextOf(input));
  std::erase(text, '\0');
  const std::vector<std::string> given = Split(text, '\n');
  std::vector<const char*> arguments = {"finwait_exporter"};
  for (const std::string& argument : given) {
    arguments.push_back(argument.c_str());
  }
  const auto options = ParseOptions(arguments, kCollectors);
  if (!options) {
    Require(IsOneLine(options.error().message), "a complaint is one line");
    return;
  }
  Require(options->sampling_interval >= std::chrono::seconds(1) && options->sampling_interval <= std::chrono::hours(1),
          "the interval is in its range");
  Require(options->cpu_budget > 0 && options->cpu_budget <= 1, "the budget is in its range");
  Require(options->telemetry_path.starts_with('/'), "the path begins with a slash");
  Require(!options->listen_addresses.empty(), "there is somewhere to listen");
}

}  // namespace finwait::fuzz
