#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "session/job_lines.hpp"
#include "session/random.hpp"
#include "session/recent_texts.hpp"
#include "session/tapping_host.hpp"
#include "stratumproxy/algorithm.hpp"
#include "stratumproxy/log.hpp"
#include "stratumproxy/options.hpp"
#include "stratumproxy/protocol/codec.hpp"
#include "stratumproxy/protocol/line_framer.hpp"
#include "stratumproxy/session/session_manager.hpp"

namespace stratumproxy::session {

/// Things that happen, counted by the shard, beside shares and closes.
enum class happening : std::uint8_t {
  connection_accepted,
  line_refused,          // from a miner: no usable message
  intruder_refused,      // TLS, HTTP, another dialect
  authorize_failed,
  session_kept,
  session_restored,
  session_recalled,      // from another proxy
  session_superseded,
  session_moved,         // to another account
  session_handed_over,   // to another shard
  verdict_unmatched,     // a pool's answer to nothing that was asked, or asked once
  pool_message_refused,  // a field that must not reach a miner
  pool_request_refused,  // an unknown method from a pool
  reconnect_refused,     // client.reconnect to where it must not lead
  miner_response,        // an answer from a miner, who was asked nothing
  jobs_coalesced,        // not sent to a worker that does not read
};
inline constexpr std::size_t happenings = 16;
[[nodiscard]] std::string_view name(happening what) noexcept;

struct event_counters {
  std::array<std::uint64_t, happenings> happened{};
  std::array<std::uint64_t, close_reasons> miners_closed{};
  std::array<std::uint64_t, close_reasons> pools_closed{};

  void count(happening what) noexcept { ++happened[static_cast<std::size_t>(what)]; }
};

/// What all sessions of a shard share. Lives as long as the manager.
struct services {
  options config;  // changed between two events only; what is kept of it elsewhere refers to this one
  session_host& host;
  random_source random;
  log_sink* log_to = nullptr;
  metrics::sink* sink = nullptr;
  tapping_host* tap = nullptr;  // also the host, if there is one
  std::string instance;       // goes into the agent that pools see, so that a loop of proxies is noticed
  std::uint64_t next_job_id;  // one counter for all links of the shard; starts at random
  protocol::decoder decoder;
  event_counters events;
  std::shared_ptr<const algorithm::registry> algorithms;
  protocol::line_framer framer;  // for miners of whom nothing is kept
  std::string out;            // the line or lines being written; see flush()
  std::string prefix;         // of the extranonce2 of the share in hand
  job_lines lines;
  recent_texts agents;

  /// Sends what was encoded into `out`.
  void flush(channel_id channel) {
    if (!out.empty()) host.send(channel, out);
    out.clear();
  }

  void log(const log_event& event) const {
    if (log_to) log_to->write(event);
  }
};

}  // namespace stratumproxy::session
