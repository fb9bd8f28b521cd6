#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include <stratumproxy/log.hpp>
#include <stratumproxy/metrics.hpp>

#include "store/store.hpp"

namespace stratumproxyd {

/// Brings the proxy's share totals into the database, and knows what is committed there. What the database holds never
/// counts a share twice: after a failure its outcome is not guessed but read back. While another proxy has the tag, nothing is
/// written and everything is kept.
///
/// Thread: flush() from one thread at a time, which start() makes; committed() and has_tag() from any.
class totals_flusher {
 public:
  using totals_source = std::function<std::vector<stratumproxy::metrics::total_row>()>;
  using clock = std::function<moment()>;

  /// Reads what earlier runs left under `tag`, which the store holds; throws store_unavailable. `source` gives the totals since the proxy was
  /// made; everything is borrowed. What is written at a time is that
  /// period's in the history.
  totals_flusher(store& database, std::string tag, totals_source source, stratumproxy::log_sink& log, clock now = system_now);
  ~totals_flusher();

  /// Flushes every `interval` on a thread of its own, until stop(), after which it may be started again; `then` is called there after each
  /// time.
  void start(std::chrono::milliseconds interval, std::function<void()> then = {});
  void stop();
  /// Another one from now on, for the time that is waited at the moment, too. From any thread.
  void set_interval(std::chrono::milliseconds interval);

  /// Adds what the database does not have yet, in one transaction. False when that is not known to have worked: the
  /// difference is kept for the next time.
  bool flush();

  /// After stop(): writes everything and lets go of the tag, until the next flush. False when it could not be written; then the tag is kept.
  bool release();
  /// After release(): from now on what comes up is not written but given to `successor`, who counts it from then on; false says that it is
  /// gone. Then everything else is written, once the tag can be had.
  void give_to(std::function<bool(const total_record&)> successor);

  [[nodiscard]] std::vector<total_record> committed() const;
  /// False while the last attempt found the tag in another proxy's hands.
  [[nodiscard]] bool has_tag() const noexcept { return state_ != state::taken; }

 private:
  using key = std::tuple<std::string, std::string, std::string>;  // account, pool, algorithm
  using table = std::map<key, stratumproxy::metrics::share_counts>;
  static table by_key(const std::vector<total_record>& rows);
  static moment system_now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }
  void run(const std::function<void()>& then);
  enum class state : std::uint8_t { flushing, failing, taken };
  [[nodiscard]] std::vector<total_record> unflushed() const;
  bool give_away();
  void settle();
  /// Told once, not at every attempt.
  void enter(state now, stratumproxy::log_level level, std::string_view event, std::string_view detail);

  store& database_;
  const std::string tag_;
  const totals_source source_;
  stratumproxy::log_sink& log_;
  const clock now_;
  table flushed_;          // what the database, or the successor, has of the source's shares
  std::function<bool(const total_record&)> successor_;
  table under_way_;        // added to it by the last transaction, if that was committed
  bool doubtful_ = false;  // committed_ may not be what the database holds
  std::atomic<state> state_{state::flushing};

  mutable std::mutex mutex_;  // guards what follows; only flush() changes committed_
  table committed_;
  std::chrono::milliseconds interval_{0};
  bool stopping_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace stratumproxyd
