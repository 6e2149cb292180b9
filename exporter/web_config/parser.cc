#include "exporter/web_config/parser.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

#include "collectors/base/text.h"
#include "exporter/web_config/cipher_suites.h"
#include "exporter/web_config/yaml.h"
#include "exporter/web_config/yaml_values.h"

namespace finwait::web_config {

namespace {

using namespace std::string_view_literals;

/// A choice among names that the file spells out.
template <typename T>
using Names = std::span<const std::pair<std::string_view, T>>;

constexpr std::array kVersions = {std::pair("TLS10"sv, TlsVersion::kTls10), std::pair("TLS11"sv, TlsVersion::kTls11),
                                  std::pair("TLS12"sv, TlsVersion::kTls12), std::pair("TLS13"sv, TlsVersion::kTls13)};

constexpr std::array kClientAuthentications = {
    std::pair("NoClientCert"sv, ClientAuthentication::kNoClientCert),
    std::pair("RequestClientCert"sv, ClientAuthentication::kRequestClientCert),
    std::pair("RequireAnyClientCert"sv, ClientAuthentication::kRequireAnyClientCert),
    std::pair("RequireClientCert"sv, ClientAuthentication::kRequireAnyClientCert),  // its older name
    std::pair("VerifyClientCertIfGiven"sv, ClientAuthentication::kVerifyClientCertIfGiven),
    std::pair("RequireAndVerifyClientCert"sv, ClientAuthentication::kRequireAndVerifyClientCert)};

/// A header that may be set, and the values that it may have; none named: any.
struct AllowedHeader {
  std::string_view name;
  std::vector<std::string_view> values;
};

const std::vector<AllowedHeader>& AllowedHeaders() {
  static const std::vector<AllowedHeader> allowed = {{"Strict-Transport-Security", {}},
                                                     {"X-Content-Type-Options", {"nosniff"}},
                                                     {"X-Frame-Options", {"deny", "sameorigin"}},
                                                     {"X-XSS-Protection", {}},
                                                     {"Content-Security-Policy", {}}};
  return allowed;
}

std::string Join(const std::vector<std::string_view>& names) {
  std::string joined;
  for (const std::string_view name : names) {
    joined += (joined.empty() ? "" : ", ") + std::string(name);
  }
  return joined;
}

Failure NotAmong(const YamlNode& node, const std::string& what, const std::vector<std::string_view>& names) {
  return FailAt(node, what + " " + Quoted(node.Text()) + " is not known; known are " + Join(names));
}

/// Reads a value into `target`, of a type that `read` yields.
template <typename T, typename Read>
std::function<Result<void>(const YamlNode&)> Into(T& target, Read read) {
  return [&target, read](const YamlNode& node) -> Result<void> {
    auto value = read(node);
    if (!value) {
      return Failure(value.error());
    }
    target = std::move(*value);
    return {};
  };
}

template <typename T>
auto OneOf(std::string what, Names<T> names, T for_null) {
  return [what = std::move(what), names, for_null](const YamlNode& node) -> Result<T> {
    if (node.IsNull()) {
      return for_null;
    }
    std::vector<std::string_view> all;
    for (const auto& [name, value] : names) {
      if (node.GetKind() == YamlNode::Kind::kScalar && name == node.Text()) {
        return value;
      }
      all.push_back(name);
    }
    return NotAmong(node, what, all);
  };
}

auto ListOf(std::string what, std::span<const std::string_view> names) {
  return [what = std::move(what), names](const YamlNode& node) -> Result<std::vector<std::string>> {
    for (const YamlNode& item : node.Items()) {
      if (std::find(names.begin(), names.end(), item.Text()) == names.end()) {
        return NotAmong(item, what, {names.begin(), names.end()});
      }
    }
    return StringsOf(node);
  };
}

auto PathIn(const std::filesystem::path& folder) {
  return [folder](const YamlNode& node) -> Result<std::filesystem::path> {
    const auto text = StringOf(node);
    if (!text) {
      return Failure(text.error());
    }
    return text->empty() ? std::filesystem::path() : folder / *text;  // an absolute one stays as it is
  };
}

/// `client_auth_type`, where an empty string is the same as nothing.
Result<std::optional<ClientAuthentication>> ClientAuthenticationOf(const YamlNode& node) {
  const auto text = StringOf(node);
  if (!text || text->empty()) {
    return text ? Result<std::optional<ClientAuthentication>>(std::nullopt) : Failure(text.error());
  }
  return OneOf<ClientAuthentication>("client_auth_type", kClientAuthentications,
                                     ClientAuthentication::kNoClientCert)(node);
}

Result<std::optional<std::vector<std::string>>> AllowedSansOf(const YamlNode& node) {
  if (node.IsNull()) {
    return std::nullopt;
  }
  auto strings = StringsOf(node);
  if (!strings) {
    return Failure(strings.error());
  }
  return std::move(*strings);
}

/// What may not stand in a header becomes a blank, as Go has it for line ends.
std::string HeaderValue(std::string value) {
  std::replace_if(
      value.begin(), value.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return std::string(Trim(value));
}

Result<std::map<std::string, std::string>> HeadersOf(const YamlNode& node) {
  auto headers = StringMapOf(node);
  if (!headers) {
    return headers;
  }
  for (auto& [name, value] : *headers) {
    const auto allowed = std::find_if(AllowedHeaders().begin(), AllowedHeaders().end(),
                                      [&header = name](const AllowedHeader& one) { return one.name == header; });
    if (allowed == AllowedHeaders().end()) {
      std::vector<std::string_view> names;
      for (const AllowedHeader& one : AllowedHeaders()) {
        names.push_back(one.name);
      }
      return FailAt(node, "the header " + Quoted(name) + " cannot be set; those that can are " + Join(names));
    }
    const auto& values = allowed->values;
    if (!values.empty() && std::find(values.begin(), values.end(), value) == values.end()) {
      return FailAt(node, "the header " + Quoted(name) + " cannot be " + Quoted(value) + "; it can be " + Join(values));
    }
    value = HeaderValue(value);
  }
  return headers;
}

std::function<Result<void>(const YamlNode&)> IntoTls(TlsSettings& tls, const std::filesystem::path& folder) {
  const auto version = [](const char* key) {
    return OneOf<TlsVersion>(
        key, kVersions, std::string_view(key) == "min_version" ? TlsSettings().min_version : TlsSettings().max_version);
  };
  const Fields fields = {
      {"cert", Into(tls.certificate, StringOf)},
      {"key", Into(tls.key, StringOf)},
      {"cert_file", Into(tls.certificate_file, PathIn(folder))},
      {"key_file", Into(tls.key_file, PathIn(folder))},
      {"client_auth_type", Into(tls.client_authentication, ClientAuthenticationOf)},
      {"client_ca", Into(tls.client_ca, StringOf)},
      {"client_ca_file", Into(tls.client_ca_file, PathIn(folder))},
      {"client_allowed_sans", Into(tls.client_allowed_sans, AllowedSansOf)},
      {"min_version", Into(tls.min_version, version("min_version"))},
      {"max_version", Into(tls.max_version, version("max_version"))},
      {"cipher_suites", Into(tls.cipher_suites, ListOf("the cipher suite", CipherSuites()))},
      {"prefer_server_cipher_suites", Into(tls.prefer_server_cipher_suites, BoolOf)},
      {"curve_preferences", Into(tls.curve_preferences, ListOf("the curve", Curves()))},
  };
  return [fields](const YamlNode& node) { return ReadFields(node, fields); };
}

}  // namespace

Result<WebConfig> ParseWebConfig(std::string_view text, const std::filesystem::path& folder) {
  const auto document = YamlDocument::Parse(text);
  if (!document) {
    return Failure(document.error());
  }
  WebConfig config;
  bool http2 = true;  // it must be a boolean, and HTTP/1.1 is spoken either way
  const Fields http = {{"http2", Into(http2, BoolOf)}, {"headers", Into(config.headers, HeadersOf)}};
  const Fields rate_limit = {{"interval", Into(config.rate_limit.interval, DurationOf)},
                             {"burst", Into(config.rate_limit.burst, IntOf)}};
  const Fields fields = {
      {"tls_server_config", IntoTls(config.tls, folder)},
      {"http_server_config", [&http](const YamlNode& node) { return ReadFields(node, http); }},
      {"rate_limit", [&rate_limit](const YamlNode& node) { return ReadFields(node, rate_limit); }},
      {"basic_auth_users", Into(config.users, StringMapOf)},
  };
  if (const auto root = document->Root()) {
    if (const auto read = ReadFields(*root, fields); !read) {
      return Failure(read.error());
    }
  }
  return config;
}

}  // namespace finwait::web_config
