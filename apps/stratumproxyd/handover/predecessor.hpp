#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <stratumproxy/metrics.hpp>

#include "config.hpp"
#include "handover/offered_place.hpp"
#include "handover/unix_channel.hpp"
#include "inherited_sockets.hpp"

namespace stratumproxyd {

/// No daemon runs whose place this one could take.
struct nobody_answers : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The running daemon whose place this one takes. What they say to each other, in this order:
///
///     this one                         the running one
///     take, version                    its sockets, each with the address that its configuration has for it; then its tag
///     release, only for the same tag   released: its totals are written, and the tag is free
///     serve                            retired: it accepts no more
///                                      shares, again and again: what its workers did, for this one to count
///
/// Until it has retired it serves as before, and takes its tag back when this one ends. Thread: that of the start; add_totals() and
/// is_gone() are for any.
class predecessor {
 public:
  static constexpr const char* version = "1";

  /// Asks for its place. Throws nobody_answers, or std::runtime_error with one actionable line.
  explicit predecessor(const std::filesystem::path& socket);
  ~predecessor();  ///< stops
  predecessor(const predecessor&) = delete;
  predecessor& operator=(const predecessor&) = delete;

  /// Those that the configuration wants, by their addresses there; the others are closed. Once.
  [[nodiscard]] inherited_sockets sockets_for(const config& settings);
  /// Lets it release this tag, if it is its.
  void release_tag(const std::string& tag);
  /// This one serves: lets it retire. Its totals come in from then on. Throws std::runtime_error when it does not.
  void retire();

  /// Adds what its workers did since it retired.
  void add_totals(std::vector<stratumproxy::metrics::total_row>& rows) const;
  /// Whether it has ended.
  [[nodiscard]] bool is_gone() const noexcept { return gone_; }
  /// It keeps what it counts from now on. What it has sent is in when this returns. Idempotent.
  void stop();

 private:
  unix_channel::message answer();
  void listen();

  unix_channel channel_;
  offered_place offered_;
  std::thread listener_;
  std::atomic<bool> gone_{false};
  mutable std::mutex mutex_;  // guards the totals
  std::map<std::tuple<std::string, std::string, std::string>, stratumproxy::metrics::share_counts> totals_;
};

}  // namespace stratumproxyd
