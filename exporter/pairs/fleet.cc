#include "exporter/pairs/fleet.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "collectors/base/text.h"
#include "exporter/pairs/digest.h"
#include "exporter/pairs/lost_document.h"
#include "exporter/pairs/request.h"

namespace finwait::pairs {
namespace {

constexpr const char* kPath = "/api/v1/pairs";
constexpr const char* kLivePath = "/api/v1/pairs?of=live";
constexpr std::size_t kMostLostBytes = 64 << 20;
constexpr std::size_t kMostLiveBytes = 512 << 20;

// Runs `work` with every number below `count`, on several threads.
void ForEach(std::size_t count, std::size_t at_once, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < std::min(count, at_once); ++i) {
    threads.emplace_back([&] {
      for (std::size_t number = next++; number < count; number = next++) {
        work(number);
      }
    });
  }
}

Result<std::string> AddressOf(const std::string& name) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return Fail(FailureReason::kError, std::string("its name cannot be looked up: ") + ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  std::array<char, NI_MAXHOST> text = {};
  if (::getnameinfo(found->ai_addr, found->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return Fail(FailureReason::kError, "its address cannot be read");
  }
  return std::string(text.data());
}

// One host between the two questions.
struct Asked {
  std::optional<std::uint32_t> number;  // in the join; nothing: it did not answer the first
  std::optional<std::string> problem;
};

Result<void> AskForLost(const Requests& requests, const Target& target, Digest key, Join& join, Asked& asked) {
  std::string body;
  const auto answer = requests.Get(target, kPath, kMostLostBytes, [&](std::string_view piece) {
    body += piece;
    return true;
  });
  if (!answer) {
    return Failure(answer.error());
  }
  auto document = ParseLostJson(body);
  if (!document) {
    return Failure(document.error());
  }
  if (document->key != key) {
    return Fail(FailureReason::kError, "it has another key");
  }
  // What its answer says was so when it was made, which may be a while ago.
  for (LostHalf& half : document->halves) {
    half.lost_seconds += answer->age_seconds;
    half.settled_seconds += answer->age_seconds;
  }
  asked.number = join.AddLost(target.Name(), std::move(*document), SteadyClock::now());
  return {};
}

Result<void> AskForLive(const Requests& requests, const Target& target, Join& join, std::uint32_t number) {
  Join::Pass pass(join, number, SteadyClock::now());
  float age = 0;
  LiveReader reader([&](const LiveHalf& half) {
    LiveHalf older = half;
    older.sample_seconds += age;
    pass.Take(older);
  });
  const auto answer = requests.Get(
      target, kLivePath, kMostLiveBytes, [&](std::string_view piece) { return reader.Read(piece); },
      [&](float seconds) { age = seconds; });
  if (!answer) {
    return Failure(answer.error());
  }
  if (auto whole = reader.End(); !whole) {
    return whole;
  }
  auto own_sample = reader.OwnSampleSeconds();
  if (own_sample) {
    *own_sample += age;
  }
  pass.Finish(reader.Header(), own_sample);
  return {};
}

}  // namespace

Addresses Resolve(std::span<const Target> targets) {
  constexpr std::size_t kAtOnce = 32;
  std::set<std::string> distinct;
  for (const Target& target : targets) {
    distinct.insert(target.host);
  }
  const std::vector<std::string> names(distinct.begin(), distinct.end());
  std::vector<Result<std::string>> found(names.size());
  ForEach(names.size(), kAtOnce, [&](std::size_t i) { found[i] = AddressOf(names[i]); });
  Addresses addresses;
  for (std::size_t i = 0; i < names.size(); ++i) {
    addresses.emplace(names[i], std::move(found[i]));
  }
  return addresses;
}

FleetAnswers AskFleet(std::span<const Target> targets, const Addresses& addresses, const Key& key,
                      const FleetSettings& settings) {
  const Requests requests(addresses, settings.ca_file, settings.patience, settings.longest);
  const Digest key_digest = Digester(key).OfKey();
  Join join;
  std::vector<Asked> asked(targets.size());
  ForEach(targets.size(), settings.at_once, [&](std::size_t i) {
    if (const auto done = AskForLost(requests, targets[i], key_digest, join, asked[i]); !done) {
      asked[i].problem = done.error().message;
    }
  });
  join.Prepare();
  ForEach(targets.size(), settings.at_once, [&](std::size_t i) {
    if (!asked[i].number) {
      return;
    }
    if (const auto done = AskForLive(requests, targets[i], join, *asked[i].number); !done) {
      asked[i].problem = done.error().message;
    }
  });
  FleetAnswers answers;
  answers.hosts = targets.size();
  answers.pairs = join.Find(SteadyClock::now());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (asked[i].problem) {
      answers.silent.push_back({targets[i].Name(), *asked[i].problem});
    }
  }
  return answers;
}

}  // namespace finwait::pairs
