#pragma once

#include <linux/netlink.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "collectors/kernel/netlink/event_source.h"
#include "tests/unit/collectors/kernel/netlink/fake_transport.h"

namespace finwait::kernel::netlink {

/// The kernel's side of a subscription: what it multicasts. Safe to use while another thread listens.
class FakeEvents : public std::enable_shared_from_this<FakeEvents> {
 public:
  static std::shared_ptr<FakeEvents> Make() { return std::make_shared<FakeEvents>(); }

  /// One datagram with these messages.
  void Tells(const std::vector<FakeMessage>& messages, std::uint32_t sender_port = 0) {
    ByteVector datagram;
    for (const FakeMessage& message : messages) {
      nlmsghdr header = {};
      header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + message.payload.size());
      header.nlmsg_type = message.type;
      datagram = Join(Join(std::move(datagram), BytesOf(header)), message.payload);
      datagram.resize(NLMSG_ALIGN(datagram.size()));
    }
    Put({std::move(datagram), {}, sender_port});
  }
  void TellsRaw(ByteVector bytes) { Put({std::move(bytes), {}, 0}); }
  /// Next fails with this errno; ENOBUFS is an overrun.
  void Fails(int errno_code) { Put({{}, ErrnoError("receive from netlink", errno_code), 0}); }

  /// Next finds no memory.
  void RunsOutOfMemory() { Put({{}, {}, 0, true}); }

  /// Whether the listener has taken all that was told and waits for more.
  bool AllTaken() {
    const std::lock_guard lock(mutex_);
    return queue_.empty() && waiting_;
  }
  /// Whether all that was told has been taken.
  bool Empty() {
    const std::lock_guard lock(mutex_);
    return queue_.empty();
  }
  /// How many listen now.
  int Listeners() {
    const std::lock_guard lock(mutex_);
    return listeners_;
  }
  /// What was subscribed to, each time that it was.
  std::vector<Subscription> Subscriptions() {
    const std::lock_guard lock(mutex_);
    return subscriptions_;
  }

  /// As Host::open_events.
  Result<std::unique_ptr<EventSource>> Open(const Subscription& subscription);

 private:
  friend class FakeEventSource;
  struct Item {
    ByteVector bytes;
    std::optional<Error> error;
    std::uint32_t sender_port = 0;
    bool out_of_memory = false;
  };
  void Put(Item item) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(item));
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Item> queue_;
  bool waiting_ = false;
  int listeners_ = 0;
  std::vector<Subscription> subscriptions_;
};

/// The listener's end of FakeEvents.
class FakeEventSource : public EventSource {
 public:
  /// The caller holds the lock.
  explicit FakeEventSource(std::shared_ptr<FakeEvents> events) : events_(std::move(events)) { ++events_->listeners_; }
  FakeEventSource(const FakeEventSource&) = delete;
  FakeEventSource& operator=(const FakeEventSource&) = delete;
  ~FakeEventSource() override {
    const std::lock_guard lock(events_->mutex_);
    --events_->listeners_;
  }

  Result<bool> Wait(const std::stop_token& stop, SteadyClock::time_point until) override {
    std::unique_lock lock(events_->mutex_);
    events_->waiting_ = true;
    const bool ready = events_->changed_.wait_until(lock, stop, until, [this] { return !events_->queue_.empty(); });
    events_->waiting_ = false;
    return ready && !stop.stop_requested();
  }

  Result<std::optional<Datagram>> Next() override {
    const std::lock_guard lock(events_->mutex_);
    if (events_->queue_.empty()) {
      return std::nullopt;
    }
    FakeEvents::Item item = std::move(events_->queue_.front());
    events_->queue_.pop_front();
    if (item.out_of_memory) {
      throw std::bad_alloc();
    }
    if (item.error) {
      return Failure(*item.error);
    }
    // A block of exactly this size, new for each datagram: a memory checker sees a byte read past the end.
    received_ = std::make_unique<ByteVector>(std::move(item.bytes));
    received_->shrink_to_fit();
    return Datagram{Bytes(*received_), item.sender_port, false};
  }

 private:
  std::shared_ptr<FakeEvents> events_;
  std::unique_ptr<ByteVector> received_;
};

inline Result<std::unique_ptr<EventSource>> FakeEvents::Open(const Subscription& subscription) {
  const std::lock_guard lock(mutex_);
  subscriptions_.push_back(subscription);
  return std::unique_ptr<EventSource>(std::make_unique<FakeEventSource>(shared_from_this()));
}

}  // namespace finwait::kernel::netlink
