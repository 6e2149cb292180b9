#include "exporter/command_line/option_values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "collectors/base/duration.h"
#include "collectors/base/ip.h"
#include "collectors/base/text.h"

namespace finwait::command_line::option_values {

namespace {

/// The paths that mean something else than --web.telemetry-path.
constexpr std::string_view kFixedPaths[] = {
    "/",       "/healthz",       "/-/healthy",        "/readyz",      "/-/ready",
    "/health", "/api/v1/report", "/api/v1/incidents", "/api/v1/pairs"};
/// After which time known devices forget a silent TCP connection; docs/timeouts.md has the sources.
constexpr std::pair<std::string_view, std::chrono::seconds> kPathPresets[] = {
    {"aws-nitro", std::chrono::seconds(350)}, {"aws-nlb", std::chrono::seconds(350)},
    {"aws-natgw", std::chrono::seconds(350)}, {"azure-lb", std::chrono::seconds(240)},
    {"gcp", std::chrono::seconds(600)},       {"ipvs", std::chrono::seconds(900)}};
constexpr std::size_t kMostRequests = 1'000'000;

tl::unexpected<std::string> Refuse(const std::string& flag, const std::string& text, const std::string& right) {
  return tl::unexpected(Refusal(flag, text, right));
}

template <typename Choice>
Value<Choice> OneOf(const std::string& flag, const std::string& text, const std::string& right,
                    std::initializer_list<std::pair<std::string_view, Choice>> choices) {
  for (const auto& [name, choice] : choices) {
    if (name == text) {
      return choice;
    }
  }
  return Refuse(flag, text, right);
}

}  // namespace

std::string Refusal(const std::string& flag, const std::string& value, const std::string& right) {
  return flag + " cannot be " + Quoted(value) + ": give " + right + ".";
}

Value<http::ListenAddress> ListenAddress(const std::string& flag, const std::string& text) {
  const std::optional<http::ListenAddress> address = http::ParseListenAddress(text);
  if (!address) {
    return Refuse(flag, text, R"(":port", "host:port" or "[IPv6 address]:port", with a port from 0 to 65535)");
  }
  return *address;
}

Value<std::string> TelemetryPath(const std::string& flag, const std::string& text) {
  const bool is_path = text.starts_with('/') && std::all_of(text.begin(), text.end(), [](char c) {
                         return c > ' ' && c < 0x7F && std::string_view("?#%\"<>\\").find(c) == std::string_view::npos;
                       });
  if (!is_path) {
    return Refuse(flag, text, R"(a path that begins with "/", such as "/metrics")");
  }
  if (std::find(std::begin(kFixedPaths), std::end(kFixedPaths), text) != std::end(kFixedPaths)) {
    return Refuse(flag, text, R"(a path that has no other meaning here, such as "/metrics")");
  }
  return text;
}

Value<std::vector<std::string>> HostNames(const std::string& flag, const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string name = text.substr(at, comma - at);
    const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
             c == '_';
    });
    if (!is_name && name != "*") {
      return Refuse(flag, text, "host names without a port, such as node1.example.org, separated by commas, or \"*\"");
    }
    names.push_back(name);
    at = comma + 1;
  }
  return names;
}

Value<std::size_t> MaxRequests(const std::string& flag, const std::string& text) {
  const auto number = ParseNumber<std::size_t>(text);
  if (!number || *number > kMostRequests) {
    return Refuse(flag, text, "a whole number from 0 (no limit) to 1000000");
  }
  return *number;
}

Value<service::LogLevel> Level(const std::string& flag, const std::string& text) {
  return OneOf<service::LogLevel>(flag, text, "debug, info, warn or error",
                                  {{"debug", service::LogLevel::kDebug},
                                   {"info", service::LogLevel::kInfo},
                                   {"warn", service::LogLevel::kWarn},
                                   {"error", service::LogLevel::kError}});
}

Value<service::LogFormat> Format(const std::string& flag, const std::string& text) {
  return OneOf<service::LogFormat>(flag, text, "logfmt or json",
                                   {{"logfmt", service::LogFormat::kLogfmt}, {"json", service::LogFormat::kJson}});
}

Value<sources::NamespaceDepth> Depth(const std::string& flag, const std::string& text) {
  return OneOf<sources::NamespaceDepth>(flag, text, "none, observe or enter",
                                        {{"none", sources::NamespaceDepth::kNone},
                                         {"observe", sources::NamespaceDepth::kObserve},
                                         {"enter", sources::NamespaceDepth::kEnter}});
}

Value<bool> OnOff(const std::string& flag, const std::string& text) {
  return OneOf<bool>(flag, text, "on or off", {{"on", true}, {"off", false}});
}

Value<std::filesystem::path> File(const std::string& flag, const std::string& text) {
  if (text.empty()) {
    return Refuse(flag, text, "a file");
  }
  return std::filesystem::path(text);
}

Value<std::filesystem::path> Directory(const std::string& flag, const std::string& text) {
  if (text.empty()) {
    return Refuse(flag, text, "a directory");
  }
  return std::filesystem::path(text);
}

