#include "handover/successor_gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "handover/predecessor.hpp"
#include "handover/share_words.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::log_level;
using words = std::vector<std::string>;

constexpr std::chrono::seconds patience{60};  // the other one opens its database, which may be a long way to go
constexpr std::chrono::seconds late_patience{1};

unix_listener listen_at(const std::filesystem::path& socket, bool replaces) try {
  if (!replaces && unix_channel::to(socket))
    throw std::runtime_error(fmt::format("another stratumproxyd answers at {}: take its place with --takeover, or give this one another "
                                         "socket under [handover]", socket.string()));
  return unix_listener(socket);
} catch (const std::system_error& error) {
  throw std::runtime_error(fmt::format("cannot listen on the handover socket {}", error.what()));
}

}  // namespace

successor_gate::successor_gate(const std::filesystem::path& socket, bool replaces, handover_host& host, stratumproxy::log_sink& log)
    : host_(host), log_(log), listener_(listen_at(socket, replaces)) {}

successor_gate::~successor_gate() { stop(); }

void successor_gate::start() {
  try {
    listener_.take_name();
  } catch (const std::system_error& error) {
    tell(log_level::error, "handover_unreachable", error.what());  // no more: it serves already
  }
  thread_ = std::thread([this] { run(); });
}

void successor_gate::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (channel_) channel_->end();
  }
  listener_.end();
  if (thread_.joinable()) thread_.join();
}

bool successor_gate::send(const total_record& row) {
  std::shared_ptr<unix_channel> channel;
  {
    const std::lock_guard lock(mutex_);
    channel = channel_;
  }
  return channel && channel->send(to_words(row));
}

void successor_gate::run() {
  while (auto asking = listener_.accept()) {
    if (!asking->may_ask()) {
      tell(log_level::warning, "handover_refused", "whoever asks for this daemon's place is another user");
      continue;
    }
    const auto channel = std::make_shared<unix_channel>(std::move(*asking));
    channel->set_patience(patience);
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      channel_ = channel;
    }
    const bool is_taken = hand_over(*channel);
    if (is_taken) {
      refuse_waiting();
      channel->set_patience(std::chrono::milliseconds(0));
      (void)channel->receive();  // it has nothing more to say: this is its end
    }
    {
      const std::lock_guard lock(mutex_);
      channel_.reset();
      if (stopping_) return;
    }
    if (is_taken) return host_.successor_ended();
  }
}

void successor_gate::refuse_waiting() {
  while (auto late = listener_.accept()) {
    late->set_patience(late_patience);
    if (!late->may_ask() || !late->receive()) continue;
    (void)late->send(words{"refused", "another one has taken its place just now"});
  }
}

bool successor_gate::hand_over(unix_channel& channel) {
  const auto asked = channel.receive();
  if (!asked || asked->words != words{"take", predecessor::version}) {
    (void)channel.send(words{"refused", fmt::format("it hands over by version {} of the protocol", predecessor::version)});
    return false;
  }
  tell(log_level::info, "handover_begins", "another stratumproxyd asks for this one's place");
  bool is_released = false;
  const auto give_up = [&](std::string_view why) {
    tell(log_level::warning, "handover_failed", why);
    if (is_released) host_.keep_tag();
    return false;
  };
  if (!send_sockets(channel)) return give_up("the other one is gone");
  auto next = channel.receive();
  if (next && next->words == words{"release"}) {
    if (!host_.release_tag()) {
      (void)channel.send(words{"refused", "its totals cannot be written"});
      return give_up("the totals cannot be written");
    }
    is_released = true;
    (void)channel.send(words{"released"});
    next = channel.receive();
  }
  if (!next || next->words != words{"serve"}) return give_up("the other one did not come to serve");
  host_.retire();
  if (!channel.send(words{"retired"})) tell(log_level::warning, "handover_failed", "the other one ended just as it served");
  host_.leave(is_released);
  listener_.end();  // after that: by now the name is the other one's
  tell(log_level::info, "handed_over", "the other one serves; the workers of this one stay until they leave, or their time is over");
  return true;
}

bool successor_gate::send_sockets(unix_channel& channel) try {
  const auto [stratum, web, tag] = host_.what_is_offered();
  for (const auto& [address, sockets] : stratum) {
    std::span left(sockets);
    words what = {"stratum", address};
    do {
      const auto some = left.first(std::min(left.size(), unix_channel::most_descriptors));
      if (!channel.send(what, some)) return false;
      left = left.subspan(some.size());
      what = {"more"};
    } while (!left.empty());
  }
  return channel.send(words{"web", web.address}, web.sockets) && channel.send(words{"tag", tag});
} catch (const std::system_error& error) {
  tell(log_level::warning, "descriptors_exhausted", error.what());
  return false;
}

void successor_gate::tell(log_level level, std::string_view event, std::string_view detail) {
  log_.write({.level = level, .event = event, .session = {}, .worker = {}, .account = {}, .pool = {}, .detail = detail});
}

}  // namespace stratumproxyd
