#include "exporter/web_config/yaml_values.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "collectors/base/duration.h"
#include "collectors/base/text.h"

namespace finwait::web_config {

namespace {

/// In one mapping, as aliases can make it merge itself, or others again and again.
constexpr int kMostMerges = 64;

std::string KeysOf(const Fields& fields) {
  std::string names;
  for (const auto& [name, read] : fields) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return names;
}

// Not negative, and fit for a signed number.
std::optional<std::int64_t> ParseNatural(std::string_view text) {
  const auto number = ParseNumber<std::int64_t>(text);
  return number && text[0] != '-' ? number : std::nullopt;
}

bool IsMerge(const YamlNode& key) { return key.IsPlain() && key.Text() == "<<"; }

using ReadEntry = std::function<Result<void>(const YamlNode& key, const YamlNode& value)>;
using ReadMapping = std::function<Result<void>(const YamlNode& mapping)>;

/// Each mapping that "<<" names, the last of a sequence first, as those before it take precedence.
Result<void> Merge(const YamlNode& value, const ReadMapping& read, int& merges_left) {
  std::vector<YamlNode> mappings = {value};
  if (value.GetKind() == YamlNode::Kind::kSequence) {
    mappings = value.Items();
    std::reverse(mappings.begin(), mappings.end());
  }
  for (const YamlNode& mapping : mappings) {
    if (mapping.GetKind() != YamlNode::Kind::kMapping) {
      return FailAt(value, "\"<<\" must name a mapping or a list of mappings");
    }
    if (--merges_left < 0) {
      return FailAt(value, "\"<<\" names too many mappings");
    }
    if (auto merged = read(mapping); !merged) {
      return merged;
    }
  }
  return {};
}

/// Calls `read` for each entry, and `merge` for each mapping that is merged.
Result<void> ReadEntries(const YamlNode& node, int& merges_left, const ReadMapping& merge, const ReadEntry& read) {
  if (node.IsNull()) {
    return {};
  }
  if (node.GetKind() != YamlNode::Kind::kMapping) {
    return FailAt(node, "there must be keys and values here");
  }
  for (const auto& [key, value] : node.Entries()) {
    if (key.GetKind() != YamlNode::Kind::kScalar) {
      return FailAt(key, "a key must be a string");
    }
    auto done = IsMerge(key) ? Merge(value, merge, merges_left) : read(key, value);
    if (!done) {
      return done;
    }
  }
  return {};
}

Result<void> ReadMergedFields(const YamlNode& node, const Fields& fields, int& merges_left) {
  std::set<std::string_view> seen;
  return ReadEntries(
      node, merges_left, [&](const YamlNode& mapping) { return ReadMergedFields(mapping, fields, merges_left); },
      [&](const YamlNode& key, const YamlNode& value) -> Result<void> {
        const auto field = fields.find(key.Text());
        if (field == fields.end()) {
          return FailAt(key, Quoted(key.Text()) + " is not a key here; the keys are " + KeysOf(fields));
        }
        if (!seen.insert(field->first).second) {
          return FailAt(key, Quoted(key.Text()) + " is there twice");
        }
        return field->second(value);
      });
}

Result<void> ReadStrings(const YamlNode& node, std::map<std::string, std::string>& strings, int& merges_left) {
  return ReadEntries(
      node, merges_left, [&](const YamlNode& mapping) { return ReadStrings(mapping, strings, merges_left); },
      [&](const YamlNode& key, const YamlNode& value) -> Result<void> {
        const auto name = StringOf(key);
        const auto text = StringOf(value);
        if (!name || !text) {
          return Failure(name ? text.error() : name.error());
        }
        if (!strings.emplace(*name, *text).second) {
          return FailAt(key, Quoted(*name) + " is there twice");
        }
        return {};
      });
}

}  // namespace

Failure FailAt(const YamlNode& node, const std::string& what) {
  return Fail(FailureReason::kError, "line " + std::to_string(node.Line()) + ": " + what);
}

Result<std::string> StringOf(const YamlNode& node) {
  if (node.GetKind() != YamlNode::Kind::kScalar) {
    return FailAt(node, "there must be one string here");
  }
  if (node.HasOddTag()) {
    return FailAt(node, "a string cannot have a tag here");
  }
  return node.IsNull() ? "" : std::string(node.Text());
}

Result<bool> BoolOf(const YamlNode& node) {
  constexpr std::string_view kTrue[] = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"};
  constexpr std::string_view kFalse[] = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};
  const auto is_one_of = [&node](const auto& names) {
    return std::find(std::begin(names), std::end(names), node.Text()) != std::end(names);
  };
  if (node.IsPlain() && is_one_of(kTrue)) {
    return true;
  }
  if (node.IsNull() || (node.IsPlain() && is_one_of(kFalse))) {
    return false;
  }
  return FailAt(node, Quoted(node.Text()) + " must be true or false");
}

Result<int> IntOf(const YamlNode& node) {
  if (node.IsNull()) {
    return 0;
  }
  const auto number = node.IsPlain() ? ParseNatural(node.Text()) : std::nullopt;
  if (!number || *number > std::numeric_limits<int>::max()) {
    return FailAt(node, Quoted(node.Text()) + " must be a whole number, 0 or more");
  }
  return static_cast<int>(*number);
}

Result<std::chrono::nanoseconds> DurationOf(const YamlNode& node) {
  if (node.IsNull()) {
    return std::chrono::nanoseconds(0);
  }
  if (const auto number = node.IsPlain() ? ParseNatural(node.Text()) : std::nullopt) {
    return std::chrono::nanoseconds(*number);
  }
  if (const auto duration = ParseDuration(node.Text())) {
    return *duration;
  }
  return FailAt(node, Quoted(node.Text()) + " must be a duration, such as 100ms or 1m30s");
}

Result<std::vector<std::string>> StringsOf(const YamlNode& node) {
  std::vector<std::string> strings;
  if (node.IsNull()) {
    return strings;
  }
  if (node.GetKind() != YamlNode::Kind::kSequence) {
    return FailAt(node, "there must be a list of strings here");
  }
  for (const YamlNode& item : node.Items()) {
    auto text = StringOf(item);
    if (!text) {
      return Failure(text.error());
    }
    strings.push_back(std::move(*text));
  }
  return strings;
}

Result<std::map<std::string, std::string>> StringMapOf(const YamlNode& node) {
  std::map<std::string, std::string> strings;
  int merges_left = kMostMerges;
  if (const auto read = ReadStrings(node, strings, merges_left); !read) {
    return Failure(read.error());
  }
  return strings;
}

Result<void> ReadFields(const YamlNode& node, const Fields& fields) {
  int merges_left = kMostMerges;
  return ReadMergedFields(node, fields, merges_left);
}

}  // namespace finwait::web_config