Value<diagnosis::PathTimeout> PathTimeout(const std::string& flag, const std::string& text) {
  const std::size_t equals = std::min(text.find('='), text.size());
  const std::string network = text.substr(0, equals);
  const std::size_t slash = network.find('/');
  const auto address = IpAddress::Parse(network.substr(0, slash));
  const auto bits = slash == std::string::npos ? std::nullopt : ParseNumber<std::size_t>(network.substr(slash + 1));
  if (!address || !bits || *bits > address->Bytes().size() * 8 || !diagnosis::IsNetwork(*address, *bits)) {
    return Refuse(flag, text, "a network without host bits and a timeout, such as 198.51.100.0/24=350s");
  }
  const std::string value = text.substr(std::min(equals + 1, text.size()));
  for (const auto& [name, timeout] : kPathPresets) {
    if (name == value) {
      return diagnosis::PathTimeout{network, *address, *bits, timeout};
    }
  }
  const auto duration = ParseDuration(value);
  if (!duration || *duration < std::chrono::seconds(1) || *duration % std::chrono::seconds(1) != duration->zero()) {
    return Refuse(flag, text,
                  "after \"=\" whole seconds from 1s to 10000h, such as 350s, or one of aws-nitro, aws-nlb, "
                  "aws-natgw, azure-lb, gcp, ipvs");
  }
  return diagnosis::PathTimeout{network, *address, *bits, std::chrono::duration_cast<std::chrono::seconds>(*duration)};
}

Value<std::chrono::milliseconds> SamplingInterval(const std::string& flag, const std::string& text) {
  const auto duration = ParseDuration(text);
  if (!duration || *duration < std::chrono::seconds(1) || *duration > std::chrono::hours(1)) {
    return Refuse(flag, text, "a duration from 1s to 1h, such as 5s or 1m30s");
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(*duration);
}

Value<double> CpuBudget(const std::string& flag, const std::string& text) {
  const auto share = ParseNumber<double>(text);
  if (!share || !(*share > 0) || *share > 1) {
    return Refuse(flag, text, "a share of one core above 0 and at most 1, such as 0.02");
  }
  return *share;
}

Value<std::filesystem::path> StoragePath(const std::string&, const std::string& text) {
  return std::filesystem::path(text);  // whether it can be used is found by using it
}

Value<std::optional<std::chrono::nanoseconds>> Since(const std::string& flag, const std::string& text) {
  const auto duration = ParseDuration(text);
  if (!duration || *duration <= std::chrono::nanoseconds(0)) {
    return Refuse(flag, text, "how far back to look, as 30m or 2h");
  }
  return duration;
}

Value<ReportFormat> CheckFormat(const std::string& flag, const std::string& text) {
  return OneOf<ReportFormat>(flag, text, "text, json, prometheus, nagios or bug",
                             {{"text", ReportFormat::kText},
                              {"json", ReportFormat::kJson},
                              {"prometheus", ReportFormat::kPrometheus},
                              {"nagios", ReportFormat::kNagios},
                              {"bug", ReportFormat::kBug}});
}

Value<ReportFormat> PairsFormat(const std::string& flag, const std::string& text) {
  return OneOf<ReportFormat>(
      flag, text, "text, json or prometheus",
      {{"text", ReportFormat::kText}, {"json", ReportFormat::kJson}, {"prometheus", ReportFormat::kPrometheus}});
}

Value<pairs::Target> Target(const std::string& flag, const std::string& text) {
  auto target = pairs::ParseTarget(text);
  if (!target) {
    // What may be a password is not shown.
    return text.find('@') == std::string::npos ? Refuse(flag, text, target.error())
                                               : tl::unexpected(flag + " is wrong: give " + target.error() + ".");
  }
  return std::move(*target);
}

Value<ReportFormat> ExplainFormat(const std::string& flag, const std::string& text) {
  return OneOf<ReportFormat>(flag, text, "text or json",
                             {{"text", ReportFormat::kText}, {"json", ReportFormat::kJson}});
}

Value<bool> Opener(const std::string& flag, const std::string& text) {
  return OneOf<bool>(flag, text, "local or peer", {{"local", true}, {"peer", false}});
}

Value<std::uint32_t> Number(const std::string& flag, const std::string& text) {
  const auto number = ParseNumber<std::uint32_t>(text);
  if (!number) {
    return Refuse(flag, text, "a number from 0 to 4294967295");
  }
  return *number;
}

Value<IpFamily> Family(const std::string& flag, const std::string& text) {
  return OneOf<IpFamily>(flag, text, "ipv4 or ipv6", {{"ipv4", IpFamily::kIpv4}, {"ipv6", IpFamily::kIpv6}});
}

Value<ConnectionEnd> End(const std::string& argument, const std::string& text) {
  const std::optional<http::ListenAddress> end = http::ParseListenAddress(text);
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::array<char, INET6_ADDRSTRLEN> canonical{};
  const int family = end && end->host.find(':') != std::string::npos ? AF_INET6 : AF_INET;
  if (!end || end->port == 0 || inet_pton(family, end->host.c_str(), bytes.data()) != 1) {
    return Refuse(argument, text, "an address and a port from 1 to 65535, as 192.0.2.1:443 or [2001:db8::1]:443");
  }
  inet_ntop(family, bytes.data(), canonical.data(), canonical.size());
  return ConnectionEnd{canonical.data(), end->port};
}

}  // namespace finwait::command_line::option_values
