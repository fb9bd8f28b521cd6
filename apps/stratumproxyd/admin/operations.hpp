#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <stratumproxy/account.hpp>
#include <stratumproxy/operations.hpp>

namespace stratumproxyd {

/// What came of reading the configuration again.
struct reload_outcome {
  std::string error;               ///< why nothing was taken over; empty when it was
  std::vector<std::string> taken;          ///< the keys that have another value from now on
  std::vector<std::string> needs_restart;  ///< those whose value is not the one that runs, and will be after a restart
};

/// What a daemon says about itself, beside its counters.
struct daemon_status {
  std::string version, tag, stratum, web;
  double uptime_seconds = 0;
  unsigned shards = 0;
  std::size_t bans = 0;
  std::uint64_t open_descriptors = 0, descriptor_limit = 0;
  std::string reloaded_at{};  ///< "YYYY-MM-DDTHH:MM:SSZ"; empty: not since its start
  std::string reload_error{};
  std::vector<std::string> needs_restart{};  ///< keys that wait for one
};

/// What the routes do with what runs. Each may block for some seconds, and be called on several threads.
struct operations {
  /// As stratumproxy::proxy has them.
  std::function<std::optional<bool>(const std::string& worker, const std::string& words)> disconnect;
  std::function<stratumproxy::move_outcome(const std::string& worker, std::shared_ptr<const stratumproxy::account> to)> move_worker;
  std::function<stratumproxy::account_lookup(const std::string& name)> find_account;
  std::function<void()> bans_written;  ///< the table of bans was changed: what runs is to know it
  std::function<daemon_status()> status;
  std::function<reload_outcome()> reload;
};

}  // namespace stratumproxyd
