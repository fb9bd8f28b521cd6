#pragma once

#include <sys/types.h>

#include <string>

#include "clock.hpp"

namespace stratumload {

/// What /proc says about a process.
struct process_usage {
  double cpu_seconds = 0;
  double resident_kib = 0;
};

/// Zeros when there is no such process.
[[nodiscard]] process_usage usage_of(pid_t process);

/// A stratumproxyd of our own: a temporary directory with its configuration and SQLite database, free ports on loopback. Ends with
/// this object, and also when this process dies.
class proxy_process {
 public:
  /// Starts `program` and waits until it is ready. Throws std::runtime_error with one line for people.
  /// `certificate`, `key`: PEM files with which it serves TLS; empty: without.
  proxy_process(const std::string& program, unsigned threads, const std::string& certificate = {}, const std::string& key = {});
  ~proxy_process();
  proxy_process(const proxy_process&) = delete;
  proxy_process& operator=(const proxy_process&) = delete;

  struct account {
    std::string user = "stratumload", password = "x", algorithm = "sha256d";
    std::string mode, verify, tls;  ///< of the pool, as the API calls them; empty: the proxy's default
  };
  /// Registers the pool and a user of it; gives the name to log in with. Throws std::runtime_error.
  [[nodiscard]] std::string register_account(const std::string& pool, const account& wanted) const;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& stratum() const { return stratum_; }
  [[nodiscard]] const std::string& web() const { return web_; }

 private:
  void stop();
  /// The body of the answer, whose status must be of the 200s. Throws std::runtime_error.
  std::string post(const std::string& path, const std::string& body) const;

  std::string directory_;
  pid_t pid_ = -1;
  std::string stratum_, web_;
};

}  // namespace stratumload
