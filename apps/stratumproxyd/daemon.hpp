#pragma once

#include <memory>
#include <string>

#include "config.hpp"

namespace stratumproxyd {

/// Everything that runs: database, proxy, HTTP server, flusher. Its constructor starts all of it or throws
/// std::runtime_error with one actionable line.
class daemon {
 public:
  explicit daemon(const config& settings);
  ~daemon();  ///< ends what still runs, at once

  /// "stratumproxyd ready stratum=HOST:PORT web=HOST:PORT"
  [[nodiscard]] std::string ready_line() const;

  /// Takes over what can change while it runs: who may ask by HTTP, how long the audit log is, and the log level. `settings`
  /// is already valid.
  void reload(const config& settings);
  /// Tells that the new configuration was refused.
  void refuse_reload(const std::string& why);

  /// Lets the workers go in order, for 10 s at most, and writes the last totals. Blocks.
  void drain();

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace stratumproxyd
