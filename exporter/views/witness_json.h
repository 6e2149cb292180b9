#pragma once

#include <nlohmann/json.hpp>

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/views/json.h"

namespace finwait::views {

/// "witness" of the report: resets and peers' FINs that the kernel dropped, and where it and the rules disagree. Null
/// where the witness is unavailable or off.
nlohmann::ordered_json WitnessJson(const diagnosis::Diagnosis& diagnosis, Details details);

/// Adds what a stuck socket's cause rests on: "proven_by", "kernel_reason" and "kernel_code".
void AddProof(const diagnosis::StuckSocket& stuck, nlohmann::ordered_json& socket);

}  // namespace finwait::views
