#include "net/shell.hpp"

#include "net/system.hpp"

namespace stratumproxy::net {
namespace {

constexpr unsigned resolver_threads = 3;

}  // namespace

shell::shell(const options& given, account_source& from, log_sink& to, metrics::sink* listener, line_tap* hears,
             session_store* records)
    : config(given),
      accounts(from),
      log(to),
      sink(listener),
      tap(hears),
      sessions(records),
      instance(random_word()),
      miners(given.limits.connections != 0 ? given.limits.connections : connections_for_descriptor_limit()),
      resolver(resolver_threads),
      checks(given.checks.threads, given.checks.max_queued) {}

}  // namespace stratumproxy::net
