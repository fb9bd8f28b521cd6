#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "json_line.hpp"
#include "recording.hpp"

namespace stratumload {

/// Pairs of a recorded value and the one that stands for it now. One-to-one: each side has one partner, found at first sight.
class pairing {
 public:
  /// Whether they are, or now become, partners.
  [[nodiscard]] bool pair(const std::string& recorded, const std::string& seen);
  [[nodiscard]] std::optional<std::string> seen_for(const std::string& recorded) const;

 private:
  std::map<std::string, std::string> seen_, recorded_;
};

/// What a conversation has settled so far, as recorded and now.
struct talk {
  struct extranonce {
    std::string recorded, seen;
    unsigned size = 0;  ///< bytes of the miner's own part
  } own;                ///< a miner's
  pairing requests;     ///< ids that the other end chose
};

/// Where a line is not the recorded one.
struct unlikeness {
  std::string where;  ///< "params[2]"
  std::string expected, got;
};

/// Decides whether a line of the other end is the recorded one, but for values that are new in each run: job ids, sessions, extranonces
/// and request ids of a proxy, its instance, addresses, account names. Those are paired at first sight, so that a value which is
/// really wrong is still found. Rewrites our own recorded lines with what was paired.
class likeness {
 public:
  std::map<std::string, std::string> addresses;  ///< of pools: recorded -> now
  std::map<std::string, std::string> accounts;   ///< likewise
  std::string password;                          ///< of our miners; empty: as recorded

  /// A line that came, in place of `recorded`. `miner`: the conversation of the miner that a pool's line belongs to, or null.
  [[nodiscard]] std::optional<unlikeness> compare(side peer, std::string_view recorded, std::string_view came, talk& in, talk* miner);
  /// Our line as it is to be said now.
  [[nodiscard]] std::string ours(side peer, const std::string& recorded, const talk& in);
  /// A recorded line of the side that nobody plays, or one of ours: what follows from it.
  void note(side peer, bool by_peer, const std::string& recorded, talk& in);
  /// Whether it may be meant by a line that is the first one of its connection: the same request, the same session.
  [[nodiscard]] static bool could_be(const std::string& recorded, std::string_view came);

 private:
  struct pass;

  [[nodiscard]] std::string now_called(std::string_view recorded) const;

  pairing jobs_, sessions_, instances_;
  std::set<std::uint32_t> times_;             // ntimes of the pools
  std::set<std::string> pools_extranonces_;
};

}  // namespace stratumload
