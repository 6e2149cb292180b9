#include "exporter/http/negotiation.h"

#include <algorithm>
#include <optional>

#include "collectors/base/text.h"
#include "exporter/http/message.h"

namespace finwait::http {

namespace {

/// Cuts the part before the next separator off `rest`.
std::string_view Next(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = Trim(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

/// In thousandths, as a q-value has three decimals at most; nothing where it is not one.
std::optional<int> ParseQuality(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1') || (text.size() > 1 && text[1] != '.')) {
    return std::nullopt;
  }
  int quality = (text[0] - '0') * 1000;
  int weight = 100;
  for (const char digit : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (digit < '0' || digit > '9') {
      return std::nullopt;
    }
    quality += (digit - '0') * weight;
    weight /= 10;
  }
  return quality <= 1000 ? std::optional(quality) : std::nullopt;
}

/// One element of Accept or Accept-Encoding.
struct Preference {
  std::string_view name;
  std::string_view version;  ///< the parameter of that name, empty if there is none
  int quality = 1000;        ///< in thousandths
};

/// Calls `visit` with each element that is well-formed.
template <typename Visit>
void ForEachPreference(std::string_view header, Visit visit) {
  while (!header.empty()) {
    std::string_view element = Next(header, ',');
    Preference preference{.name = Next(element, ';'), .version = {}};
    bool is_valid = !preference.name.empty();
    while (!element.empty()) {
      std::string_view value = Next(element, ';');
      const std::string_view parameter = Next(value, '=');
      value = Trim(value);
      if (SameFieldName(parameter, "q")) {
        const std::optional<int> quality = ParseQuality(value);
        is_valid = is_valid && quality;
        preference.quality = quality.value_or(0);
      } else if (SameFieldName(parameter, "version")) {
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
          value = value.substr(1, value.size() - 2);
        }
        preference.version = value;
      }
    }
    if (is_valid) {
      visit(preference);
    }
  }
}

}  // namespace

bool Prefers(std::string_view accept, const MediaType& special, const MediaType& usual) {
  int quality_of_special = 0;
  int quality_of_usual = 0;
  bool usual_came_first = false;
  int specificity_of_usual = 0;  // of the range that decided its quality
  const std::string_view type_of_usual = usual.name.substr(0, usual.name.find('/'));
  ForEachPreference(accept, [&](const Preference& preference) {
    const auto names = [&](const MediaType& type) {
      return SameFieldName(preference.name, type.name) &&
             (preference.version.empty() || preference.version == type.version);
    };
    if (names(special)) {
      quality_of_special = std::max(quality_of_special, preference.quality);
      return;
    }
    const bool names_whole_type = preference.name.ends_with("/*") && preference.name != "*/*" &&
                                  SameFieldName(preference.name.substr(0, preference.name.size() - 2), type_of_usual);
    const int specificity = names(usual) ? 3 : names_whole_type ? 2 : preference.name == "*/*" ? 1 : 0;
    if (specificity > specificity_of_usual) {
      specificity_of_usual = specificity;
      quality_of_usual = preference.quality;
      usual_came_first = specificity == 3 && quality_of_special == 0;
    }
  });
  const bool prefers =
      quality_of_special > quality_of_usual || (quality_of_special == quality_of_usual && !usual_came_first);
  return quality_of_special > 0 && prefers;
}

bool AcceptsGzip(std::string_view accept_encoding) {
  std::optional<int> gzip;
  std::optional<int> identity;
  std::optional<int> any;
  ForEachPreference(accept_encoding, [&](const Preference& preference) {
    const auto is = [&](std::string_view name) { return SameFieldName(preference.name, name); };
    if (is("gzip") || is("x-gzip")) {
      gzip = preference.quality;
    } else if (is("identity")) {
      identity = preference.quality;
    } else if (is("*")) {
      any = preference.quality;
    }
  });
  const int quality = gzip ? *gzip : any.value_or(0);
  return quality > 0 && quality >= identity.value_or(0);
}

}  // namespace finwait::http
