#pragma once

#include <cstddef>
#include <ostream>
#include <span>
#include <string_view>

namespace finwait::fuzz {

/// What a target's input is made of, for the mutator.
enum class Shape {
  kBytes,
  kAttributes,  ///< a list of netlink attributes
  kRecording,   ///< datagrams of netlink (recording.h)
};

/// One decoder under hostile input. `run` takes any bytes: it must come back, soon, and what it promises must hold; a
/// broken promise ends the process (Require).
struct Target {
  std::string_view name;  ///< also of its folder in corpus/
  std::string_view what;  ///< what it feeds
  void (*run)(std::span<const std::byte> input);
  Shape shape = Shape::kBytes;
};

inline void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

/// Every target. To add one: a function in one of the *_targets.cc, its row in targets.cc, and seeds in corpus/NAME.
std::span<const Target> Targets();

/// Null when there is none of that name.
const Target* FindTarget(std::string_view name);

/// Ends the process by abort(), after saying what was promised, unless `holds`.
void Require(bool holds, std::string_view promise);

/// The bytes as text.
inline std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void RunConntrackTable(std::span<const std::byte> input);
void RunConntrackStats(std::span<const std::byte> input);
void RunConntrackEvents(std::span<const std::byte> input);
void RunSockets(std::span<const std::byte> input);
void RunTracking(std::span<const std::byte> input);
void RunRoutes(std::span<const std::byte> input);
void RunNftRuleset(std::span<const std::byte> input);
void RunNftRule(std::span<const std::byte> input);
void RunNftSet(std::span<const std::byte> input);
void RunLegacyTable(std::span<const std::byte> input);
void RunProcfs(std::span<const std::byte> input);
void RunHttpRequest(std::span<const std::byte> input);
void RunHeaderValues(std::span<const std::byte> input);
void RunExposition(std::span<const std::byte> input);
void RunCommandLine(std::span<const std::byte> input);
void RunWebConfig(std::span<const std::byte> input);
void RunBasicCredentials(std::span<const std::byte> input);
void RunChannelAnswers(std::span<const std::byte> input);
void RunChannelQuestion(std::span<const std::byte> input);
void RunChannelHello(std::span<const std::byte> input);
void RunChannelFacts(std::span<const std::byte> input);
void RunChannelServer(std::span<const std::byte> input);
void RunChannelReader(std::span<const std::byte> input);
void RunPairsLost(std::span<const std::byte> input);
void RunPairsLive(std::span<const std::byte> input);
void RunPairsTargets(std::span<const std::byte> input);

}  // namespace finwait::fuzz
