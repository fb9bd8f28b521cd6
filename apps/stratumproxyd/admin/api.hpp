#pragma once

#include <functional>
#include <optional>
#include <string>

#include <stratumproxy/log.hpp>
#include <stratumproxy/metrics.hpp>

#include "admin/http.hpp"
#include "admin/http_server.hpp"
#include "admin/operations.hpp"
#include "admin/tokens.hpp"
#include "event_ring.hpp"
#include "store/store.hpp"
#include "worker_history.hpp"

namespace stratumproxyd {

/// What the routes need; borrowed.
struct api_context {
  store& database;
  stratumproxy::log_sink& log;
  known_tokens& tokens;
  const event_ring& events;
  std::function<void(const std::string& name)> on_changed;  ///< an account was registered, changed or removed
  std::function<std::string()> stratum_address;  ///< HOST:PORT that miners connect to, as it is bound
  std::function<bool()> database_up;
  std::function<bool()> ready;        ///< listening, and not draining
  std::function<bool()> has_tag;      ///< no other proxy writes totals under this one's tag
  std::function<std::optional<std::string>()> metrics;  ///< nothing when the counters cannot be read
  std::function<std::optional<stratumproxy::metrics::snapshot>(stratumproxy::metrics::scope)> snapshot;  ///< likewise
  std::function<moment()> now;
  const worker_history& worker_rates;
  operations live{};
};

/// Registers every route of docs/api.md.
void add_routes(http_server& server, const api_context& context);

}  // namespace stratumproxyd
