#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "exporter/command_line/options.h"

/// The values of the command line: each function turns the text that was given for one flag or argument into what it
/// means, or into the sentence that says what is wrong with it and what would be right.
namespace finwait::command_line::option_values {

template <typename T>
using Value = tl::expected<T, std::string>;

/// "FLAG cannot be "VALUE": give RIGHT."
std::string Refusal(const std::string& flag, const std::string& value, const std::string& right);

Value<http::ListenAddress> ListenAddress(const std::string& flag, const std::string& text);
Value<std::string> TelemetryPath(const std::string& flag, const std::string& text);
Value<std::vector<std::string>> HostNames(const std::string& flag, const std::string& text);
Value<std::size_t> MaxRequests(const std::string& flag, const std::string& text);
Value<service::LogLevel> Level(const std::string& flag, const std::string& text);
Value<service::LogFormat> Format(const std::string& flag, const std::string& text);
Value<sources::NamespaceDepth> Depth(const std::string& flag, const std::string& text);
Value<bool> OnOff(const std::string& flag, const std::string& text);
Value<std::filesystem::path> File(const std::string& flag, const std::string& text);
Value<std::filesystem::path> Directory(const std::string& flag, const std::string& text);
Value<diagnosis::PathTimeout> PathTimeout(const std::string& flag, const std::string& text);
Value<std::chrono::milliseconds> SamplingInterval(const std::string& flag, const std::string& text);
Value<std::filesystem::path> StoragePath(const std::string& flag, const std::string& text);
Value<std::optional<std::chrono::nanoseconds>> Since(const std::string& flag, const std::string& text);
Value<pairs::Target> Target(const std::string& flag, const std::string& text);
Value<double> CpuBudget(const std::string& flag, const std::string& text);
/// Of `check`.
Value<ReportFormat> CheckFormat(const std::string& flag, const std::string& text);
/// Of `pairs`.
Value<ReportFormat> PairsFormat(const std::string& flag, const std::string& text);
/// Of `explain`.
Value<ReportFormat> ExplainFormat(const std::string& flag, const std::string& text);
/// "local" (true) or "peer".
Value<bool> Opener(const std::string& flag, const std::string& text);
/// A number of 32 bits.
Value<std::uint32_t> Number(const std::string& flag, const std::string& text);
/// "ipv4" or "ipv6".
Value<IpFamily> Family(const std::string& flag, const std::string& text);
Value<ConnectionEnd> End(const std::string& argument, const std::string& text);

}  // namespace finwait::command_line::option_values
