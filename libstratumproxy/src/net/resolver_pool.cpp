#include "net/resolver_pool.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "net/system.hpp"

namespace stratumproxy::net {

// Shared with the threads, so that one which hangs in getaddrinfo can outlive the pool.
struct resolver_pool::state {
  struct entry {
    addresses last;
    time_point fresh_until{};
    std::vector<callback> waiting;  ///< not empty while the host is queued or being looked up
  };
  struct worker {
    std::thread thread;
    bool ended = false;
  };

  lookup_function lookup;
  clock_function clock;
  mutable std::mutex mutex;
  std::condition_variable work;
  std::condition_variable ended;
  std::deque<std::string> queue;
  std::unordered_map<std::string, entry> hosts;
  std::vector<worker> workers;
  bool stopping = false;

  void run(std::size_t index);
  void make_room();
};

void resolver_pool::state::run(std::size_t index) {
  std::unique_lock lock(mutex);
  for (;;) {
    work.wait(lock, [this] { return stopping || !queue.empty(); });
    if (stopping) break;
    const std::string host = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    addresses found = lookup(host);
    lock.lock();
    entry& known = hosts[host];
    if (!found.empty()) {
      known.last = std::move(found);
      known.fresh_until = clock() + fresh_for;
    }
    const addresses answer = known.last;
    const std::vector<callback> waiting = std::exchange(known.waiting, {});
    if (stopping) break;
    lock.unlock();
    for (const callback& done : waiting) done(answer);
    lock.lock();
  }
  workers[index].ended = true;
  ended.notify_all();
}

void resolver_pool::state::make_room() {
  if (hosts.size() < max_hosts) return;
  const time_point now = clock();
  for (const bool fresh_too : {false, true}) {
    for (auto host = hosts.begin(); host != hosts.end() && hosts.size() >= max_hosts;) {
      const bool removable = host->second.waiting.empty() && (fresh_too || host->second.fresh_until <= now);
      host = removable ? hosts.erase(host) : std::next(host);
    }
  }
}

resolver_pool::resolver_pool(unsigned threads, lookup_function lookup, clock_function clock)
    : state_(std::make_shared<state>()) {
  state_->lookup = std::move(lookup);
  state_->clock = std::move(clock);
  const signals_blocked quiet;  // the daemon's signals are for its own threads
  const std::lock_guard lock(state_->mutex);
  state_->workers.resize(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    state_->workers[i].thread = std::thread([shared = state_, i] {
      name_this_thread("spx-resolve-" + std::to_string(i));
      shared->run(i);
    });
  }
}

resolver_pool::~resolver_pool() {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->work.notify_all();
  const auto all_ended = [this] {
    for (const auto& worker : state_->workers) {
      if (!worker.ended) return false;
    }
    return true;
  };
  state_->ended.wait_for(lock, std::chrono::milliseconds(200), all_ended);
  for (auto& worker : state_->workers) {
    if (!worker.ended) worker.thread.detach();
  }
  lock.unlock();
  for (auto& worker : state_->workers) {
    if (worker.thread.joinable()) worker.thread.join();
  }
}

std::optional<resolver_pool::addresses> resolver_pool::resolve(const std::string& host, callback done) {
  std::unique_lock lock(state_->mutex);
  auto known = state_->hosts.find(host);
  if (known != state_->hosts.end()) {
    if (!known->second.last.empty() && state_->clock() < known->second.fresh_until) return known->second.last;
    if (!known->second.waiting.empty()) {
      known->second.waiting.push_back(std::move(done));
      return std::nullopt;
    }
  }
  if (state_->queue.size() >= max_queued) {
    const addresses last = known != state_->hosts.end() ? known->second.last : addresses{};
    lock.unlock();
    done(last);
    return std::nullopt;
  }
  if (known == state_->hosts.end()) {
    state_->make_room();
    known = state_->hosts.try_emplace(host).first;
  }
  known->second.waiting.push_back(std::move(done));
  state_->queue.push_back(host);
  lock.unlock();
  state_->work.notify_one();
  return std::nullopt;
}

resolver_pool::addresses resolver_pool::last_good(const std::string& host) const {
  const std::lock_guard lock(state_->mutex);
  const auto known = state_->hosts.find(host);
  return known != state_->hosts.end() ? known->second.last : addresses{};
}

}  // namespace stratumproxy::net
