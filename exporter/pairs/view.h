#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "exporter/http/message.h"
#include "exporter/incidents/record.h"
#include "exporter/pairs/digest.h"
#include "exporter/pairs/passage_memory.h"
#include "exporter/pairs/translation_memory.h"
#include "exporter/report/latest.h"

namespace finwait::pairs {

/// Answers /api/v1/pairs: the lost halves and what passes this host's NAT, and with ?of=live the live ones. Made once
/// for each report and served to all who ask for that one, with its age in the field Age. Thread-safe.
class PairsView {
 public:
  using Records = std::function<std::vector<incidents::Record>()>;

  /// `latest` must outlive this. `owner_names`: --owners.names.
  PairsView(const Key& key, bool owner_names, Records records, const report::LatestReport& latest)
      : owner_names_(owner_names), records_(std::move(records)), latest_(latest), passages_(key), digester_(key) {}

  /// Takes in each diagnosis before it is published: what one shows, a later one may not any more.
  void Take(const diagnosis::Diagnosis& diagnosis) {
    memory_.Take(diagnosis);
    passages_.Take(diagnosis);
  }
  http::HttpResponse Answer(const httplib::Request& request);

 private:
  struct Made {
    std::weak_ptr<const report::Report> of;
    SteadyClock::time_point at;
    std::shared_ptr<const std::string> body;
    std::shared_ptr<const std::string> compressed;
  };
  http::HttpResponse Lost(const httplib::Request& request, const std::shared_ptr<const report::Report>& report);
  http::HttpResponse Live(const httplib::Request& request, const std::shared_ptr<const report::Report>& report);
  static http::HttpResponse Shown(const httplib::Request& request, std::string_view content_type, Made& made);

  const bool owner_names_;
  const Records records_;
  const report::LatestReport& latest_;
  TranslationMemory memory_;
  PassageMemory passages_;
  std::mutex mutex_;  // held while making: who comes meanwhile wants the same
  Digester digester_;
  Made lost_;
  Made live_;
};

}  // namespace finwait::pairs
