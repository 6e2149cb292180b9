// -m time: dates, days and hours. The kernel asks its wall clock for each packet.
#include <linux/netfilter/xt_time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace time {
namespace {

constexpr std::int64_t kDay = 86400;
constexpr std::string_view kAboutToChange = "the time, which is about to be another one to a rule";

bool HasDay(std::uint32_t days, unsigned day) { return (days >> day & 1U) != 0; }

// time_mt(), at `now`: seconds since 1970 in the time zone that the rule asks for.
bool HoldsAt(const xt_time_info& info, std::int64_t now) {
  if (now < info.date_start || now > info.date_stop) {
    return false;
  }
  const std::int64_t daytime = now % kDay;
  std::int64_t day = now / kDay;
  if (info.daytime_start < info.daytime_stop) {
    if (daytime < info.daytime_start || daytime > info.daytime_stop) {
      return false;
    }
  } else {
    if (daytime < info.daytime_start && daytime > info.daytime_stop) {
      return false;
    }
    // After midnight it is still the day on which the period began.
    if ((info.flags & XT_TIME_CONTIGUOUS) != 0 && daytime <= info.daytime_stop) {
      --day;
    }
  }
  const std::chrono::sys_days date{std::chrono::days(day)};
  return HasDay(info.weekdays_match, std::chrono::weekday(date).iso_encoding()) &&
         HasDay(info.monthdays_match, static_cast<unsigned>(std::chrono::year_month_day(date).day()));
}

Conditions Meaning(const XtMatch& match, const Packet&, const HookContext&, FactLookup& facts) {
  const auto info = Decode<xt_time_info>(match);
  if (!info) {
    return Unreadable();
  }
  const facts::Fact* fact = facts.Ask(facts::ClockKey{});
  const auto* clock = fact != nullptr ? fact->As<facts::Clock>() : nullptr;
  const bool local = (info->flags & XT_TIME_LOCAL_TZ) != 0;
  if (clock == nullptr || clock->First() < 2 * kDay || (local && !clock->minutes_west)) {
    return {Condition::Of(Tristate::kUnknown, "the time")};
  }
  const std::int64_t west = local ? std::int64_t{60} * *clock->minutes_west : 0;
  const std::int64_t first = clock->First() - west;
  const std::int64_t last = clock->Last() - west;
  const bool holds = HoldsAt(*info, first);
  // Between these it answers the same.
  std::array<std::int64_t, 8> changes = {info->date_start, std::int64_t{info->date_stop} + 1};
  std::size_t count = 2;
  for (const std::int64_t midnight : {first / kDay * kDay, last / kDay * kDay}) {
    changes[count++] = midnight;
    changes[count++] = midnight + info->daytime_start;
    changes[count++] = midnight + info->daytime_stop + 1;
  }
  const bool lasts = std::all_of(changes.begin(), changes.end(), [&](std::int64_t change) {
    return change <= first || change > last || HoldsAt(*info, change) == holds;
  });
  return {Condition::Of(lasts ? TristateOf(holds) : Tristate::kUnknown, kAboutToChange)};
}

std::string DateOption(const char* option, std::uint32_t seconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss daytime(time - day);
  std::array<char, 64> text = {};
  std::snprintf(text.data(), text.size(), " %s %04d-%02u-%02uT%02d:%02d:%02d", option, static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(daytime.hours().count()), static_cast<int>(daytime.minutes().count()),
                static_cast<int>(daytime.seconds().count()));
  return text.data();
}

std::string DaytimeOption(const char* option, std::uint32_t seconds) {
  std::array<char, 64> text = {};
  std::snprintf(text.data(), text.size(), " %s %02u:%02u:%02u", option, seconds / 3600, seconds / 60 % 60,
                seconds % 60);
  return text.data();
}

OptionText Text(const xt_time_info& info) {
  std::string text;
  if (info.daytime_start != XT_TIME_MIN_DAYTIME || info.daytime_stop != XT_TIME_MAX_DAYTIME) {
    text += DaytimeOption("--timestart", info.daytime_start) + DaytimeOption("--timestop", info.daytime_stop);
  }
  const auto add_days = [&](const char* option, std::uint32_t days, unsigned last, auto name) {
    std::string list;
    for (unsigned day = 1; day <= last; ++day) {
      if (HasDay(days, day)) {
        list += (list.empty() ? "" : ",") + name(day);
      }
    }
    text += option + list;
  };
  if (info.monthdays_match != XT_TIME_ALL_MONTHDAYS) {
    add_days(" --monthdays ", info.monthdays_match, 31, [](unsigned day) { return std::to_string(day); });
  }
  if (info.weekdays_match != XT_TIME_ALL_WEEKDAYS) {
    static constexpr const char* kWeekdays[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    add_days(" --weekdays ", info.weekdays_match, 7, [](unsigned day) { return std::string(kWeekdays[day - 1]); });
  }
  text += info.date_start != 0 ? DateOption("--datestart", info.date_start) : "";
  text += info.date_stop != 0 ? DateOption("--datestop", info.date_stop) : "";
  text += (info.flags & XT_TIME_LOCAL_TZ) != 0 ? " --kerneltz" : "";
  text += (info.flags & XT_TIME_CONTIGUOUS) != 0 ? " --contiguous" : "";
  return text;
}

constexpr Match kMatches[] = {{.name = "time",
                               .revisions = {0, 0},
                               .traits = {},
                               .conditions = Meaning,
                               .text = kMatchTextOf<xt_time_info, Text>}};

}  // namespace
}  // namespace time

Family families::Time() { return {.matches = time::kMatches}; }

}  // namespace finwait::firewall::xt
