#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include <stratumproxy/log.hpp>

#include "admin/tokens.hpp"
#include "store/access_tables.hpp"

namespace stratumproxyd {

/// Keeps the known tokens as the database has them, writes there when they were used, and removes what is old in the audit log,
/// on a thread of its own. What could not be done because the database was away is done later.
class access_upkeep {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// All are borrowed. Reads the tokens before it returns; throws store_unavailable.
  access_upkeep(access_tables& tables, known_tokens& tokens, stratumproxy::log_sink& log);
  ~access_upkeep();  ///< writes the last uses
  access_upkeep(const access_upkeep&) = delete;
  access_upkeep& operator=(const access_upkeep&) = delete;

  /// Entries of the audit log are kept so long; zero: for ever.
  void keep_audit(std::chrono::days kept) noexcept { audit_kept_ = kept; }

  /// Begins to tick. Another daemon's change of a token counts here within so long.
  void start(std::chrono::milliseconds interval = std::chrono::seconds(2));
  /// What is due. By the thread, and by tests without it.
  void tick(time_point now);

 private:
  void run(std::chrono::milliseconds interval);
  void read_tokens();
  void write_uses(time_point now);
  void prune(time_point now);

  access_tables& tables_;
  known_tokens& tokens_;
  stratumproxy::log_sink& log_;
  std::atomic<std::chrono::days> audit_kept_{std::chrono::days(90)};
  std::map<std::string, time_point> written_;  // token -> when its use was written
  time_point prune_at_ = time_point::min();
  bool failed_ = false;
  std::mutex mutex_;  // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stratumproxyd
