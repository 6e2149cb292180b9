#include "exporter/incidents/record.h"

namespace finwait::incidents {

std::string_view Name(Kind kind) { return kind == Kind::kStuck ? "stuck" : "reset"; }

std::string_view Name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOngoing:
      return "ongoing";
    case Outcome::kGaveUp:
      return "gave_up";
    case Outcome::kEnded:
      return "ended";
    case Outcome::kUnobserved:
      return "unobserved";
    case Outcome::kCounted:
      return "counted";
  }
  return "";
}

}  // namespace finwait::incidents
