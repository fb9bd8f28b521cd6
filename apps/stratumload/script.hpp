#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "recording.hpp"

namespace stratumload {

/// A recording as it is to be played: which of its events are ours to do, which the other end has to, and which are of a side that
/// nobody plays. Keeps account of what was done.
///
/// The order is that of the recording: nothing is done before all that came earlier has come. So the proxy sees what it saw then, in
/// the same order, however fast the play is. Only pools may go ahead(): how soon which of many lost links comes back is chance.
class script {
 public:
  enum class role : std::uint8_t { ours, theirs, nobodys };

  script(recording from, bool plays_miners, bool plays_pools);

  [[nodiscard]] const recorded_event& event(std::size_t at) const { return all_.events[at]; }
  [[nodiscard]] const recorded_conversation& conversation(std::size_t at) const { return all_.conversations[at]; }
  [[nodiscard]] std::size_t events() const { return all_.events.size(); }
  [[nodiscard]] std::size_t conversations() const { return all_.conversations.size(); }
  [[nodiscard]] bool plays(side peer) const { return peer == side::miner ? miners_ : pools_; }
  [[nodiscard]] role role_of(std::size_t at) const { return roles_[at]; }

  // ---- what comes next
  /// The event that is next in order, when it is ours or nobody's; nothing when something must come first, or at the end.
  [[nodiscard]] std::optional<std::size_t> next();
  /// A line of a pool that could be said now although something else must come first. Of nobody else's concern: all that came earlier
  /// between this pool and its miner has come.
  [[nodiscard]] std::optional<std::size_t> ahead() const;
  void done(std::size_t at);
  [[nodiscard]] bool is_over() const { return cursor_ == all_.events.size() && missing_ == 0; }
  /// The first of what must come; nothing when nothing must.
  [[nodiscard]] std::optional<std::size_t> awaited();

  // ---- what came
  /// What the other end has to do next in this conversation.
  [[nodiscard]] std::optional<std::size_t> expected(std::size_t conversation) const;
  void came(std::size_t at);
  /// Of what is ours, the first that should have been done before this, between the same miner and its pool.
  [[nodiscard]] std::optional<std::size_t> skipped_before(std::size_t at) const;
  /// It was another connection than was thought: this opening is still to come.
  void revoke(std::size_t at);
  [[nodiscard]] std::size_t opening_of(std::size_t conversation) const { return theirs_[conversation].front(); }
  /// Whose link this is: of the miner it was opened for, or of the one that came back as that one.
  [[nodiscard]] std::optional<std::size_t> worker_of(std::size_t conversation) const { return workers_[conversation]; }
  void came_back(std::size_t before, std::size_t now);
  /// Nothing of this conversation was played yet, but that it was opened.
  [[nodiscard]] bool is_fresh(std::size_t conversation) const { return fresh_[conversation]; }
  /// Openings of pools' connections that did not come yet, in their order.
  [[nodiscard]] std::vector<std::size_t> openings() const;

 private:
  void open_links_at_once();
  [[nodiscard]] std::size_t pair_of(std::size_t conversation) const;

  recording all_;
  bool miners_, pools_;
  std::vector<role> roles_;
  std::vector<bool> met_;    // came, or was done
  std::vector<bool> fresh_;  // by conversation
  std::vector<std::vector<std::size_t>> theirs_;  // of each conversation
  std::vector<std::size_t> next_;                 // in each of them
  std::vector<std::optional<std::size_t>> workers_;  // by conversation
  std::size_t cursor_ = 0, missing_ = 0;
  std::size_t settled_ = 0;  // nothing is missing before it
};

}  // namespace stratumload
