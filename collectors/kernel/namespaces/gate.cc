#include "collectors/kernel/namespaces/gate.h"

#include "collectors/base/text.h"
#include "collectors/kernel/namespaces/counter_lines.h"

namespace finwait::kernel::namespaces {
bool ReadSnmp(std::string_view content, GateNumbers& numbers) {
  struct Field {
    std::string_view name;
    std::uint64_t GateNumbers::*field;
  };
  constexpr Field kFields[] = {{"ActiveOpens", &GateNumbers::active_opens},
                               {"PassiveOpens", &GateNumbers::passive_opens},
                               {"CurrEstab", &GateNumbers::established},
                               {"InSegs", &GateNumbers::received},
                               {"OutSegs", &GateNumbers::sent},
                               {"RetransSegs", &GateNumbers::sent_again}};
  std::size_t found = 0;
  VisitCounters(content, "Tcp:", [&](std::string_view name, std::string_view value) {
    for (const Field& field : kFields) {
      if (const auto number = field.name == name ? ParseNumber<std::uint64_t>(value) : std::nullopt) {
        numbers.*field.field = *number;
        ++found;
      }
    }
  });
  return found == std::size(kFields);
}

std::optional<std::uint64_t> ReadInUse(std::string_view sockstat, std::string_view protocol) {
  std::size_t end = 0;
  Words words(LineOf(sockstat, std::string(protocol) + ":", 0, end));
  return words.Next() == "inuse" ? ParseNumber<std::uint64_t>(words.Next()) : std::nullopt;
}

Urgency UrgencyOf(const LastReading* last, const GateNumbers& before, const GateNumbers& now) {
  if (last == nullptr) {
    return Urgency::kSuspect;
  }
  if (last->closing) {
    return Urgency::kClosing;
  }
  const bool sent = now.sent != before.sent || now.sent_again != before.sent_again;
  if (now.sent_again != before.sent_again || (sent && now.received == before.received)) {
    return Urgency::kSilence;
  }
  const GateNumbers& then = last->numbers;
  if (now.established != then.established || now.InUse() != then.InUse() ||
      (last->close_wait && now.sent != then.sent)) {
    return Urgency::kSuspect;
  }
  const bool opened = now.active_opens != then.active_opens || now.passive_opens != then.passive_opens;
  return opened ? Urgency::kRefresh : Urgency::kNone;
}

}  // namespace finwait::kernel::namespaces
