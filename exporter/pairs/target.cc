#include "exporter/pairs/target.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>

#include "collectors/base/text.h"
#include "exporter/http/listen_address.h"
#include "exporter/http/percent_decoding.h"
#include "exporter/web_config/yaml.h"
#include "exporter/web_config/yaml_values.h"

namespace finwait::pairs {
namespace {

constexpr const char* kRight =
    R"(an exporter as "host", "host:port", "http://host:port" or "https://user:password@host:port/path")";

bool IsHostName(std::string_view name) {
  constexpr std::size_t kLongest = 253;
  return !name.empty() && name.size() <= kLongest && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == ':';
  });
}

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

Result<void> ReadGroup(const web_config::YamlNode& group, std::vector<Target>& targets) {
  std::vector<std::string> texts;
  std::map<std::string, std::string> labels;
  auto read = web_config::ReadFields(group, {{"targets",
                                              [&](const web_config::YamlNode& node) -> Result<void> {
                                                auto strings = web_config::StringsOf(node);
                                                if (!strings) {
                                                  return Failure(strings.error());
                                                }
                                                texts = std::move(*strings);
                                                return {};
                                              }},
                                             {"labels", [&](const web_config::YamlNode& node) -> Result<void> {
                                                auto strings = web_config::StringMapOf(node);
                                                if (!strings) {
                                                  return Failure(strings.error());
                                                }
                                                labels = std::move(*strings);
                                                return {};
                                              }}});
  if (!read) {
    return read;
  }
  const bool tls = labels.contains("__scheme__") && labels["__scheme__"] == "https";
  for (const std::string& text : texts) {
    auto target = ParseTarget(text);
    if (!target) {
      return web_config::FailAt(group, "the target " + Quoted(text) + " should be " + target.error());
    }
    target->tls = target->tls || tls;
    targets.push_back(std::move(*target));
  }
  return {};
}

}  // namespace

std::string Target::Name() const { return http::ToString({host, port}) + path; }

tl::expected<Target, std::string> ParseTarget(std::string_view text) {
  const auto wrong = tl::unexpected(std::string(kRight));
  Target target;
  if (TakePrefix(text, "https://")) {
    target.tls = true;
  } else if (!TakePrefix(text, "http://") && text.find("://") != std::string_view::npos) {
    return wrong;
  }
  std::string_view authority = text.substr(0, text.find('/'));
  target.path = text.substr(authority.size());
  while (target.path.ends_with('/')) {
    target.path.pop_back();
  }
  if (!std::all_of(target.path.begin(), target.path.end(),
                   [](char c) { return c > ' ' && c < 0x7F && c != '?' && c != '#'; })) {
    return wrong;
  }
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = authority.substr(0, at);
    const std::size_t colon = std::min(user.find(':'), user.size());
    const auto name = http::PercentDecode(user.substr(0, colon));
    const auto password = http::PercentDecode(user.substr(std::min(colon + 1, user.size())));
    if (!name || !password || name->empty()) {
      return wrong;
    }
    target.user = *name;
    target.password = *password;
    authority.remove_prefix(at + 1);
  }
  // ":" alone would be every address, which nobody can ask.
  const bool has_port = authority.ends_with(']') ? false : authority.find(':') != std::string_view::npos;
  const auto address = http::ParseListenAddress(has_port ? std::string(authority)
                                                         : std::string(authority) + ":" + std::to_string(target.port));
  if (!address || address->port == 0 || !IsHostName(address->host)) {
    return wrong;
  }
  target.host = address->host;
  target.port = address->port;
  return target;
}

Result<std::vector<Target>> ParseTargets(std::string_view text) {
  const auto document = web_config::YamlDocument::Parse(text);
  if (!document) {
    return Failure(document.error());
  }
  const auto root = document->Root();
  if (!root || root->GetKind() != web_config::YamlNode::Kind::kSequence) {
    return Fail(FailureReason::kError, "it should be a list of groups, each with \"targets\"");
  }
  std::vector<Target> targets;
  for (const web_config::YamlNode& group : root->Items()) {
    if (const auto read = ReadGroup(group, targets); !read) {
      return Failure(read.error());
    }
  }
  return targets;
}

Result<std::vector<Target>> ReadTargets(const std::filesystem::path& file) {
  constexpr std::size_t kMostBytes = 64 << 20;
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return FailErrno("cannot open " + Quoted(file.string()), errno != 0 ? errno : EIO);
  }
  std::string text;
  std::array<char, 65536> piece = {};
  while (in.read(piece.data(), piece.size()), in.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMostBytes) {
      return Fail(FailureReason::kError, Quoted(file.string()) + " is too large for a list of hosts.");
    }
  }
  auto targets = ParseTargets(text);
  if (!targets) {
    return Fail(FailureReason::kError, "cannot use " + Quoted(file.string()) + ": " + targets.error().message);
  }
  return targets;
}

}  // namespace finwait::pairs
