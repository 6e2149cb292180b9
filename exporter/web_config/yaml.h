#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <yaml.h>

#include "collectors/base/result.h"

namespace finwait::web_config {

/// A node of a YamlDocument: cheap to copy, valid as long as the document.
class YamlNode {
 public:
  enum class Kind { kScalar, kSequence, kMapping };

  YamlNode(yaml_document_t* document, yaml_node_t* node) : document_(document), node_(node) {}

  Kind GetKind() const;
  /// Counted from 1.
  std::size_t Line() const { return node_->start_mark.line + 1; }
  /// A scalar's text; "" for every other kind.
  std::string_view Text() const;
  /// Whether it is a scalar without quotes: only those can mean something else than a string.
  bool IsPlain() const;
  /// Nothing, "~" or "null".
  bool IsNull() const;
  /// Whether it carries a tag that is not one of the usual scalars', sequence's or mapping's.
  bool HasOddTag() const;
  /// Of a sequence.
  std::vector<YamlNode> Items() const;
  /// Keys and values of a mapping, in their order, duplicates included.
  std::vector<std::pair<YamlNode, YamlNode>> Entries() const;

 private:
  YamlNode At(int index) const { return {document_, yaml_document_get_node(document_, index)}; }

  yaml_document_t* document_;
  yaml_node_t* node_;
};

/// The first document of a YAML 1.1 text, read by libyaml: the same scanner that exporter-toolkit's YAML package was
/// ported from, so that both take the same texts. Aliases are resolved, and may therefore form cycles.
class YamlDocument {
 public:
  /// Errors name the line.
  static Result<YamlDocument> Parse(std::string_view text);

  /// Nothing for an empty text.
  std::optional<YamlNode> Root() const;

 private:
  struct Deleter {
    void operator()(yaml_document_t* document) const;
  };
  explicit YamlDocument(std::unique_ptr<yaml_document_t, Deleter> document) : document_(std::move(document)) {}

  std::unique_ptr<yaml_document_t, Deleter> document_;
};

}  // namespace finwait::web_config
