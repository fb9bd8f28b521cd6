#include "simulation.hpp"

#include <algorithm>
#include <cmath>
#include <variant>

namespace simulation {

namespace protocol = stratumproxy::protocol;
namespace session = stratumproxy::session;
using session::channel_id;

namespace {

std::string hex(std::uint64_t value, std::size_t bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text(bytes * 2, '0');
  for (auto at = text.rbegin(); at != text.rend(); ++at, value >>= 4) *at = digits[value & 15];
  return text;
}

// Whole lines, one after the other; what is left stays in `rest`.
void each_line(std::string& rest, std::string_view bytes, const std::function<void(std::string)>& take) {
  rest += bytes;
  for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
    auto line = rest.substr(0, end);
    rest.erase(0, end + 1);
    take(std::move(line));
  }
}

}  // namespace

// ---- proof of work -----------------------------------------------------------------------------------------------------

// Rounded up: a share that is worth exactly what was asked for must not fall below it.
std::uint32_t nonce_of_difficulty(double difficulty) {
  return static_cast<std::uint32_t>(std::clamp(std::ceil(std::ldexp(std::log2(difficulty) + 64, 25)), 0.0, 0x1p32 - 1));
}

double difficulty_of_nonce(std::uint32_t nonce) { return std::exp2(std::ldexp(nonce, -25) - 64); }

std::shared_ptr<const stratumproxy::algorithm::registry> algorithms_by_nonce(double divider) {
  namespace algorithm = stratumproxy::algorithm;
  algorithm::info made;
  made.divider = divider;
  made.source = "a test";
  made.hash = [divider](std::span<const std::uint8_t> header, std::span<std::uint8_t, 32> hash) {
    const std::uint32_t nonce = header[76] | header[77] << 8U | header[78] << 16U | static_cast<std::uint32_t>(header[79]) << 24U;
    const auto value = algorithm::target_of(difficulty_of_nonce(nonce), divider);
    for (std::size_t i = 0; i < hash.size(); ++i) hash[i] = static_cast<std::uint8_t>(value.words[i / 8] >> (i % 8 * 8));
    return true;
  };
  auto all = std::make_shared<algorithm::registry>();
  for (const auto& [name, cost] : {std::pair("by-nonce", algorithm::hash_cost::fast), {"by-nonce-slow", algorithm::hash_cost::slow}}) {
    made.name = name;
    made.cost = cost;
    if (all->add(made)) throw std::logic_error("the registry does not take the algorithm by nonce");
  }
  return all;
}

// ---- shard -------------------------------------------------------------------------------------------------------------

shard::shard(world& owner, unsigned which, unsigned) : all(owner), index(which) {}

void shard::send(channel_id channel, std::string_view bytes) {
  const auto found = channels.find(channel);
  if (found == channels.end()) return;
  all.after(all.latency, [to = found->second, text = std::string(bytes)] {
    if (const auto other = to.lock()) other->on_bytes(text);
  });
}

void shard::close(channel_id channel, session::close_reason) {
  dialing.erase(channel);
  const auto found = channels.find(channel);
  if (found == channels.end()) return;
  all.after(all.latency, [to = found->second] {
    if (const auto other = to.lock()) other->on_closed();
  });
  channels.erase(found);
}

void shard::connect(channel_id channel, const session::destination& to) {
  const auto where = to.host + ":" + std::to_string(to.port);
  dialing.insert(channel);
  all.after(all.latency, [this, channel, where] {
    if (dialing.erase(channel) == 0) return;
    const auto found = all.pools.find(where);
    if (found != all.pools.end()) ++found->second->attempts;
    if (found == all.pools.end() || !found->second->up) {
      return manager->closed(channel, session::close_reason::connect_failed, all.now);
    }
    const auto link = found->second->accept(index, channel);
    channels[channel] = link;
    manager->connected(channel, all.now);
    if (found->second->closes_at_once) link->drop();
  });
}

void shard::set_reading(channel_id channel, bool enabled) {
  reading[channel] = enabled;
  if (!enabled || held[channel].empty()) return;
  all.after(0ms, [this, channel] {
    if (!reading[channel]) return;
    auto bytes = std::exchange(held[channel], {});
    manager->receive(channel, bytes, all.now);
  });
}

