#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include <stratumproxy/log.hpp>
#include <stratumproxy/metrics.hpp>

#include "store/store.hpp"

namespace stratumproxyd {

/// What the tables need from time to time: when accounts were last seen, older history made shorter, and accounts removed that were
/// not seen for long. Nothing of it is lost while the database is away; it is made up for later.
///
/// Thread: one at a time.
class upkeep {
 public:
  struct options {
    std::chrono::hours keep_history{31 * 24};
    std::chrono::hours delete_after{0};      ///< accounts; 0: never
    std::chrono::seconds delete_every{3'600};  ///< the first time so long after the first call: miners come back after a start
  };
  using snapshot_source = std::function<stratumproxy::metrics::snapshot(stratumproxy::metrics::scope)>;

  /// Everything is borrowed. `on_removed` is told the names of accounts that are no more.
  upkeep(store& database, options wanted, snapshot_source source, std::function<void(const std::string&)> on_removed,
         stratumproxy::log_sink& log);

  /// From the next call of tend() on. From any thread.
  void set(const options& wanted);

  /// Does what is due. Call it often.
  void tend(moment now);
  /// Before the end, after which nobody will know who was seen.
  void finish(moment now);

 private:
  using names = std::set<std::string, std::less<>>;
  /// Something that is done every so often, by a clock that may be set.
  class every {
   public:
    bool is_due(moment now, std::chrono::seconds interval) {
      if (last_ && now >= *last_ && now - *last_ < interval) return false;
      last_ = now;
      return true;
    }
    /// As if it had just been done, at the first call.
    void begin(moment now) {
      if (!last_) last_ = now;
    }

   private:
    std::optional<moment> last_;
  };

  void note_seen(moment now);
  void remove_unseen(moment now, std::chrono::hours after);
  void attempt(bool& failing, const char* event, const std::function<void()>& what);

  store& database_;
  const snapshot_source source_;
  const std::function<void(const std::string&)> on_removed_;
  stratumproxy::log_sink& log_;
  every seen_, tended_, removed_;
  std::map<std::string, double> worked_;  // account -> worker seconds and shares at the last look
  names unwritten_;                       // seen, but not in the database yet
  std::mutex mutex_;  // guards options_
  options options_;
  bool seen_failing_ = false, history_failing_ = false, removal_failing_ = false;
};

}  // namespace stratumproxyd
