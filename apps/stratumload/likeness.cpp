#include "likeness.hpp"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "stratumproxy/protocol/codec.hpp"

namespace stratumload {
namespace {

using value = json_line::value;
using stratumproxy::protocol::parse_hex32;

constexpr std::string_view masked = "***";
constexpr std::string_view agent_head = "stratumproxy/";
constexpr std::uint32_t longest_moved = 600;  // seconds that a proxy moves a repeated job's time on

std::string_view text_of(const value& of) { return json_line::string_of(&of); }

std::optional<double> number_of(const value& of) {
  if (!json_line::is_number(of)) return std::nullopt;
  double out = 0;
  const auto text = text_of(of).substr(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  if (from.empty() || from == to) return;
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

/// [anything, extranonce1, size]
struct subscribed {
  const value* result = nullptr;
  [[nodiscard]] explicit operator bool() const { return result != nullptr; }
  [[nodiscard]] unsigned extranonce_at() const { return result->Size() - 2; }
  [[nodiscard]] std::string_view extranonce() const { return text_of((*result)[extranonce_at()]); }
  [[nodiscard]] unsigned size() const { return static_cast<unsigned>(number_of((*result)[extranonce_at() + 1]).value_or(0)); }
};

subscribed as_subscribed(const json_line& line) {
  const auto* result = line.find("result");
  if (!result || !result->IsArray() || result->Size() < 3) return {};
  const auto& extranonce = (*result)[result->Size() - 2];
  if (!extranonce.IsString() || json_line::is_number(extranonce) || !json_line::is_number((*result)[result->Size() - 1])) return {};
  return {result};
}

// The word of its instance: "stratumproxy/0.1.0 (WORD chain)"; the version is that of the program, which may be a newer one now.
struct agent {
  std::string_view own, chain;
};
std::optional<agent> as_agent(std::string_view text) {
  if (!text.starts_with(agent_head)) return std::nullopt;
  const auto end = std::min(text.find_first_of(" )", std::min(text.find('('), text.size())), text.size());
  return agent{text.substr(0, end), text.substr(end)};
}

}  // namespace

bool pairing::pair(const std::string& recorded, const std::string& seen) {
  const auto [one, is_new] = seen_.try_emplace(recorded, seen);
  if (!is_new) return one->second == seen;
  if (recorded_.try_emplace(seen, recorded).second) return true;
  seen_.erase(one);
  return false;
}

std::optional<std::string> pairing::seen_for(const std::string& recorded) const {
  const auto found = seen_.find(recorded);
  if (found == seen_.end()) return std::nullopt;
  return found->second;
}

std::string likeness::now_called(std::string_view recorded) const {
  std::string out(recorded);
  for (const auto* names : {&addresses, &accounts})
    for (const auto& [before, now] : *names) replace_all(out, before, now);
  return out;
}

// One comparison.
struct likeness::pass {
  likeness& all;
  const side peer;
  const json_line& was;
  talk& in;
  talk* const miner;
  std::optional<unlikeness> found = std::nullopt;
  std::string where = {};

  bool differs(const value& expected, const value& got) {
    found = {where, json_line::text_of(expected), json_line::text_of(got)};
    return false;
  }

  bool same(const value& expected, const value& got) {
    if (expected.GetType() != got.GetType()) return differs(expected, got);
    const auto length = where.size();
    const auto inside = [&](const std::string& step, const value& one, const value& other) {
      where += step;
      const bool good = same(one, other);
      if (good) where.resize(length);
      return good;
    };
    if (expected.IsArray()) {
      if (expected.Size() != got.Size()) return differs(expected, got);
      for (rapidjson::SizeType i = 0; i < expected.Size(); ++i)
        if (!inside(fmt::format("[{}]", i), expected[i], got[i])) return false;
      return true;
    }
    if (expected.IsObject()) {
      if (expected.MemberCount() != got.MemberCount()) return differs(expected, got);
      for (const auto& member : expected.GetObject()) {
        const auto other = got.FindMember(member.name);
        if (other == got.MemberEnd()) return differs(expected, got);
        if (!inside((length == 0 ? "" : ".") + std::string(text_of(member.name)), member.value, other->value)) return false;
      }
      return true;
    }
    return !expected.IsString() || same_text(expected, got) || differs(expected, got);
  }

  bool same_text(const value& expected, const value& got) {
    const std::string before(text_of(expected)), now(text_of(got));
    const auto method = was.method();
    if (where == "id") return method.empty() ? before == now : in.requests.pair(json_line::text_of(expected), json_line::text_of(got));
    if (json_line::is_number(expected) || json_line::is_number(got))
      return number_of(expected) && number_of(expected) == number_of(got);
    const auto own = peer == side::miner ? same_for_miner(method, before, now) : same_for_pool(method, before, now);
    if (own) return *own;
    const auto old_agent = as_agent(before), new_agent = as_agent(now);
    if (old_agent && new_agent)
      return old_agent->chain == new_agent->chain && all.instances_.pair(std::string(old_agent->own), std::string(new_agent->own));
    return now == before || now == all.now_called(before);
  }

  // Nothing: it is a text like any other.
  std::optional<bool> same_for_miner(std::string_view method, const std::string& before, const std::string& now) {
    if (method == "mining.notify" && where == "params[0]") return all.jobs_.pair(before, now);
    if (method == "mining.notify" && before != now) return is_moved_time(before, now);
    if (method == "mining.set_extranonce" && where == "params[0]") return same_extranonce(before, now);
    const auto reply = as_subscribed(was);
    if (!reply || !where.starts_with("result[")) return std::nullopt;
    if (where == fmt::format("result[{}]", reply.extranonce_at())) return same_extranonce(before, now);
    if (before.starts_with("mining.")) return std::nullopt;
    return all.sessions_.pair(before, now);
  }

  // The pool's own extranonce is passed on as it is; one that the proxy dealt may be another one now.
  bool same_extranonce(const std::string& before, const std::string& now) {
    if (before.size() != now.size() || (all.pools_extranonces_.contains(before) && before != now)) return false;
    in.own.recorded = before;
    in.own.seen = now;
    return true;
  }

  // A job that is sent again has its time moved on by the proxy, by as much as has passed.
  bool is_moved_time(const std::string& before, const std::string& now) const {
    const auto old_time = parse_hex32(before), new_time = parse_hex32(now);
    if (!old_time || !new_time || before.size() != now.size() || all.times_.contains(*old_time)) return false;
    const auto since = all.times_.upper_bound(*new_time);
    return since != all.times_.begin() && *new_time - *std::prev(since) <= longest_moved;
  }

  std::optional<bool> same_for_pool(std::string_view method, const std::string& before, const std::string& now) {
    if (method == "mining.authorize" && where != "params[0]" && before == masked) return true;
    if (method == "mining.submit" && where == "params[2]" && before.size() == now.size()) return same_extranonce2(before, now);
    return std::nullopt;
  }

  // pad | mark | the miner's own
  bool same_extranonce2(std::string before, const std::string& now) const {
    if (miner && !all.pools_extranonces_.contains(miner->own.recorded)) {
      auto& [recorded, seen, size] = miner->own;
      const auto behind = recorded.size() + std::size_t{2} * size;
      if (behind <= before.size() && before.compare(before.size() - behind, recorded.size(), recorded) == 0) {
        const auto at = before.size() - behind;
        if (seen.empty()) seen = now.substr(at, recorded.size());
        before.replace(at, seen.size(), seen);
      }
    }
    return before == now;
  }
};

std::optional<unlikeness> likeness::compare(side peer, std::string_view recorded, std::string_view came, talk& in, talk* miner) {
  json_line was, is;
  const bool had = was.parse(recorded), has = is.parse(came);
  if (!had || !has) {
    // What could not be recorded as it was is not known.
    if (!had && !has && (recorded == came || recorded.starts_with("unusable: "))) return std::nullopt;
    return unlikeness{"the line", std::string(recorded), std::string(came)};
  }
  pass one{*this, peer, was, in, miner};
  if (!one.same(was.root(), is.root())) return one.found;
  note(peer, false, std::string(recorded), in);
  return std::nullopt;
}

std::string likeness::ours(side peer, const std::string& recorded, const talk& in) {
  json_line line;
  if (!line.parse(recorded)) return recorded;
  bool changed = false;
  const auto set = [&](unsigned index, const std::optional<std::string>& text) {
    if (!text || !line.param(index) || json_line::string_of(line.param(index)) == *text) return;
    line.set_param(index, *text);
    changed = true;
  };
  const auto method = std::string(line.method());
  if (method.empty() || peer == side::pool) {
    const auto id = method.empty() ? in.requests.seen_for(line.id_text()) : std::nullopt;
    if (id && *id != line.id_text()) {
      line.set_id(*id);
      changed = true;
    }
  } else if (method == "mining.submit" || method == "mining.authorize") {
    std::string login(json_line::string_of(line.param(0)));
    const auto account = login.substr(0, login.find_first_of("._/+"));
    if (const auto now = accounts.find(account); now != accounts.end()) set(0, now->second + login.substr(account.size()));
    if (method == "mining.submit") set(1, jobs_.seen_for(std::string(json_line::string_of(line.param(1)))));
    if (method == "mining.authorize" && !password.empty()) set(1, password);
  } else if (method == "mining.subscribe") {
    set(1, sessions_.seen_for(std::string(json_line::string_of(line.param(1)))));
  }
  if (method == "client.reconnect" && line.param(1)) {
    const auto host = std::string(json_line::string_of(line.param(0)));
    auto port = std::string(json_line::string_of(line.param(1)));
    const bool is_number = json_line::is_number(*line.param(1));
    if (is_number) port.erase(0, 1);
    if (const auto now = addresses.find(host + ":" + port); now != addresses.end()) {
      const auto colon = now->second.rfind(':');
      set(0, now->second.substr(0, colon));
      set(1, (is_number ? std::string(1, json_line::number_sign) : std::string()) + now->second.substr(colon + 1));
    }
  }
  return changed ? line.text() : recorded;
}

void likeness::note(side peer, bool by_peer, const std::string& recorded, talk& in) {
  json_line line;
  if (by_peer != (peer == side::pool) || !line.parse(recorded)) return;
  // What a pool says, or what a proxy says in its place.
  const auto reply = line.method().empty() ? as_subscribed(line) : subscribed{};
  const bool moves = line.method() == "mining.set_extranonce" && line.param(1);
  if (peer == side::pool) {
    if (reply) pools_extranonces_.emplace(reply.extranonce());
    if (moves) pools_extranonces_.emplace(json_line::string_of(line.param(0)));
    if (line.method() != "mining.notify") return;
    for (unsigned i = 4; const auto* param = line.param(i); ++i) {
      const auto text = json_line::string_of(param);
      if (text.size() == 8)
        if (const auto time = parse_hex32(text)) times_.insert(*time);
    }
  } else if (reply || moves) {
    auto& [before, seen, size] = in.own;
    const std::string now(reply ? reply.extranonce() : json_line::string_of(line.param(0)));
    if (before != now) seen.clear();
    before = now;
    size = reply ? reply.size() : static_cast<unsigned>(number_of(*line.param(1)).value_or(0));
  }
}

bool likeness::could_be(const std::string& recorded, std::string_view came) {
  json_line was, is;
  if (!was.parse(recorded) || !is.parse(came) || was.method() != is.method()) return false;
  return was.method() != "mining.subscribe" || json_line::string_of(was.param(1)) == json_line::string_of(is.param(1));
}

}  // namespace stratumload