void shard::find_account(session::lookup_id lookup, std::string_view name) {
  all.after(all.latency, [this, lookup, wanted = std::string(name)] {
    using status = stratumproxy::account_lookup::status;
    const auto found = all.accounts.find(wanted);
    if (!all.database_up) return manager->account_found(lookup, {status::unavailable, nullptr}, all.now);
    if (found == all.accounts.end()) return manager->account_found(lookup, {status::unknown, nullptr}, all.now);
    manager->account_found(lookup, {status::found, found->second}, all.now);
  });
}

void shard::find_session(session::lookup_id lookup, std::string_view id) {
  all.sessions->claim(std::string(id), [this, lookup](std::optional<stratumproxy::session_record> found) {
    all.after(all.latency, [this, lookup, found = std::move(found)] { manager->session_found(lookup, found, all.now); });
  });
}

bool shard::check_share(session::check_id check, session::proof_request what) {
  if (checks >= all.max_checks) return false;
  ++checks;
  all.after(all.check_time, [this, check, what = std::move(what)] {
    --checks;
    manager->share_checked(check, stratumproxy::algorithm::check(*what.how, *what.work, what.share), all.now);
  });
  return true;
}

void shard::hand_over(channel_id channel, unsigned to, session::handover what) {
  const auto found = channels.find(channel);
  if (found == channels.end()) return;
  const auto who = found->second;
  channels.erase(found);
  if (const auto moving = std::dynamic_pointer_cast<miner>(who.lock())) moving->migrates = true;
  all.after(0ms, [this, to, who, what = std::move(what)] {
    const auto other = std::dynamic_pointer_cast<miner>(who.lock());
    if (!other || !other->open) return;
    other->migrates = false;
    auto& target = *all.shards[to];
    other->channel = target.manager->adopt(what, all.now);
    other->shard_index = to;
    target.channels[other->channel] = other;
    target.manager->tick(all.now);
  });
}

// ---- miner -------------------------------------------------------------------------------------------------------------

miner::miner(world& owner, unsigned shard, std::string from) : all(owner), shard_index(shard), address(std::move(from)) {}

void miner::send(std::string line) {
  line += '\n';
  all.after(all.latency, [this, text = std::move(line)]() mutable { deliver(std::move(text)); });
}

void miner::deliver(std::string text) {
  if (migrates) return all.after(all.latency, [this, text = std::move(text)]() mutable { deliver(std::move(text)); });
  auto& proxy = *all.shards[shard_index];
  const auto found = proxy.channels.find(channel);
  if (!open || found == proxy.channels.end() || found->second.lock().get() != this) return;
  const auto reads = proxy.reading.find(channel);
  if (reads != proxy.reading.end() && !reads->second) {
    proxy.held[channel] += text;
    return;
  }
  proxy.manager->receive(channel, text, all.now);
}

void miner::subscribe(const std::string& known, const std::string& agent) {
  subscribe_id_ = next_id++;
  send("{\"id\":" + std::to_string(subscribe_id_) + ",\"method\":\"mining.subscribe\",\"params\":[\"" + agent + "\"" +
       (known.empty() ? "" : ",\"" + known + "\"") + "]}");
}

void miner::authorize(const std::string& name) {
  user = name;
  send("{\"id\":" + std::to_string(next_id++) + ",\"method\":\"mining.authorize\",\"params\":[\"" + name + "\",\"x\"]}");
}

void miner::login(const std::string& name, const std::string& known, const std::string& agent) {
  subscribe(known, agent);
  authorize(name);
}

std::uint64_t miner::submit(std::optional<work> on, const std::string& worker) {
  return submit_nonce(static_cast<std::uint32_t>(all.random()), on ? *on : jobs.back(), worker);
}

std::uint64_t miner::submit_of(double value, std::optional<work> on) {
  return submit_nonce(nonce_of_difficulty(value), on ? *on : jobs.back(), user);
}

std::uint64_t miner::submit_nonce(std::uint32_t nonce, const work& job, const std::string& worker) {
  const auto id = next_id++;
  ++submits;
  send("{\"id\":" + std::to_string(id) + ",\"method\":\"mining.submit\",\"params\":[\"" + (worker.empty() ? user : worker) +
       "\",\"" + job.text_id + "\",\"" + hex(submits, job.extranonce2_size) + "\",\"" + job.ntime + "\",\"" +
       hex(nonce, 4) + "\"]}");
  return id;
}

void miner::reset() {
  if (!open) return;
  open = false;
  auto& proxy = *all.shards[shard_index];
  proxy.channels.erase(channel);
  proxy.manager->closed(channel, session::close_reason::reset, all.now);
}

