#include "exporter/scheduling/sampler.h"

#include <pthread.h>

#include <algorithm>
#include <exception>
#include <new>
#include <string>

namespace finwait::scheduling {
namespace {

// The result of a collection, before it is merged into the collector's status.
void Apply(Result<sources::Collected> result, SteadyClock::time_point started, SteadyClock::time_point ended,
           CollectorStatus& status) {
  status.collected = true;
  status.duration = ended - started;
  status.errors.clear();
  if (result) {
    status.data = std::move(result->data);
    status.has_worked = true;
    status.taken_at = ended;
    status.errors = std::move(result->gaps);
  } else {
    status.data = nullptr;
    status.errors.push_back(std::move(result.error()));
  }
  if (status.errors.empty()) {
    status.last_success = WallClock::now();
  } else {
    ++status.failures[static_cast<std::size_t>(status.errors.front().reason)];
  }
}

// A collection that runs out of memory, or into a mistake of ours, costs its collector this collection and the others
// nothing.
Result<sources::Collected> TryCollect(const sources::CollectorInfo& info, sources::Collector& collector,
                                      Deadline deadline) {
  try {
    return collector.Collect(deadline);
  } catch (const std::bad_alloc&) {
    return Fail(FailureReason::kError, "the " + std::string(info.name) +
                                           " collector needs more memory than this process may have; raise its limit");
  } catch (const std::exception& exception) {
    return Fail(FailureReason::kError, "the " + std::string(info.name) +
                                           " collector gave up, a mistake of this program's: " + exception.what());
  }
}

Error Overrun(const sources::CollectorInfo& info, SteadyClock::duration limit) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit).count();
  return Error{FailureReason::kTimeout, 0,
               "the " + std::string(info.name) + " collector has not finished within " + std::to_string(seconds) +
                   " s; it goes on trying"};
}

}  // namespace

struct Sampler::Worker {
  std::unique_ptr<sources::Collector> collector;
  Pacer pacer;
  std::optional<SteadyClock::time_point> running_since;
  bool overrun = false;  // the running collection has been published as a failure already
  bool ended = false;
};

struct Sampler::Shared {
  std::mutex mutex;
  std::condition_variable_any changed;
  Snapshot current;
  std::vector<Worker> workers;
  sources::CollectorSettings settings;
  Publish publish;

  // With the mutex held, so that snapshots are published in the order in which they came to be. One for which there is
  // no memory is left out: the next tells everything, too.
  void PublishCurrent() const {
    if (!publish) {
      return;
    }
    try {
      publish(std::make_shared<const Snapshot>(current));
    } catch (const std::bad_alloc&) {
    }
  }
};

SteadyClock::duration Sampler::CollectTimeout(SteadyClock::duration interval) {
  return std::clamp<SteadyClock::duration>(interval, std::chrono::seconds(5), std::chrono::seconds(30));
}

Sampler::Sampler(kernel::NamespaceId network_namespace, std::vector<EnabledCollector> collectors,
                 const sources::CollectorSettings& settings, Publish publish)
    : shared_(std::make_shared<Shared>()) {
  shared_->settings = settings;
  shared_->publish = std::move(publish);
  shared_->current.network_namespace = network_namespace;
  for (EnabledCollector& enabled : collectors) {
    CollectorStatus status;
    status.info = enabled.info;
    status.interval = settings.interval;
    shared_->current.collectors.push_back(std::move(status));
    const bool has_share = enabled.info->budget_share > 0;
    Pacer pacer(settings.interval, settings.cpu_budget, has_share ? enabled.info->budget_share : sources::kOtherShare);
    if (!has_share) {
      pacer.Expect(
          std::chrono::nanoseconds(0));  // it is cheap on any host: an expensive first collection is an exception
    }
    shared_->workers.push_back({std::move(enabled.collector), std::move(pacer), {}, false, false});
  }
  shared_->PublishCurrent();
}

Sampler::~Sampler() { Stop(Deadline::After(std::chrono::seconds(2))); }

void Sampler::Start() {
  for (std::size_t i = 0; i < shared_->workers.size(); ++i) {
    threads_.emplace_back([shared = shared_, i](const std::stop_token& stop) { RunCollector(stop, shared, i); });
  }
  threads_.emplace_back([shared = shared_](const std::stop_token& stop) { WatchDeadlines(stop, shared); });
}

