#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "address.hpp"
#include "clock.hpp"
#include "event_loop.hpp"
#include "histogram.hpp"
#include "ledger.hpp"
#include "line_channel.hpp"
#include "progress.hpp"
#include "stratumproxy/protocol/codec.hpp"
#include "stratumproxy/tls_client.hpp"

namespace stratumload {

struct miners_options {
  std::string user;  ///< worker i logs in as user.w<i>, or as user alone with plain_user
  bool plain_user = false;
  std::string password = "x";
  unsigned workers = 100;
  unsigned logins_at_once = 500;  ///< connections on their way at any moment
  unsigned window = 1;            ///< closed loop: shares of a worker that wait for a verdict
  double shares_per_second = 0;   ///< of all workers together; 0: closed loop
  bool tls = false;               ///< any certificate will do
};

struct miners_counters {
  std::uint64_t connects = 0, logins = 0, refused_logins = 0, disconnects = 0;
  std::uint64_t sent = 0, accepted = 0, rejected = 0, unknown = 0;
  std::uint64_t cut_off = 0;    ///< shares whose connection ended before their verdict
  std::uint64_t stray = 0;      ///< verdicts for no share
  std::uint64_t held_back = 0;  ///< open loop: due, but the worker had too many without a verdict, or no job
  std::uint64_t bad_lines = 0;
  std::map<std::string, std::uint64_t> reasons;  ///< of rejections and unknown shares, at most 32 texts
};

/// Simulated miners, thousands on one thread. They do not hash: each share is a number in disguise (ledger.hpp).
/// A worker whose connection ends comes back a second later.
class miners {
 public:
  /// `book` may be null; else it bounds the number of shares and must outlive this.
  miners(event_loop& loop, const address& target, const miners_options& options, ledger* book);
  ~miners();

  /// Connects and logs in all workers; ends when each has a job, or after `limit`. Gives the number that are in.
  std::size_t log_in(nanoseconds limit);
  /// Sends shares for so long, or until that many were sent. `each_tick` is called about every 10 ms.
  void mine(nanoseconds duration, std::uint64_t shares, const std::function<void()>& each_tick = {});
  /// Waits until no share is without its verdict, at most `limit`.
  void drain(nanoseconds limit);
  /// From now on it is looked who has the job of that number, which is still to come.
  void watch_for_job(std::uint32_t number);
  /// Waits until every worker that is in has it: the moment when the last one had; nothing when `limit` has passed before.
  [[nodiscard]] std::optional<time_point> await_job(nanoseconds limit);

  [[nodiscard]] const miners_counters& counters() const { return counters_; }
  [[nodiscard]] std::size_t in() const { return in_; }
  [[nodiscard]] std::uint32_t newest_job() const { return newest_job_; }
  [[nodiscard]] const histogram& login_latency() const { return *login_latency_; }
  [[nodiscard]] const histogram& verdict_latency() const { return *verdict_latency_; }
  /// Verdicts from now on only.
  void restart_verdict_latency() { verdict_latency_->clear(); }

 private:
  class worker;

  void turn(time_point wake, std::string_view phase);
  void connect_more();
  void send_due(time_point at);
  [[nodiscard]] bool may_send() const;
  void count_reason(std::string_view text);

  event_loop& loop_;
  address target_;
  miners_options options_;
  stratumproxy::tls_client tls_;
  ledger* book_;
  stratumproxy::protocol::decoder decoder_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::vector<worker*> waiting_to_connect_;
  std::deque<std::pair<time_point, worker*>> resting_;  // by time
  std::size_t on_their_way_ = 0, in_ = 0;
  bool mining_ = false;
  std::uint64_t share_limit_ = 0;
  std::uint64_t pending_ = 0;
  std::uint32_t next_serial_ = 0;
  std::size_t next_worker_ = 0;
  time_point next_due_{};
  nanoseconds due_every_{0};
  std::uint32_t newest_job_ = 0, watched_job_ = 0;
  std::size_t watched_have_ = 0;
  time_point watched_last_{};
  std::uint64_t shown_verdicts_ = 0;
  time_point shown_at_{};
  miners_counters counters_;
  std::unique_ptr<histogram> login_latency_ = std::make_unique<histogram>();
  std::unique_ptr<histogram> verdict_latency_ = std::make_unique<histogram>();
  std::string scratch_;
  progress progress_;
};

}  // namespace stratumload