void miner::vanish() { open = false; }

void miner::on_bytes(std::string_view bytes) {
  if (open) each_line(rest_, bytes, [this](std::string line) { on_line(std::move(line)); });
}

void miner::on_closed() { open = false; }

const miner::reply* miner::reply_to(std::uint64_t id) const {
  const auto text = std::to_string(id);
  const auto found = std::find_if(replies.begin(), replies.end(), [&](const reply& r) { return r.id == text; });
  return found == replies.end() ? nullptr : &*found;
}

void miner::on_line(std::string line) {
  lines.push_back(line);
  const auto message = all.decoder.decode_pool(line, 2);
  if (!message) throw std::logic_error("the proxy sent an unusable line: " + lines.back());
  if (const auto* const response = std::get_if<protocol::pool_response>(&message->body)) {
    replies.push_back({std::string(message->id), response->accepts(), response->has_error || !response->succeeded(),
                       response->error_code, std::string(response->error_text)});
    if (response->id == subscribe_id_ && !subscribed) {
      const auto result = all.decoder.as_subscribe_result();
      if (!result) throw std::logic_error("unusable subscribe reply: " + lines.back());
      subscribed = true;
      extranonce1 = result->extranonce1;
      extranonce2_size = result->extranonce2_size;
      session = result->session;
    }
  } else if (const auto* const job = std::get_if<protocol::job>(&message->body)) {
    const auto head = job->text.substr(0, job->splice_at);
    jobs.push_back({protocol::parse_job_id(job->pool_id).value_or(0), job->pool_id, head.substr(head.rfind('"') + 1),
                    hex(job->ntime, 4), difficulty, job->clean, extranonce1, extranonce2_size});
  } else if (const auto* const value = std::get_if<protocol::set_difficulty>(&message->body)) {
    difficulty = value->value;
  } else if (const auto* const fresh = std::get_if<protocol::set_extranonce>(&message->body)) {
    extranonce1 = fresh->extranonce1;
    extranonce2_size = fresh->extranonce2_size;
  } else if (const auto* const text = std::get_if<protocol::show_message>(&message->body)) {
    messages.emplace_back(text->text);
  }
}

// ---- pool --------------------------------------------------------------------------------------------------------------

std::shared_ptr<pool_link> pool::accept(unsigned shard, channel_id channel) {
  const auto number = keeps_extranonce1 ? 1 : next_extranonce1++;
  links.push_back(std::make_shared<pool_link>(*this, shard, channel, hex(number, extranonce1_bytes)));
  return links.back();
}

std::shared_ptr<pool_link> pool::newest() const { return links.empty() ? nullptr : links.back(); }

std::size_t pool::open_links() const {
  return static_cast<std::size_t>(std::count_if(links.begin(), links.end(), [](const auto& l) { return l->open; }));
}

void pool::drop_all() {
  for (const auto& link : links) link->drop();
}

pool_link::pool_link(pool& to, unsigned shard, channel_id which, std::string x1)
    : owner(to), shard_index(shard), channel(which), extranonce1(std::move(x1)) {}

void pool_link::drop() {
  if (!open) return;
  open = false;
  auto& all = owner.all;
  all.after(all.latency, [this, &all] {
    auto& proxy = *all.shards[shard_index];
    if (proxy.channels.erase(channel) == 0) return;
    proxy.manager->closed(channel, session::close_reason::peer_left, all.now);
  });
}

void pool_link::send(const std::string& line) {
  if (!open) return;
  auto& all = owner.all;
  all.after(all.latency, [this, &all, text = line + "\n"]() mutable {
    auto& proxy = *all.shards[shard_index];
    if (open && proxy.channels.contains(channel)) proxy.manager->receive(channel, text, all.now);
  });
}

void pool_link::difficulty(double value) {
  current_difficulty = value;
  std::string line;
  protocol::encode_set_difficulty(line, value);
  line.pop_back();
  send(line);
}

std::string pool_link::job(bool clean) {
  const auto number = owner.next_job++;
  const auto id = "p" + std::to_string(number);
  coinb1[id] = "c0ffee" + hex(std::hash<std::string>{}(owner.name) & 0xffffffff, 4) + hex(number, 8);
  weights[id] = current_difficulty;
  send("{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"" + id + "\",\"" + hex(number, 32) + "\",\"" + coinb1[id] +
       "\",\"ffff\",[\"" + hex(number, 32) + "\"],\"20000000\",\"" + owner.nbits + "\",\"" + hex(0x66a00000 + number, 4) + "\"," +
       (clean ? "true" : "false") + "]}");
  return id;
}

