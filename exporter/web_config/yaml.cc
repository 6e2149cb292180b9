#include "exporter/web_config/yaml.h"

#include <algorithm>

namespace finwait::web_config {

namespace {

constexpr std::string_view kUsualTags[] = {YAML_NULL_TAG, YAML_BOOL_TAG, YAML_STR_TAG,  YAML_INT_TAG,
                                           YAML_SEQ_TAG,  YAML_MAP_TAG,  YAML_FLOAT_TAG};

/// More than any file needs. libyaml's time grows with the square of the depth, so it must not see a deeper text whole.
constexpr int kDeepest = 32;

struct ParserDeleter {
  void operator()(yaml_parser_t* parser) const {
    yaml_parser_delete(parser);
    delete parser;
  }
};
using ParserPtr = std::unique_ptr<yaml_parser_t, ParserDeleter>;

/// Null only for want of memory.
ParserPtr ParserOf(std::string_view text) {
  ParserPtr parser(new yaml_parser_t{});
  if (yaml_parser_initialize(parser.get()) == 0) {
    return nullptr;
  }
  const char* start = text.empty() ? "" : text.data();  // libyaml asserts that it is not null
  yaml_parser_set_input_string(parser.get(), reinterpret_cast<const unsigned char*>(start), text.size());
  return parser;
}

/// The line on which the first document becomes too deep; nothing when it does not, or is no YAML.
std::optional<std::size_t> TooDeepAt(yaml_parser_t& parser) {
  int depth = 0;
  for (;;) {
    yaml_event_t event;
    if (yaml_parser_parse(&parser, &event) == 0) {
      return std::nullopt;
    }
    const yaml_event_type_t type = event.type;
    const std::size_t line = event.start_mark.line + 1;
    yaml_event_delete(&event);
    depth += type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT ? 1 : 0;
    depth -= type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT ? 1 : 0;
    if (depth > kDeepest) {
      return line;
    }
    if (type == YAML_DOCUMENT_END_EVENT || type == YAML_STREAM_END_EVENT) {
      return std::nullopt;
    }
  }
}

}  // namespace

YamlNode::Kind YamlNode::GetKind() const {
  return node_->type == YAML_SEQUENCE_NODE  ? Kind::kSequence
         : node_->type == YAML_MAPPING_NODE ? Kind::kMapping
                                            : Kind::kScalar;
}

std::string_view YamlNode::Text() const {
  if (GetKind() != Kind::kScalar) {
    return "";
  }
  return {reinterpret_cast<const char*>(node_->data.scalar.value), node_->data.scalar.length};
}

bool YamlNode::IsPlain() const {
  return GetKind() == Kind::kScalar && node_->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

bool YamlNode::IsNull() const {
  constexpr std::string_view kNulls[] = {"", "~", "null", "Null", "NULL"};
  return IsPlain() && std::find(std::begin(kNulls), std::end(kNulls), Text()) != std::end(kNulls);
}

bool YamlNode::HasOddTag() const {
  const std::string_view tag = reinterpret_cast<const char*>(node_->tag);
  return std::find(std::begin(kUsualTags), std::end(kUsualTags), tag) == std::end(kUsualTags);
}

std::vector<YamlNode> YamlNode::Items() const {
  std::vector<YamlNode> items;
  if (GetKind() == Kind::kSequence) {
    for (const yaml_node_item_t* item = node_->data.sequence.items.start; item < node_->data.sequence.items.top;
         ++item) {
      items.push_back(At(*item));
    }
  }
  return items;
}

std::vector<std::pair<YamlNode, YamlNode>> YamlNode::Entries() const {
  std::vector<std::pair<YamlNode, YamlNode>> entries;
  if (GetKind() == Kind::kMapping) {
    for (const yaml_node_pair_t* pair = node_->data.mapping.pairs.start; pair < node_->data.mapping.pairs.top; ++pair) {
      entries.emplace_back(At(pair->key), At(pair->value));
    }
  }
  return entries;
}

void YamlDocument::Deleter::operator()(yaml_document_t* document) const {
  yaml_document_delete(document);
  delete document;
}

Result<YamlDocument> YamlDocument::Parse(std::string_view text) {
  const ParserPtr scout = ParserOf(text);
  const ParserPtr parser = ParserOf(text);
  if (!scout || !parser) {
    return Fail(FailureReason::kError, "out of memory");
  }
  if (const auto line = TooDeepAt(*scout)) {
    return Fail(FailureReason::kError, "line " + std::to_string(*line) + ": this is nested too deeply");
  }
  std::unique_ptr<yaml_document_t, Deleter> document(new yaml_document_t{});
  if (yaml_parser_load(parser.get(), document.get()) == 0) {
    *document = {};  // what there was of it is freed already
    const std::size_t line = parser->problem_mark.line + 1;
    const std::string problem = parser->problem != nullptr ? parser->problem : "unknown problem";
    return Fail(FailureReason::kError, "line " + std::to_string(line) + ": this is not YAML: " + problem);
  }
  return YamlDocument(std::move(document));
}

std::optional<YamlNode> YamlDocument::Root() const {
  yaml_node_t* root = yaml_document_get_root_node(document_.get());
  return root == nullptr ? std::nullopt : std::optional(YamlNode(document_.get(), root));
}

}  // namespace finwait::web_config
