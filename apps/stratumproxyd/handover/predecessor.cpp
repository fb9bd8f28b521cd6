#include "handover/predecessor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "handover/share_words.hpp"

namespace stratumproxyd {
namespace {

constexpr std::chrono::seconds patience{60};  // it may have totals to write first

unix_channel reach(const std::filesystem::path& socket) {
  if (socket.empty()) throw std::runtime_error("--takeover needs a socket under [handover] in the configuration file, the same as the running one's");
  auto channel = unix_channel::to(socket);
  if (!channel) throw nobody_answers(fmt::format("no stratumproxyd answers at {}: this one starts as without --takeover", socket.string()));
  if (!channel->may_be_asked()) throw std::runtime_error(fmt::format("whoever answers at {} is another user", socket.string()));
  return std::move(*channel);
}

}  // namespace

predecessor::predecessor(const std::filesystem::path& socket) : channel_(reach(socket)) {
  channel_.set_patience(patience);
  (void)channel_.send(std::vector<std::string>{"take", version});
  auto& [stratum, web, tag] = offered_;
  while (tag.empty()) {
    auto said = answer();
    auto& words = said.words;
    const auto move_to = [&](offered_place::listener& to) { std::ranges::move(said.descriptors, std::back_inserter(to.sockets)); };
    if (words[0] == "stratum" && words.size() == 2) move_to(stratum.emplace_back(offered_place::listener{words[1], {}}));
    else if (words[0] == "more" && !stratum.empty()) move_to(stratum.back());
    else if (words[0] == "web" && words.size() == 2) move_to(web = {words[1], {}});
    else if (words[0] == "tag" && words.size() == 2 && !words[1].empty()) tag = words[1];
    else throw std::runtime_error(fmt::format("the running stratumproxyd says \"{}\" where sockets were expected", words[0]));
  }
}

predecessor::~predecessor() { stop(); }

unix_channel::message predecessor::answer() {
  auto got = channel_.receive();
  if (!got || got->words.empty()) throw std::runtime_error("the running stratumproxyd does not let go: see its log; it goes on serving");
  if (got->words[0] == "refused") throw std::runtime_error(fmt::format("the running stratumproxyd refuses: {}", got->words.back()));
  return std::move(*got);
}

inherited_sockets predecessor::sockets_for(const config& settings) {
  auto& [stratum, web, tag] = offered_;
  inherited_sockets found;
  std::vector<std::string> wanted = {settings.proxy.address};
  for (const auto& more : settings.proxy.more_listeners) wanted.push_back(more.address);
  for (const auto& address : wanted) {
    auto& sockets = found.stratum.emplace_back();
    const auto from = std::ranges::find(stratum, address, &offered_place::listener::address);
    if (from == stratum.end()) continue;
    sockets = std::move(from->sockets);
    stratum.erase(from);
  }
  if (web.address == settings.web.address && !web.sockets.empty()) found.web = std::move(web.sockets.front());
  stratum.clear();
  web = {};
  return found;
}

void predecessor::release_tag(const std::string& tag) {
  if (tag != offered_.tag) return;
  (void)channel_.send(std::vector<std::string>{"release"});
  if (answer().words[0] != "released") throw std::runtime_error("the running stratumproxyd does not release its tag");
}

void predecessor::retire() {
  (void)channel_.send(std::vector<std::string>{"serve"});
  if (answer().words[0] != "retired") throw std::runtime_error("the running stratumproxyd does not retire");
  channel_.set_patience(std::chrono::milliseconds(0));
  listener_ = std::thread([this] { listen(); });
}

void predecessor::listen() {
  while (const auto got = channel_.receive()) {
    const auto row = shares_of(got->words);
    if (!row) break;
    const std::lock_guard lock(mutex_);
    totals_[{row->account, row->pool, row->algorithm}] += row->shares;
  }
  gone_ = true;
}

void predecessor::add_totals(std::vector<stratumproxy::metrics::total_row>& rows) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, shares] : totals_) {
    stratumproxy::metrics::total_row row;
    std::tie(row.account, row.pool, row.algorithm) = name;
    row.shares = shares;
    rows.push_back(std::move(row));
  }
}

void predecessor::stop() {
  channel_.end_input();
  if (listener_.joinable()) listener_.join();
}

}  // namespace stratumproxyd
