#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "session/line_mask.hpp"
#include "stratumproxy/account.hpp"
#include "stratumproxy/line_tap.hpp"
#include "stratumproxy/session/session_manager.hpp"

namespace stratumproxy::session {

/// The host of a shard that is listened to: tells the tap what goes out on the way to the real host, and what comes in when the
/// manager says so. Without a tap there is none, and the manager has the real host.
class tapping_host final : public session_host {
 public:
  tapping_host(session_host& real, line_tap& tap, unsigned shard, unsigned shards)
      : real_(real), tap_(tap), shard_(shard), shards_(shards) {}

  /// What is known of a link when it connects.
  struct link_facts {
    std::uint64_t link = 0;
    channel_id worker{};  // 0: nobody
    std::string_view session;
    const account& owner;
    const account_route& route;
  };

  // ---- what the manager hears
  void miner_opened(channel_id channel, const std::string& peer);
  void miner_adopted(channel_id channel, const handover& what);
  /// The miner hears of a pool from now on; what the pool says could have this password in it.
  void miner_attached(channel_id channel, const std::string& password);
  void link_connects(channel_id channel, const link_facts& of);
  void link_connected(channel_id channel);
  void received(channel_id channel, std::span<const char> line);
  void ended(channel_id channel, close_reason reason) { end(channel, reason, true); }

  // ---- what it says
  void send(channel_id channel, std::string_view bytes) override;
  void close(channel_id channel, close_reason reason) override;
  void connect(channel_id channel, const destination& to) override { real_.connect(channel, to); }
  void set_reading(channel_id channel, bool enabled) override { real_.set_reading(channel, enabled); }
  void find_account(lookup_id lookup, std::string_view name) override { real_.find_account(lookup, name); }
  void find_session(lookup_id lookup, std::string_view id) override { real_.find_session(lookup, id); }
  bool check_share(check_id check, proof_request what) override { return real_.check_share(check, std::move(what)); }
  void hand_over(channel_id channel, unsigned shard, handover what) override;

 private:
  struct conversation {
    tapped_event::side peer = tapped_event::side::miner;
    std::uint64_t number = 0;
    std::string address;
    std::vector<std::string> secrets;
    bool was_told = false;  // its next line, by the shard that it came from
    bool is_open = true;
    // of a link
    std::uint64_t link = 0, worker = 0;
    std::string session, account, algorithm;
  };

  [[nodiscard]] std::uint64_t number_of(channel_id channel) const noexcept {
    return static_cast<std::uint64_t>(channel) * shards_ + shard_;
  }
  [[nodiscard]] conversation* find(channel_id channel);
  void tell(const conversation& in, tapped_event::kind what, std::string_view line);
  void end(channel_id channel, close_reason reason, bool by_peer);

  session_host& real_;
  line_tap& tap_;
  const unsigned shard_, shards_;
  line_mask mask_;
  std::unordered_map<channel_id, conversation> conversations_;
};

}  // namespace stratumproxy::session
