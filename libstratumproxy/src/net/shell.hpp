#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/admission.hpp"
#include "net/check_pool.hpp"
#include "net/log_pace.hpp"
#include "net/offences.hpp"
#include "net/resolver_pool.hpp"
#include "net/shard_mail.hpp"
#include "stratumproxy/account.hpp"
#include "stratumproxy/bans.hpp"
#include "stratumproxy/line_tap.hpp"
#include "stratumproxy/log.hpp"
#include "stratumproxy/metrics.hpp"
#include "stratumproxy/options.hpp"
#include "stratumproxy/session/session_manager.hpp"
#include "stratumproxy/session_store.hpp"
#include "stratumproxy/tls_certificate.hpp"
#include "stratumproxy/tls_client.hpp"

namespace stratumproxy::net {

/// What the shards of one proxy have in common. Outlives them.
struct shell {
  shell(options given, account_source& from, log_sink& to, metrics::sink* listener, line_tap* hears, session_store* records);

  /// What the shards have in common of them; their own part each is told.
  void set_options(const options& now_are);

  const options config;  ///< at the start
  account_source& accounts;
  log_sink& log;
  metrics::sink* sink;  ///< may be null
  line_tap* tap;        ///< may be null
  session_store* sessions;  ///< may be null
  std::string instance;
  std::shared_ptr<const ban_list> bans;  ///< at the start; may be null
  std::shared_ptr<const tls_certificate> certificate;  ///< likewise
  tls_client tls_to_pools;
  std::shared_ptr<session::return_hints> hints = session::make_return_hints();
  admission miners;
  offences offended;
  log_pace exhaustion_log;
  log_pace limit_log;
  log_pace header_log;
  resolver_pool resolver;
  check_pool checks;
  std::vector<std::shared_ptr<shard_mailbox>> mailboxes;  ///< one a shard
};

}  // namespace stratumproxy::net
