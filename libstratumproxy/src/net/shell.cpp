#include "net/shell.hpp"

#include <utility>

#include "net/system.hpp"

namespace stratumproxy::net {
namespace {

constexpr unsigned resolver_threads = 3;

std::size_t most_connections(const miner_limits& limits) {
  return limits.connections != 0 ? limits.connections : connections_for_descriptor_limit();
}

}  // namespace

shell::shell(options given, account_source& from, log_sink& to, metrics::sink* listener, line_tap* hears,
             session_store* records)
    : config(std::move(given)),
      accounts(from),
      log(to),
      sink(listener),
      tap(hears),
      sessions(records),
      instance(random_word()),
      miners(most_connections(config.limits)),
      resolver(resolver_threads),
      checks(config.checks.threads, config.checks.max_queued) {}

void shell::set_options(const options& now_are) {
  miners.set_limit(most_connections(now_are.limits));
  checks.set_max_queued(now_are.checks.max_queued);
}

}  // namespace stratumproxy::net