bool Sampler::Stop(Deadline deadline) {
  for (std::jthread& thread : threads_) {
    thread.request_stop();
  }
  std::unique_lock lock(shared_->mutex);
  const bool all = shared_->changed.wait_for(lock, deadline.Remaining(), [this] {
    return std::all_of(shared_->workers.begin(), shared_->workers.end(),
                       [this](const Worker& worker) { return worker.ended || threads_.empty(); });
  });
  shared_->publish = nullptr;  // the subscriber may be gone when a collection that was left behind ends
  lock.unlock();
  for (std::jthread& thread : threads_) {
    if (all) {
      thread.join();
    } else {
      thread.detach();
    }
  }
  threads_.clear();
  return all;
}

void Sampler::RunCollector(const std::stop_token& stop, const std::shared_ptr<Shared>& shared, std::size_t index) {
  std::unique_lock lock(shared->mutex);
  Worker& worker = shared->workers[index];
  CollectorStatus& status = shared->current.collectors[index];
  // `ps -L` and a core dump then tell whose thread it is; the kernel takes 15 characters.
  pthread_setname_np(pthread_self(), std::string(status.info->name.substr(0, 15)).c_str());
  auto next = SteadyClock::now();
  while (!stop.stop_requested()) {
    const auto started = SteadyClock::now();
    worker.running_since = started;
    worker.overrun = false;
    const Deadline deadline(started + CollectTimeout(shared->settings.interval));
    shared->changed.notify_all();
    lock.unlock();
    const CpuStopwatch stopwatch;
    auto result = TryCollect(*status.info, *worker.collector, deadline);
    const auto cpu = stopwatch.Elapsed();
    const auto elsewhere = result ? result->spent_elsewhere - result->charged_elsewhere : std::chrono::nanoseconds(0);
    lock.lock();
    const auto ended = SteadyClock::now();
    worker.running_since.reset();
    Apply(std::move(result), started, ended, status);
    worker.pacer.Ran(ended, cpu + elsewhere);
    status.interval = worker.pacer.Interval();
    shared->PublishCurrent();
    // From one start to the next, so that samples do not drift; collections that were missed are not made up for.
    next = std::max(next + status.interval, ended);
    shared->changed.wait_until(lock, stop, next, [] { return false; });
  }
  worker.ended = true;
  shared->changed.notify_all();
}

void Sampler::WatchDeadlines(const std::stop_token& stop, const std::shared_ptr<Shared>& shared) {
  const auto limit = CollectTimeout(shared->settings.interval);
  // A collection that keeps its deadline reports its own timeout; this one is for collections that cannot.
  const auto grace = std::chrono::seconds(1);
  std::unique_lock lock(shared->mutex);
  while (!stop.stop_requested()) {
    auto next = SteadyClock::now() + limit;
    const auto now = SteadyClock::now();
    bool overrun = false;
    for (std::size_t i = 0; i < shared->workers.size(); ++i) {
      Worker& worker = shared->workers[i];
      if (!worker.running_since || worker.overrun) {
        continue;
      }
      const auto due = *worker.running_since + limit + grace;
      if (due > now) {
        next = std::min(next, due);
        continue;
      }
      worker.overrun = true;
      overrun = true;
      CollectorStatus& status = shared->current.collectors[i];
      Apply(Failure(Overrun(*status.info, limit)), *worker.running_since, now, status);
    }
    if (overrun) {
      shared->PublishCurrent();
    }
    shared->changed.wait_until(lock, stop, next, [] { return false; });
  }
}

std::shared_ptr<const Snapshot> CollectOnce(kernel::NamespaceId network_namespace,
                                            std::vector<EnabledCollector> collectors, SteadyClock::duration limit) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->network_namespace = network_namespace;
  for (EnabledCollector& enabled : collectors) {
    CollectorStatus status;
    status.info = enabled.info;
    const auto started = SteadyClock::now();
    auto result = TryCollect(*enabled.info, *enabled.collector, Deadline(started + limit));
    Apply(std::move(result), started, SteadyClock::now(), status);
    snapshot->collectors.push_back(std::move(status));
  }
  return snapshot;
}

}  // namespace finwait::scheduling
