#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "clock.hpp"
#include "event_loop.hpp"
#include "ledger.hpp"
#include "line_channel.hpp"
#include "seen_shares.hpp"
#include "stratumproxy/protocol/codec.hpp"
#include "stratumproxy/tls_certificate.hpp"

namespace stratumload {

struct pool_options {
  unsigned extranonce1_bytes = 4;
  unsigned extranonce2_size = 8;
  double difficulty = 1;
  double reject_percent = 0;       ///< of the good shares, chosen by the share's nonce: a run can be repeated
  double job_seconds = 30;         ///< a new job so often; 0: only when send_job() is called
  std::size_t connections = 1024;  ///< more are closed at once
  std::shared_ptr<const stratumproxy::tls_certificate> certificate;  ///< null: without TLS
};

struct pool_counters {
  std::uint64_t connections = 0, logins = 0, jobs = 0;
  std::uint64_t accepted = 0;
  std::uint64_t chosen = 0;  ///< rejected because of reject_percent
  std::uint64_t stale = 0, duplicate = 0, malformed = 0;

  [[nodiscard]] std::uint64_t rejected() const { return chosen + stale + duplicate + malformed; }
};

/// A simulated pool: it answers every request of Stratum V1 (Bitcoin dialect), deals an extranonce1 of its own to each connection,
/// sends jobs of about 1.2 kB, and judges shares by form, job and repetition, not by their proof of work.
/// With a ledger it also writes down which of the tool's own shares arrived.
class pool final : private io_handler {
 public:
  /// Takes the listening socket. `book` may be null and must outlive the pool.
  pool(event_loop& loop, int listener, const pool_options& options, ledger* book);
  ~pool() override;

  /// A new job for all.
  void send_job();
  /// Sends the job that is due and lets ended links go; to be called after each run_once. Returns when it wants to be called again.
  time_point settle();

  [[nodiscard]] const pool_counters& counters() const { return counters_; }
  [[nodiscard]] std::size_t links() const { return links_.size(); }

 private:
  class link;

  struct sent_job {
    std::uint32_t number = 0;
    std::string id;
    std::uint32_t ntime = 0;
  };

  void ready(std::uint32_t events) override;
  void greet(link& peer);
  [[nodiscard]] bool on_line(link& peer, std::span<char> line);
  void on_submit(link& peer, std::string_view id, const stratumproxy::protocol::submit& share);
  [[nodiscard]] const sent_job* find_job(std::string_view id) const;
  [[nodiscard]] bool is_chosen(std::uint32_t nonce) const;
  void make_job();

  event_loop& loop_;
  int listener_;
  pool_options options_;
  ledger* book_;
  stratumproxy::protocol::decoder decoder_;
  seen_shares seen_{std::size_t{1} << 20};
  std::unordered_map<link*, std::unique_ptr<link>> links_;
  std::vector<link*> ended_;
  std::deque<sent_job> jobs_;
  std::string notify_;  // the line of the newest job
  std::uint32_t next_job_ = 1;
  std::uint64_t next_extranonce1_;
  time_point job_due_{};
  pool_counters counters_;
};

}  // namespace stratumload
