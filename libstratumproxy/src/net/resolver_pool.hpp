#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/endpoint.hpp"
#include "stratumproxy/clock.hpp"

namespace stratumproxy::net {

/// Turns the names of pools into addresses on a few threads of its own, because getaddrinfo may hang for half a minute
/// and one slow name must not stop a shard. Answers are kept for a minute; two thousand links to one pool ask once. The
/// last addresses that a name had stay good while newer ones cannot be had.
///
/// Thread: every method from any thread. Destruction does not wait for a look-up that hangs.
class resolver_pool {
 public:
  using addresses = std::vector<endpoint>;  ///< their ports mean nothing
  using callback = std::function<void(const addresses&)>;
  using lookup_function = std::function<addresses(const std::string& host)>;
  using clock_function = std::function<time_point()>;

  static constexpr std::chrono::seconds fresh_for{60};
  static constexpr std::size_t max_hosts = 1'024;  ///< remembered
  static constexpr std::size_t max_queued = 256;   ///< hosts that wait for a thread

  explicit resolver_pool(unsigned threads, lookup_function lookup = look_up, clock_function clock = steady_clock::now);
  ~resolver_pool();
  resolver_pool(const resolver_pool&) = delete;
  resolver_pool& operator=(const resolver_pool&) = delete;

  /// The addresses, if they are known and fresh; `done` is then not called. Else `done` is called once, on a thread of
  /// the pool, with what was found, the last good addresses, or nothing. With too many hosts waiting it is called at
  /// once, from inside.
  [[nodiscard]] std::optional<addresses> resolve(const std::string& host, callback done);
  /// What the name was last known to be, fresh or not; empty: never known.
  [[nodiscard]] addresses last_good(const std::string& host) const;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace stratumproxy::net
