#include "session/tapping_host.hpp"

#include <algorithm>
#include <utility>

namespace stratumproxy::session {
namespace {

constexpr std::size_t max_secrets = 16;  // of one miner: the passwords of the accounts it was on

}  // namespace

tapping_host::conversation* tapping_host::find(channel_id channel) {
  const auto found = conversations_.find(channel);
  return found == conversations_.end() ? nullptr : &found->second;
}

void tapping_host::tell(const conversation& in, tapped_event::kind what, std::string_view line) {
  tap_.on_event({.what = what, .peer = in.peer, .conversation = in.number, .address = in.address,
                 .text = mask_.masked(line, in.secrets)});
}

void tapping_host::miner_opened(channel_id channel, const std::string& peer) {
  const auto& added = conversations_[channel] = {.number = number_of(channel), .address = peer};
  tap_.on_event({.conversation = added.number, .address = added.address});
}

void tapping_host::miner_adopted(channel_id channel, const handover& what) {
  conversations_[channel] = {.number = what.conversation, .address = what.peer, .was_told = true};
}

void tapping_host::miner_attached(channel_id channel, const std::string& password) {
  auto* const worker = find(channel);
  if (!worker || std::find(worker->secrets.begin(), worker->secrets.end(), password) != worker->secrets.end()) return;
  if (worker->secrets.size() == max_secrets) worker->secrets.erase(worker->secrets.begin());
  worker->secrets.push_back(password);
}

void tapping_host::link_connects(channel_id channel, const link_facts& of) {
  const auto* const worker = find(of.worker);
  conversations_[channel] = {.peer = tapped_event::side::pool, .number = number_of(channel), .address = of.route.pool.name(),
                             .secrets = {of.route.password}, .is_open = false, .link = of.link,
                             .worker = worker ? worker->number : 0, .session = std::string(of.session.substr(0, 8)),
                             .account = of.owner.name, .algorithm = of.route.pool.algorithm};
}

void tapping_host::link_connected(channel_id channel) {
  auto* const link = find(channel);
  if (!link) return;
  link->is_open = true;
  tap_.on_event({.peer = link->peer, .conversation = link->number, .address = link->address, .link = link->link,
                 .worker = link->worker, .session = link->session, .account = link->account, .algorithm = link->algorithm});
}

void tapping_host::received(channel_id channel, std::span<const char> line) {
  auto* const from = find(channel);
  if (!from || std::exchange(from->was_told, false)) return;
  tell(*from, tapped_event::kind::received, {line.data(), line.size()});
}

void tapping_host::send(channel_id channel, std::string_view bytes) {
  if (const auto* const to = find(channel)) {
    for (auto rest = bytes; !rest.empty();) {
      const auto end = std::min(rest.find('\n'), rest.size());
      if (end != 0) tell(*to, tapped_event::kind::sent, rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  real_.send(channel, bytes);
}

void tapping_host::end(channel_id channel, close_reason reason, bool by_peer) {
  const auto found = conversations_.find(channel);
  if (found == conversations_.end()) return;
  const auto gone = std::move(found->second);
  conversations_.erase(found);
  if (!gone.is_open) return;
  tap_.on_event({.what = tapped_event::kind::ended, .peer = gone.peer, .conversation = gone.number, .address = gone.address,
                 .text = name(reason), .by_peer = by_peer});
}

void tapping_host::close(channel_id channel, close_reason reason) {
  end(channel, reason, reason == close_reason::peer_left);  // a miner that has ended its side
  real_.close(channel, reason);
}

void tapping_host::hand_over(channel_id channel, unsigned shard, handover what) {
  if (const auto found = conversations_.find(channel); found != conversations_.end()) {
    what.conversation = found->second.number;
    conversations_.erase(found);
  }
  real_.hand_over(channel, shard, std::move(what));
}

}  // namespace stratumproxy::session
