#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <stratumproxy/log.hpp>
#include <stratumproxy/session_store.hpp>

#include "store/session_table.hpp"

namespace stratumproxyd {

struct session_keeper_options {
  std::chrono::milliseconds interval{1'000};  ///< how soon a change is in the table
  std::size_t most = 200'000;                 ///< changes that wait while the table cannot be written; further ones get lost
  std::size_t most_claims = 20'000;           ///< that wait; further ones find nothing
};

/// Brings the sessions of this proxy's workers to the table that all proxies see, and claims those of others there, on a thread of its
/// own. Of the changes to one session the newest is written. Claims go first, as miners wait for them, and as many as there are at a time:
/// a proxy that dies sends thousands of workers at once.
class session_keeper final : public stratumproxy::session_store {
 public:
  /// Everything is borrowed.
  session_keeper(session_table& table, stratumproxy::log_sink& log, session_keeper_options options = {});
  ~session_keeper() override;  ///< what was not written is lost
  session_keeper(const session_keeper&) = delete;
  session_keeper& operator=(const session_keeper&) = delete;

  void save(stratumproxy::session_record record) override;
  void remove(const std::string& id) override;
  void claim(const std::string& id, std::function<void(std::optional<stratumproxy::session_record>)> done) override;

  /// Writes what waits; false when that did not work. From any thread.
  bool flush();

 private:
  using clock = std::chrono::steady_clock;
  struct claimant {
    std::string id;
    std::function<void(std::optional<stratumproxy::session_record>)> done;
  };
  /// By id; nothing: it is over.
  using changes = std::unordered_map<std::string, std::optional<stratumproxy::session_record>>;

  void run();
  void note(const std::string& id, std::optional<stratumproxy::session_record> what);
  void answer(std::vector<claimant> some);
  [[nodiscard]] changes take_some();
  bool write_some();
  void prune();
  void told(bool good, const char* why);

  session_table& table_;
  stratumproxy::log_sink& log_;
  const session_keeper_options options_;

  std::mutex writing_;  // one at a time: what could not be written goes back in front of what came since

  std::mutex mutex_;  // guards what follows
  changes waiting_;
  std::vector<claimant> claims_;
  std::size_t lost_ = 0;
  bool failing_ = false;
  bool stopping_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace stratumproxyd
