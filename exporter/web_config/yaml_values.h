#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/base/result.h"
#include "exporter/web_config/yaml.h"

namespace finwait::web_config {

/// Values of YAML nodes as Go's yaml.v2 decodes them in strict mode: null is the zero value of whatever is wanted, and
/// every other scalar is a string when a string is wanted. Errors begin with the line.

/// "line N: WHAT".
Failure FailAt(const YamlNode& node, const std::string& what);

Result<std::string> StringOf(const YamlNode& node);
Result<bool> BoolOf(const YamlNode& node);
/// A decimal number from 0 to the largest int.
Result<int> IntOf(const YamlNode& node);
/// As Go writes durations ("500ms"); a bare number counts nanoseconds.
Result<std::chrono::nanoseconds> DurationOf(const YamlNode& node);
Result<std::vector<std::string>> StringsOf(const YamlNode& node);
/// A mapping of the user's own keys.
Result<std::map<std::string, std::string>> StringMapOf(const YamlNode& node);

/// What to do with the value of each key.
using Fields = std::map<std::string_view, std::function<Result<void>(const YamlNode&)>>;
/// A mapping with the keys of `fields` and no others, each at most once; null is an empty one. "<<" merges.
Result<void> ReadFields(const YamlNode& node, const Fields& fields);

}  // namespace finwait::web_config
