#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "stratumproxy/algorithm/share_check.hpp"
#include "stratumproxy/result.hpp"
#include "stratumproxy/session/session_manager.hpp"

namespace stratumproxy::net {

/// Computes proofs of work on a few threads of its own, because a hash of a third of a millisecond must not stop a shard.
/// Threads start when there is work for them, up to the limit: a proxy that only knows fast hashes starts none, and
/// scratch memory, which each keeps for itself, is taken as often as it is needed.
///
/// Thread: every method from any thread. Destruction waits for the checks in hand; the others are dropped.
class check_pool {
 public:
  /// Called on a thread of the pool, one at a time; must not block and not call the pool.
  using callback = std::function<void(const result<algorithm::proof>&)>;

  /// 0 threads: one for each core.
  check_pool(unsigned threads, std::size_t max_queued);
  ~check_pool();
  check_pool(const check_pool&) = delete;
  check_pool& operator=(const check_pool&) = delete;

  /// For checks that are asked for from now on.
  void set_max_queued(std::size_t most);

  /// `done` is called once with the outcome, and outcomes come in the order of the checks, whichever thread is first. False,
  /// and nothing is called, when `max_queued` checks wait already or there is no thread to be had.
  [[nodiscard]] bool check(session::proof_request what, callback done);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace stratumproxy::net