void pool_link::on_bytes(std::string_view bytes) {
  if (open) each_line(rest_, bytes, [this](std::string line) { on_line(std::move(line)); });
}

void pool_link::on_line(std::string line) {
  if (owner.is_mute) return;
  const auto message = owner.all.decoder.decode_miner(line);
  if (!message) throw std::logic_error("the proxy sent a pool an unusable line");
  const std::string id(message->id);
  const auto answer = [&](const std::string& result, const std::string& error = "null") {
    send("{\"id\":" + id + ",\"result\":" + result + ",\"error\":" + error + "}");
  };
  if (const auto* const asked = std::get_if<protocol::subscribe>(&message->body)) {
    agent = asked->agent;
    answer("[[[\"mining.set_difficulty\",\"s\"],[\"mining.notify\",\"s" + extranonce1 + "\"]],\"" + extranonce1 + "\"," +
           std::to_string(owner.extranonce2_size) + "]");
  } else if (const auto* const login = std::get_if<protocol::authorize>(&message->body)) {
    user = login->user;
    if (!owner.refuses_login.empty()) return answer("false", "[24,\"" + owner.refuses_login + "\",null]");
    authorized = true;
    answer("true");
    difficulty(owner.first_difficulty);
    job();
  } else if (std::holds_alternative<protocol::configure>(message->body)) {
    if (!owner.answers_configure) return;
    std::string line_out;
    protocol::encode_configured(line_out, id, std::get<protocol::configure>(message->body), owner.version_mask);
    line_out.pop_back();
    send(line_out);
  } else if (const auto* const share = std::get_if<protocol::submit>(&message->body)) {
    const std::string job(share->job);
    const auto error = owner.rejects_with.empty() && owner.weighs_shares ? verdict(*share) : owner.rejects_with;
    owner.ledger.push_back({std::string(share->worker), job, extranonce1, std::string(share->extranonce2),
                            std::string(share->ntime), std::string(share->nonce), std::string(share->version_bits.value_or("")),
                            coinb1[job] + extranonce1 + std::string(share->extranonce2), owner.name, owner.answers_shares,
                            error.empty(), error.empty() && owner.weighs_shares ? weights[job] : 0});
    if (!owner.answers_shares) return withheld.push_back(id);
    error.empty() ? answer("true") : answer("null", error);
  } else {
    if (const auto* const wish = std::get_if<protocol::suggest_difficulty>(&message->body)) suggested = wish->value;
    answer("true");
  }
}

// What a pool checks of a share: its job, that it is new, and its work.
std::string pool_link::verdict(const protocol::submit& share) {
  const auto job = std::string(share.job);
  if (!weights.contains(job)) return "[21,\"Job not found\",null]";
  const auto key = job + "/" + std::string(share.extranonce2) + "/" + std::string(share.ntime) + "/" + std::string(share.nonce);
  if (!seen.insert(key).second) return "[22,\"Duplicate share\",null]";
  const auto value = difficulty_of_nonce(static_cast<std::uint32_t>(std::stoul(std::string(share.nonce), nullptr, 16)));
  return value < weights[job] ? "[23,\"Low difficulty share\",null]" : "";
}

// ---- world -------------------------------------------------------------------------------------------------------------

world::world(std::uint64_t seed, unsigned count, stratumproxy::options with, stratumproxy::line_tap* tap)
    : config(std::move(with)), sessions(nullptr), random(seed) {
  add_shards(count, true, tap);
}

world::world(std::uint64_t seed, unsigned count, stratumproxy::options with, stratumproxy::session_store& between)
    : config(std::move(with)), sessions(&between), random(seed) {
  add_shards(count, false, nullptr);
}

void world::add_shards(unsigned count, bool are_one_proxy, stratumproxy::line_tap* tap) {
  now = time_point{} + 1h;
  const auto hints = session::make_return_hints();
  for (unsigned i = 0; i < count; ++i) shards.push_back(std::make_unique<shard>(*this, i, count));
  for (auto& one : shards) {
    session::manager_settings settings;
    settings.shard = are_one_proxy ? one->index : 0;
    settings.shards = are_one_proxy ? count : 1;
    settings.config = &config;
    settings.instance = "simulated" + std::to_string(one->index);
    settings.random = [this](std::span<std::uint8_t> bytes) {
      for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    };
    settings.hints = are_one_proxy ? hints : nullptr;
    settings.tap = tap;
    settings.sessions = sessions;
    one->manager = std::make_unique<session::session_manager>(std::move(settings), *one);
  }
}

