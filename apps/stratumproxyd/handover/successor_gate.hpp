#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <stratumproxy/log.hpp>
#include <stratumproxy/unique_fd.hpp>

#include "handover/offered_place.hpp"
#include "handover/unix_channel.hpp"
#include "store/store.hpp"

namespace stratumproxyd {

/// What the running daemon does when another one takes its place; called on the gate's thread.
class handover_host {
 public:
  virtual ~handover_host() = default;
  /// Throws std::system_error when there is no descriptor left.
  [[nodiscard]] virtual offered_place what_is_offered() = 0;
  /// Writes the totals, and lets go of the tag. False: it could not, and keeps it.
  [[nodiscard]] virtual bool release_tag() = 0;
  /// The other one gave up: the tag is needed again.
  virtual void keep_tag() = 0;
  /// The other one serves. No new miners, no new requests.
  virtual void retire() = 0;
  /// After that, once the other one knows: the workers may leave, and what they still do is the other one's to count if it has the tag.
  virtual void leave(bool has_released_tag) = 0;
  /// After that: the other one has ended.
  virtual void successor_ended() = 0;
};

/// Where a successor may ask for this daemon's place; predecessor.hpp has what is said. One at a time.
class successor_gate {
 public:
  /// Listens, but the name is not this one's before start(): another daemon that answers there goes on to do so. It has to be one that this one
  /// `replaces`. Throws std::runtime_error with one actionable line. The host is borrowed.
  successor_gate(const std::filesystem::path& socket, bool replaces, handover_host& host, stratumproxy::log_sink& log);
  ~successor_gate();  ///< stops

  /// Takes the name, and answers. After the one that it replaces has retired: that one is the one to ask if this one fails before.
  void start();
  /// Gives shares to the successor, who counts them. False when it is gone. From any one thread.
  [[nodiscard]] bool send(const total_record& row);
  /// Nobody may ask any more, and the successor is told the end. Idempotent.
  void stop();

 private:
  void run();
  /// True when the other one has taken the place.
  bool hand_over(unix_channel& channel);
  /// Those that asked while another one did, who has the place now.
  void refuse_waiting();
  bool send_sockets(unix_channel& channel);
  void tell(stratumproxy::log_level level, std::string_view event, std::string_view detail);

  handover_host& host_;
  stratumproxy::log_sink& log_;
  unix_listener listener_;
  std::mutex mutex_;  // guards the two
  std::shared_ptr<unix_channel> channel_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stratumproxyd
