#pragma once

#include <functional>
#include <memory>
#include <string>

#include "config.hpp"
#include "inherited_sockets.hpp"

namespace stratumproxyd {

/// Everything that runs: database, proxy, HTTP server, flusher. Its constructor starts all of it or throws
/// std::runtime_error with one actionable line.
class daemon {
 public:
  /// `reread`: the configuration as the command line and the file say it now; throws config_error. `on_retired` is called, on a thread of
  /// the daemon's, when another one has taken its place: it is time to drain. What is not `inherited` is bound, or taken over.
  daemon(const config& settings, std::function<config()> reread, std::function<void()> on_retired, inherited_sockets inherited = {});
  ~daemon();  ///< ends what still runs, at once

  /// "stratumproxyd ready stratum=HOST:PORT web=HOST:PORT", and " listen=HOST:PORT,HOST:PORT" where there are further listeners.
  [[nodiscard]] std::string ready_line() const;

  /// Reads the configuration again, and takes over all of it that can change while it runs, or nothing when something is wrong. Logs what came
  /// of it. Does the same by itself when the file changes, unless the configuration says otherwise.
  void reload();

  /// Whether another one has taken its place.
  [[nodiscard]] bool is_retired() const;
  /// When it is retired: waits until its workers have left by themselves, for as long as the configuration lets them stay. Blocks.
  void await_leaving();
  /// Lets the workers go in order, for 10 s at most, and writes the last totals. Blocks.
  void drain();
  /// await_leaving() waits no more, from now on. From any thread.
  void hurry();

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace stratumproxyd