world::~world() = default;

pool& world::add_pool(const std::string& where) { return *(pools[where] = std::make_unique<pool>(*this, where)); }

void world::add_account(const std::string& name, const std::string& where, const std::string& user, double divider,
                        const std::function<void(stratumproxy::pool_info&)>& change) {
  auto made = std::make_shared<stratumproxy::account>();
  made->name = name;
  stratumproxy::account_route route;
  const auto colon = where.rfind(':');
  route.pool.host = where.substr(0, colon);
  route.pool.port = static_cast<std::uint16_t>(std::stoi(where.substr(colon + 1)));
  route.pool.algorithm = divider == 1 ? "sha256d" : "scrypt";
  route.pool.divider = divider;
  if (change) change(route.pool);
  route.user = user.empty() ? "user-of-" + name : user;
  route.password = "secret";
  made->routes.push_back(std::move(route));
  accounts[name] = std::move(made);
}

void world::add_route(const std::string& name, const std::string& where, unsigned weight,
                      const std::function<void(stratumproxy::pool_info&)>& change) {
  auto made = std::make_shared<stratumproxy::account>(*accounts.at(name));
  auto route = made->routes.front();
  const auto colon = where.rfind(':');
  route.pool.host = where.substr(0, colon);
  route.pool.port = static_cast<std::uint16_t>(std::stoi(where.substr(colon + 1)));
  if (change) change(route.pool);
  route.weight = weight;
  made->routes.push_back(std::move(route));
  accounts[name] = std::move(made);
}

void world::change_account(const std::string& name, const std::function<void(stratumproxy::account&)>& change) {
  auto made = std::make_shared<stratumproxy::account>(*accounts.at(name));
  ++made->revision;
  change(*made);
  accounts[name] = made;
  for (const auto& one : shards) one->manager->account_changed(name, made, now);
}

void world::remove_account(const std::string& name) {
  accounts.erase(name);
  for (const auto& one : shards) one->manager->account_changed(name, nullptr, now);
}

std::shared_ptr<miner> world::connect(unsigned which, const std::string& address) {
  auto made = std::make_shared<miner>(*this, which, address);
  static constexpr unsigned first_port = 10'000;
  made->origin = address + ":" + std::to_string(first_port + random() % 50'000);
  made->channel = shards[which]->manager->accept(made->origin, address, now);
  shards[which]->channels[made->channel] = made;
  return made;
}

void world::after(duration delay, std::function<void()> what) {
  events_.push({now + delay, next_order_++, std::move(what)});
}

// The next thing to happen, an event or a deadline of a shard, unless it is later than `limit`.
void world::step(time_point limit) {
  auto deadline = time_point::max();
  for (const auto& one : shards) deadline = std::min(deadline, one->manager->next_deadline());
  const auto next = std::min({limit, deadline, events_.empty() ? time_point::max() : events_.top().at});
  now = std::max(now, next);
  if (!events_.empty() && events_.top().at <= now) {
    const auto what = events_.top().what;
    events_.pop();
    return what();
  }
  for (const auto& one : shards) {
    if (one->manager->next_deadline() > now) continue;
    one->manager->tick(now);
    if (one->manager->next_deadline() <= now) now += 1ms;  // it waits for another event
  }
}

void world::run_for(duration time) {
  const auto end = now + time;
  while (now < end) step(end);
  // What is due at the very end.
  while (!events_.empty() && events_.top().at <= now) step(end);
}

bool world::until(const std::function<bool()>& condition, duration limit) {
  const auto end = now + limit;
  while (!condition()) {
    if (now >= end) return false;
    step(end);
  }
  return true;
}

stratumproxy::metrics::snapshot world::snapshot() const {
  stratumproxy::metrics::snapshot sum;
  for (const auto& one : shards) sum.merge(one->manager->snapshot(now));
  return sum;
}

std::uint64_t world::event(std::string_view name) const {
  std::uint64_t count = 0;
  for (const auto& row : snapshot().events) {
    if (row.name == name) count += row.count;
  }
  return count;
}

}  // namespace simulation
