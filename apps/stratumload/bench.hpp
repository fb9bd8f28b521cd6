#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "figures.hpp"
#include "miners.hpp"
#include "pool.hpp"
#include "proxy_process.hpp"

namespace stratumload {

struct bench_options {
  std::string proxy;  ///< program to start between; empty: none
  unsigned proxy_threads = 0;
  proxy_process::account account;  ///< what is registered with it
  std::string through;  ///< HOST:PORT of something that listens already and connects to pool_listen; empty: nothing
  pid_t proxy_pid = 0;  ///< of that, for its memory and CPU time; 0: not measured
  std::string pool_listen = "127.0.0.1:0";
  std::string certificate, key;  ///< PEM files, for whoever speaks TLS
  bool pool_tls = false;
  double seconds = 10;
  std::uint64_t shares = 0;  ///< ends after so many; 0: after `seconds` only
  bool scrape = false;       ///< mines as long once more, while the /metrics of `proxy` is read again and again
  unsigned jobs = 5;         ///< whose way to the last worker is measured
  double login_seconds = 60;
  double drain_seconds = 10;
  pool_options pool;
  miners_options miners;
};

struct bench_result {
  figures values;
  bool clean = false;  ///< all logged in, and the ledger found nothing
};

/// A pool in a process of its own, miners in this one, and what is asked for between them. Throws std::exception for what cannot start.
[[nodiscard]] bench_result run_bench(bench_options options);

}  // namespace stratumload
