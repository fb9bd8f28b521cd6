#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <stratumproxy/bans.hpp>
#include <stratumproxy/log.hpp>

#include "store/store.hpp"

namespace stratumproxyd {

struct ban_keeper_options {
  std::chrono::milliseconds interval{1'000};  ///< how soon what others wrote is seen
  std::chrono::seconds automatic{0};          ///< how long offenders are banned; 0: they are not. See set_automatic()
  std::function<std::vector<std::string>()> offenders;  ///< addresses, each once
};

/// Keeps the proxy's bans as the database has them, on a thread of its own: it asks whether anybody changed them, reads them then, and
/// leaves out those whose time is over. While the database is away the last ones hold.
/// Thread: refresh() and size() from any.
class ban_keeper {
 public:
  using publisher = std::function<void(std::shared_ptr<const stratumproxy::ban_list>)>;

  /// Reads the bans at once; throws store_unavailable. Everything is borrowed. `publish` is called by one thread at a time.
  ban_keeper(store& database, stratumproxy::log_sink& log, publisher publish, ban_keeper_options options = {});
  ~ban_keeper();
  ban_keeper(const ban_keeper&) = delete;
  ban_keeper& operator=(const ban_keeper&) = delete;

  /// Reads them now, after a change. A database that is away is asked again soon.
  void refresh();
  [[nodiscard]] std::size_t size() const;
  /// Offenders are banned for so long from now on; 0: they are not. From any thread.
  void set_automatic(std::chrono::seconds time) noexcept { automatic_ = time; }

 private:
  using clock = std::chrono::steady_clock;
  struct entry {
    stratumproxy::ban what;
    clock::time_point ends;
  };

  void run();
  void look(bool changed);
  void publish();
  void ban_offenders();

  store& database_;
  stratumproxy::log_sink& log_;
  const publisher publish_;
  const ban_keeper_options options_;
  std::atomic<std::chrono::seconds> automatic_;

  mutable std::mutex reading_;  // guards what follows, and keeps the lists in order
  std::vector<entry> bans_;
  std::optional<std::uint64_t> revision_;
  clock::time_point next_end_ = clock::time_point::max();

  std::mutex mutex_;  // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stratumproxyd
