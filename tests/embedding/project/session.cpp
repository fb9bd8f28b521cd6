// The session layer alone: a worker, its link and one share, without a socket, a thread or a clock.
#include <cstdio>
#include <map>
#include <string>
#include <variant>

#include <stratumproxy/protocol/codec.hpp>
#include <stratumproxy/session/session_manager.hpp>

using namespace stratumproxy;
using session::channel_id;

// What the manager asks for is written down, and done by main.
struct wires final : session::session_host {
  void send(channel_id channel, std::string_view bytes) override { out[channel] += bytes; }
  void close(channel_id channel, session::close_reason) override { out.erase(channel); }
  void connect(channel_id channel, const session::destination&) override { dialled = channel; }
  void set_reading(channel_id, bool) override {}
  void find_account(session::lookup_id lookup, std::string_view) override { asked = lookup; }
  bool check_share(session::check_id, session::proof_request) override { return false; }  // slow hashes: the pool judges
  void hand_over(channel_id, unsigned, session::handover) override {}  // there is one shard

  std::map<channel_id, std::string> out;
  channel_id dialled{};
  session::lookup_id asked{};
};

int main() {
  options config;
  wires host;
  session::manager_settings settings;
  settings.config = &config;
  settings.instance = "example";
  settings.random = [n = 0](std::span<std::uint8_t> bytes) mutable {  // in earnest: the system's random bytes
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(++n);
  };
  session::session_manager manager(settings, host);
  time_point now{std::chrono::hours(1)};  // time is what we say it is
  const auto say = [&](channel_id channel, std::string line) { manager.receive(channel, line += '\n', now); };

  const auto miner = manager.accept("192.0.2.1:4001", "192.0.2.1", now);
  say(miner, R"({"id":1,"method":"mining.subscribe","params":["example/1"]})");
  say(miner, R"({"id":2,"method":"mining.authorize","params":["farm.shelf1","x"]})");
  auto farm = std::make_shared<account>();
  farm->name = "farm";
  farm->routes.push_back({{.host = "pool.example.org", .port = 3333, .algorithm = "sha256d"}, "user", "x"});
  manager.account_found(host.asked, {account_lookup::status::found, farm}, now);
  manager.tick(now);  // it dials the pool
  const auto pool = host.dialled;
  manager.connected(pool, now);

  protocol::decoder decoder;
  const auto answer_as_pool = [&, &asked = host.out[pool]] {
    while (!asked.empty()) {
      std::string line = asked.substr(0, asked.find('\n'));
      asked.erase(0, line.size() + 1);
      const auto request = decoder.decode_miner(line);
      const bool subscribes = std::holds_alternative<protocol::subscribe>(request->body);
      const std::string result = subscribes ? R"([[["mining.notify","s"]],"f00d",8])" : "true";
      say(pool, R"({"id":)" + std::string(request->id) + R"(,"error":null,"result":)" + result + "}");
    }
  };
  answer_as_pool();
  say(pool, R"({"id":null,"method":"mining.set_difficulty","params":[1024]})");
  say(pool, R"({"id":null,"method":"mining.notify","params":["j1",")" + std::string(64, '0') +
                R"(","01","02",[],"20000000","1d00ffff","66a00000",true]})");

  const std::string& told = host.out[miner];
  const std::string before_id = R"("mining.notify","params":[")";
  const auto at = told.find(before_id) + before_id.size();
  const auto job = told.substr(at, told.find('"', at) - at);  // the proxy's own id for the pool's "j1"
  now += std::chrono::milliseconds(5);
  say(miner, R"({"id":3,"method":"mining.submit","params":["farm.shelf1",")" + job + R"(","00000f","66a00000","9b3c01d4"]})");
  answer_as_pool();
  std::printf("%s", told.c_str());
  return told.ends_with("{\"id\":3,\"result\":true,\"error\":null}\n") ? 0 : 1;
}
