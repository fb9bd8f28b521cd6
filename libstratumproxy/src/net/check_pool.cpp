#include "net/check_pool.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "net/system.hpp"

namespace stratumproxy::net {

struct check_pool::state {
  struct entry {
    session::proof_request what;
    callback done;
    std::optional<result<algorithm::proof>> outcome;
  };

  void run();
  void start_thread();

  std::size_t max_threads = 1;
  std::mutex mutex;  // of what follows
  std::size_t max_queued = 0;
  std::condition_variable work;
  std::deque<entry> entries;  // in the order of asking: some have an outcome, some are in hand, from `next` on they wait
  std::size_t next = 0;
  std::size_t idle = 0;
  std::vector<std::thread> threads;
  bool stopping = false;
};

void check_pool::state::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    ++idle;
    work.wait(lock, [this] { return stopping || next < entries.size(); });
    --idle;
    if (stopping) return;
    entry& mine = entries[next++];  // stays where it is: a deque grows and shrinks at its ends only
    lock.unlock();
    auto outcome = algorithm::check(*mine.what.how, *mine.what.work, mine.what.share);
    lock.lock();
    mine.outcome = std::move(outcome);
    for (; !entries.empty() && entries.front().outcome; --next) {
      if (!stopping) entries.front().done(*entries.front().outcome);
      entries.pop_front();
    }
  }
}

void check_pool::state::start_thread() try {
  const signals_blocked quiet;  // the daemon's signals are for its own threads
  threads.emplace_back([this, name = "spx-check-" + std::to_string(threads.size())] {
    name_this_thread(name);
    run();
  });
} catch (const std::system_error&) {
  // Those that run are enough, if slower.
}

check_pool::check_pool(unsigned threads, std::size_t max_queued) : state_(std::make_unique<state>()) {
  state_->max_threads = std::max(1u, threads != 0 ? threads : std::thread::hardware_concurrency());
  state_->max_queued = max_queued;
}

check_pool::~check_pool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->entries.resize(state_->next);
  }
  state_->work.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

void check_pool::set_max_queued(std::size_t most) {
  const std::lock_guard lock(state_->mutex);
  state_->max_queued = most;
}

bool check_pool::check(session::proof_request what, callback done) {
  auto& me = *state_;
  {
    const std::lock_guard lock(me.mutex);
    // Those that are done but wait for an earlier one count, too: nothing here grows without end behind a hash that hangs.
    if (me.entries.size() >= me.max_queued + me.max_threads) return false;
    if (me.idle <= me.entries.size() - me.next && me.threads.size() < me.max_threads) me.start_thread();
    if (me.threads.empty()) return false;
    me.entries.push_back({std::move(what), std::move(done), std::nullopt});
  }
  me.work.notify_one();
  return true;
}

}  // namespace stratumproxy::net
