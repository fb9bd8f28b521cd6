#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace stratumproxy {

/// A worker's session, as far as it goes on at another proxy: there the pool's link is a new one.
struct session_record {
  std::string id;            ///< 32 hex digits in lower case; whoever knows it may claim the rest
  std::string account;
  std::string rig;
  double difficulty = 0;     ///< that it mined at
  std::string mark;          ///< its extranonce1, lower-case hex
  unsigned miner_bytes = 0;  ///< its own part of the extranonce2
  friend bool operator==(const session_record&, const session_record&) = default;
};

/// Where proxies that serve the same accounts leave the sessions of their workers for each other, so that a worker that reconnects to
/// another one goes on there with its difficulty and extranonce. All methods are called from the shards' threads, concurrently, and
/// must not block: what is slow belongs on a thread of the store's own, behind a queue with a limit. What gets lost there costs a
/// worker its difficulty, no more.
class session_store {
 public:
  /// A session that lasts is saved again so often, changed or not: what was not saved for longer is of a proxy that is gone.
  static constexpr std::chrono::minutes refresh{10};

  virtual ~session_store() = default;
  /// The session is this from now on. One that was claimed stays claimed.
  virtual void save(session_record record) = 0;
  /// It is over, and cannot be claimed.
  virtual void remove(const std::string& id) = 0;
  /// Of all that ever claim an id, one gets the record. `done` is called exactly once, from any thread, even from inside of claim(): with
  /// nothing where there is none, or it cannot be known. A miner waits, for a second at most.
  virtual void claim(const std::string& id, std::function<void(std::optional<session_record>)> done) = 0;
};

}  // namespace stratumproxy
