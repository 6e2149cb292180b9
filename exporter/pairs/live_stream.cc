#include "exporter/pairs/live_stream.h"

#include <array>
#include <charconv>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "collectors/base/text.h"
#include "exporter/pairs/rules_json.h"

namespace finwait::pairs {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kTitle = "finwait_exporter pairs live 1";
constexpr std::string_view kSample = "sample ";
constexpr std::string_view kEnd = "end ";

void Append(std::optional<std::uint64_t> number, std::string& line) {
  line += ' ';
  if (!number) {
    line += '-';
    return;
  }
  std::array<char, 20> digits = {};
  const auto end = std::to_chars(digits.begin(), digits.end(), *number).ptr;
  line.append(digits.begin(), end);
}

std::optional<std::uint64_t> Position(std::uint32_t position) {
  return position == kNone ? std::nullopt : std::optional<std::uint64_t>(position);
}

// The next word, which is taken off `line`.
std::string_view NextWord(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

// A number or "-"; false for anything else.
bool ReadNumber(std::string_view word, std::optional<std::uint32_t>& number) {
  number = word == "-" ? std::nullopt : ParseNumber<std::uint32_t>(word);
  return number || word == "-";
}

bool ReadPosition(std::string_view word, std::size_t size, std::uint32_t& position) {
  std::optional<std::uint32_t> number;
  if (!ReadNumber(word, number) || (number && *number >= size)) {
    return false;
  }
  position = number.value_or(kNone);
  return true;
}

}  // namespace

void LiveWriter::BeginSample(float seconds, bool elsewhere) {
  std::array<char, 32> text = {};
  (void)std::snprintf(text.data(), text.size(), "%.3f", static_cast<double>(seconds));
  lines_ += std::string(kSample) + text.data() + (elsewhere ? " elsewhere\n" : " own\n");
}

void LiveWriter::Add(const LiveHalf& half) {
  lines_ += DigestText(half.digests[0]);
  lines_ += half.digests[1] == half.digests[0] ? " -" : " " + DigestText(half.digests[1]);
  Append(half.port, lines_);
  Append(half.silent_seconds, lines_);
  Append(Position(half.owner), lines_);
  Append(Position(half.rule), lines_);
  lines_ += half.peer_has_closed ? " c\n" : " e\n";
  ++halves_;
}

std::string LiveWriter::Finish(const LiveHeader& header) const {
  const Json json = {{"owners", header.owners}, {"rules", RulesJson(header.rules)}};
  std::string text(kTitle);
  text += '\n';
  text += json.dump(-1, ' ', false, Json::error_handler_t::replace);
  text += '\n';
  text += lines_;
  text += kEnd;
  text += std::to_string(halves_);
  text += '\n';
  return text;
}

bool LiveReader::Read(std::string_view piece) {
  while (!piece.empty() && part_ != Part::kBad) {
    const std::size_t end = piece.find('\n');
    if (end == std::string_view::npos || !pending_.empty()) {
      if (pending_.size() + std::min(end, piece.size()) > kLongestLine) {
        part_ = Part::kBad;
        break;
      }
      pending_ += piece.substr(0, end);
      if (end == std::string_view::npos) {
        break;
      }
      part_ = ReadLine(pending_);
      pending_.clear();
    } else {
      part_ = ReadLine(piece.substr(0, end));
    }
    piece.remove_prefix(end + 1);
  }
  return part_ != Part::kBad;
}

LiveReader::Part LiveReader::ReadLine(std::string_view line) {
  switch (part_) {
    case Part::kTitle:
      return line == kTitle ? Part::kHeader : Part::kBad;
    case Part::kHeader:
      return ReadHeader(line);
    case Part::kHalves:
      return line.starts_with(kSample) ? ReadSample(line.substr(kSample.size()))
             : line.starts_with(kEnd)
                 ? (ParseNumber<std::size_t>(line.substr(kEnd.size())) == halves_ ? Part::kDone : Part::kBad)
                 : ReadHalf(line);
    case Part::kDone:
    case Part::kBad:
      return Part::kBad;
  }
  return Part::kBad;
}

LiveReader::Part LiveReader::ReadHeader(std::string_view line) {
  const Json json = ParseForeignJson(line);
  const Json& owners = Member(json, "owners");
  auto rules = RulesOf(Member(json, "rules"));
  if (!owners.is_array() || !rules) {
    return Part::kBad;
  }
  for (const Json& owner : owners) {
    if (!owner.is_string()) {
      return Part::kBad;
    }
    header_.owners.push_back(owner.get<std::string>());
  }
  header_.rules = std::move(*rules);
  return Part::kHalves;
}

LiveReader::Part LiveReader::ReadSample(std::string_view line) {
  const auto seconds = ParseNumber<float>(NextWord(line));
  if (!seconds || !(*seconds >= 0) || (line != "own" && line != "elsewhere")) {
    return Part::kBad;
  }
  has_sample_ = true;
  sample_.sample_seconds = *seconds;
  sample_.elsewhere = line == "elsewhere";
  if (!sample_.elsewhere) {
    own_sample_ = std::max(*seconds, own_sample_.value_or(0));
  }
  return Part::kHalves;
}

LiveReader::Part LiveReader::ReadHalf(std::string_view line) {
  LiveHalf half = sample_;
  const auto digest = ParseDigest(NextWord(line));
  const std::string_view beyond = NextWord(line);
  const auto second = beyond == "-" ? digest : ParseDigest(beyond);
  const auto port = ParseNumber<std::uint16_t>(NextWord(line));
  if (!has_sample_ || !digest || !second || !port || !ReadNumber(NextWord(line), half.silent_seconds) ||
      !ReadPosition(NextWord(line), header_.owners.size(), half.owner) ||
      !ReadPosition(NextWord(line), header_.rules.size(), half.rule) || (line != "e" && line != "c")) {
    return Part::kBad;
  }
  half.digests = {*digest, *second};
  half.port = *port;
  half.peer_has_closed = line == "c";
  ++halves_;
  take_(half);
  return Part::kHalves;
}

Result<void> LiveReader::End() const {
  if (part_ == Part::kDone && pending_.empty()) {
    return {};
  }
  return part_ == Part::kBad ? Fail(FailureReason::kError, "its list of live halves is malformed")
                             : Fail(FailureReason::kError, "its list of live halves ends in the middle");
}

}  // namespace finwait::pairs
