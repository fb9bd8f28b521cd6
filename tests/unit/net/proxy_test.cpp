#include "stratumproxy/proxy.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "collecting_log.hpp"
#include "net/endpoint.hpp"
#include "net/socket.hpp"
#include "net/unique_fd.hpp"

using namespace stratumproxy;
using namespace stratumproxy::net;

// The real shell on loopback: threads, sockets and the kernel's queues, with the real session layer behind them.
namespace {

constexpr const char* account_name = "00112233445566aa";

// Blocking, but never longer than ten seconds: a test that waits in vain fails instead of hanging.
class peer {
 public:
  explicit peer(unique_fd socket) : socket_(std::move(socket)) {
    const timeval limit{10, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  static peer to(const std::string& address) {
    const auto parts = split_host_port(address);
    REQUIRE(parts);
    const auto target = *endpoint::literal(parts->first, parts->second);
    unique_fd socket(::socket(target.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(socket.get(), target.data(), target.size()) == 0);
    return peer(std::move(socket));
  }

  bool say(const std::string& text) {
    std::string_view left = text;
    while (!left.empty()) {
      const auto sent = ::send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      left.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // The next line; empty when the connection has ended or nothing comes.
  std::string line() {
    for (;;) {
      if (const auto end = received_.find('\n'); end != std::string::npos) {
        std::string one = received_.substr(0, end);
        received_.erase(0, end + 1);
        return one;
      }
      char block[4096];
      last_read_ = ::recv(socket_.get(), block, sizeof(block), 0);
      if (last_read_ <= 0) return {};
      received_.append(block, static_cast<std::size_t>(last_read_));
    }
  }
  std::string line_with(const std::string& part) {
    std::string one;
    do one = line();
    while (!one.empty() && one.find(part) == std::string::npos);
    return one;
  }
  // Reads on to the end. True for an orderly one, false for a reset or for silence.
  bool ends() {
    while (!line().empty()) {
    }
    return last_read_ == 0;
  }
  void finish_sending() { ::shutdown(socket_.get(), SHUT_WR); }

 private:
  unique_fd socket_;
  std::string received_;
  ssize_t last_read_ = 0;
};

std::string member(const std::string& line, const std::string& key) {
  const auto at = line.find("\"" + key + "\":");
  if (at == std::string::npos) return {};
  const auto from = at + key.size() + 3;
  return line.substr(from, line.find_first_of(",}", from) - from);
}

// A pool that the test plays by hand.
class pool {
 public:
  pool() {
    auto listening = listen_on(*endpoint::literal("127.0.0.1", 0), 1);
    REQUIRE(listening);
    socket_ = std::move(listening->front());
  }
  [[nodiscard]] std::uint16_t port() const { return endpoint::local_of(socket_.get())->port(); }

  // The proxy's next connection, after the handshake and with a job.
  peer welcome() {
    pollfd wait{socket_.get(), POLLIN, 0};
    REQUIRE(::poll(&wait, 1, 10'000) == 1);
    peer link(unique_fd(::accept(socket_.get(), nullptr, nullptr)));
    for (;;) {
      const std::string line = link.line();
      REQUIRE_FALSE(line.empty());
      const std::string id = member(line, "id");
      if (line.find("mining.subscribe") != std::string::npos) {
        link.say(R"({"id":)" + id +
                 R"(,"result":[[["mining.notify","ae"]],"f000000f",8],"error":null})"
                 "\n");
      } else if (line.find("mining.authorize") != std::string::npos) {
        link.say(R"({"id":)" + id +
                 R"(,"result":true,"error":null})"
                 "\n"
                 R"({"id":null,"method":"mining.set_difficulty","params":[16]})"
                 "\n" +
                 job("j1"));
        return link;
      } else {
        link.say(R"({"id":)" + id +
                 R"(,"result":{},"error":null})"
                 "\n");
      }
    }
  }
  static std::string job(const std::string& id) {
    return R"({"id":null,"method":"mining.notify","params":[")" + id + R"(",")" + std::string(64, '1') +
           R"(","0100","00ff",[],"20000000","1d00ffff","66a00000",true]})"
           "\n";
  }

 private:
  unique_fd socket_;
};

class one_account final : public account_source {
 public:
  explicit one_account(std::uint16_t port) {
    account_route route;
    route.pool.host = "127.0.0.1";
    route.pool.port = port;
    route.pool.algorithm = "sha256d";
    route.user = "pooluser";
    route.password = "x";
    auto made = std::make_shared<account>();
    made->name = account_name;
    made->routes.push_back(std::move(route));
    account_ = std::move(made);
  }
  void find(std::string_view name, std::function<void(account_lookup)> done) override {
    if (name == account_name)
      done({account_lookup::status::found, account_});
    else
      done({account_lookup::status::unknown, nullptr});
  }

 private:
  std::shared_ptr<const account> account_;
};

struct house {
  pool mine;
  one_account accounts{mine.port()};
  test::collecting_log log;
  options config = [] {
    options made;
    made.address = "127.0.0.1:0";
    made.threads = 1;
    return made;
  }();
};

struct login {
  std::string session;
  std::string extranonce1;
  std::string job;
};

// Logs in and waits for the job. The pool's part runs beside it, as the proxy answers authorize before the pool has.
login log_in(peer& miner, const std::string& session = {}) {
  miner.say(R"({"id":1,"method":"mining.subscribe","params":["test")" +
            (session.empty() ? std::string() : ",\"" + session + "\"") + "]}\n" +
            R"({"id":2,"method":"mining.authorize","params":[")" + account_name +
            R"(.rig","x"]})"
            "\n");
  const std::string reply = miner.line_with(R"("id":1)");
  login got;
  const auto notify = reply.find("mining.notify");
  REQUIRE(notify != std::string::npos);
  const auto session_at = reply.find('"', notify + 14) + 1;
  const auto session_end = reply.find('"', session_at);
  got.session = reply.substr(session_at, session_end - session_at);
  const auto extranonce_at = reply.find('"', reply.find(']', session_end)) + 1;
  got.extranonce1 = reply.substr(extranonce_at, reply.find('"', extranonce_at) - extranonce_at);
  CHECK(member(miner.line_with(R"("id":2)"), "result") == "true");
  return got;
}

void await_job(peer& miner, login& who) {
  const std::string notify = miner.line_with("mining.notify");
  const auto at = notify.find("[\"") + 2;
  REQUIRE(at != std::string::npos + 2);
  who.job = notify.substr(at, notify.find('"', at) - at);
}

std::string submit(const login& who, int id) {
  return R"({"id":)" + std::to_string(id) + R"(,"method":"mining.submit","params":[")" + account_name + R"(.rig",")" + who.job +
         R"(","00000)" + std::to_string(id % 10) +
         R"(","66a00000","00000001"]})"
         "\n";
}

std::uint64_t count(const metrics::snapshot& of, std::string_view event, std::string_view value = {}) {
  for (const auto& row : of.events) {
    if (row.name == event && row.value == value) return row.count;
  }
  return 0;
}

}  // namespace

TEST_CASE("a share passes through the real proxy, and so does its verdict", "[loopback]") {
  house at;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  peer miner = peer::to(served.address());
  login who = log_in(miner);
  peer link = at.mine.welcome();
  await_job(miner, who);
  REQUIRE(miner.say(submit(who, 7)));
  const std::string up = link.line_with("mining.submit");
  CHECK(up.find(R"("j1")") != std::string::npos);
  link.say(R"({"id":)" + member(up, "id") +
           R"(,"result":true,"error":null})"
           "\n");
  CHECK(member(miner.line_with(R"("id":7)"), "result") == "true");
  const auto taken = served.snapshot();
  CHECK(taken.connections == 1);
  REQUIRE(taken.workers.size() == 1);
  CHECK(taken.workers.front().shares.accepted == 1);
}

TEST_CASE("a miner that ends its side after a submit still gets the verdict, and then the end", "[loopback]") {
  house at;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  peer miner = peer::to(served.address());
  login who = log_in(miner);
  peer link = at.mine.welcome();
  await_job(miner, who);
  REQUIRE(miner.say(submit(who, 7)));
  miner.finish_sending();
  const std::string up = link.line_with("mining.submit");
  link.say(R"({"id":)" + member(up, "id") +
           R"(,"result":true,"error":null})"
           "\n");
  CHECK(member(miner.line_with(R"("id":7)"), "result") == "true");
  CHECK(miner.ends());
}

TEST_CASE("a worker comes back to whichever shard the kernel picks and is the same worker", "[loopback]") {
  house at;
  at.config.threads = 2;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  auto miner = std::make_unique<peer>(peer::to(served.address()));
  login who = log_in(*miner);
  peer link = at.mine.welcome();
  await_job(*miner, who);
  // Each return lands on the other shard with even odds: that none of 64 does is no accident that happens.
  for (int i = 0; i < 64 && count(served.snapshot(), "sessions_handed_over") == 0; ++i) {
    miner->finish_sending();
    REQUIRE(miner->ends());
    miner = std::make_unique<peer>(peer::to(served.address()));
    login again = log_in(*miner, who.session);
    CHECK(again.extranonce1 == who.extranonce1);
    await_job(*miner, again);
    who = again;
  }
  const auto taken = served.snapshot();
  CHECK(count(taken, "sessions_handed_over") == 1);
  CHECK(taken.workers.size() == 1);
  CHECK(taken.connections == 1);
  REQUIRE(miner->say(submit(who, 7)));
  const std::string up = link.line_with("mining.submit");
  link.say(R"({"id":)" + member(up, "id") +
           R"(,"result":true,"error":null})"
           "\n");
  CHECK(member(miner->line_with(R"("id":7)"), "result") == "true");
}

TEST_CASE("a refused miner can read why, although it sent more than anybody read", "[loopback]") {
  house at;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  for (int i = 0; i < 20; ++i) {
    peer miner = peer::to(served.address());
    // A browser, with more behind its first line than the proxy reads before it refuses.
    miner.say("POST / HTTP/1.1\r\n" + std::string(200'000, 'x'));
    miner.finish_sending();
    CHECK(miner.line().find("HTTP") != std::string::npos);
    CHECK(miner.ends());
  }
}

TEST_CASE("a second proxy on a taken address fails, and succeeds once the first has stopped", "[loopback]") {
  house at;
  at.config.threads = 2;
  proxy first(at.config, at.accounts, at.log);
  REQUIRE_FALSE(first.start());
  options same = at.config;
  same.address = first.address();
  proxy second(same, at.accounts, at.log);
  CHECK(second.start() == errc::address_in_use);
  first.stop();
  CHECK_FALSE(second.start());
  CHECK(second.address() == same.address);
}

TEST_CASE("an address that is none is refused before anything is opened", "[loopback]") {
  house at;
  for (const char* address : {"", "9332", ":9332", "127.0.0.1", "127.0.0.1:70000", "::1:9332", "[127.0.0.1]:9332"}) {
    INFO(address);
    at.config.address = address;
    CHECK(proxy(at.config, at.accounts, at.log).start() == errc::bad_address);
  }
}

TEST_CASE("a miner over the limit of connections is closed at once, and its place is free after another left", "[loopback]") {
  house at;
  at.config.limits.connections = 1;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  {
    peer first = peer::to(served.address());
    first.say("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n");
    CHECK_FALSE(first.line().empty());
    CHECK(peer::to(served.address()).ends());
    CHECK(count(served.snapshot(), "connections_refused", "limit") == 1);
    first.finish_sending();
    CHECK(first.ends());
  }
  (void)served.snapshot();  // answered after the shard was through with the first one, whose end was seen above
  peer next = peer::to(served.address());
  next.say("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n");
  CHECK_FALSE(next.line().empty());
}

TEST_CASE("draining closes the workers, takes no new ones and says that nothing was left", "[loopback]") {
  house at;
  at.config.threads = 2;
  proxy served(at.config, at.accounts, at.log);
  REQUIRE_FALSE(served.start());
  const std::string address = served.address();
  peer miner = peer::to(address);
  login who = log_in(miner);
  peer link = at.mine.welcome();
  await_job(miner, who);
  auto drained = std::async(std::launch::async, [&] { return served.drain(std::chrono::seconds(10)); });
  CHECK(miner.ends());
  miner.finish_sending();
  CHECK(drained.get());
  const auto parts = *split_host_port(address);
  const auto target = *endpoint::literal(parts.first, parts.second);
  const unique_fd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(::connect(late.get(), target.data(), target.size()) != 0);
}

TEST_CASE("a proxy that does not run has nothing to show, and stopping twice is stopping", "[loopback]") {
  house at;
  proxy served(at.config, at.accounts, at.log);
  CHECK(served.snapshot().events.empty());
  REQUIRE_FALSE(served.start());
  CHECK_FALSE(served.snapshot().events.empty());
  served.stop();
  served.stop();
  CHECK(served.snapshot().events.empty());
  CHECK(served.drain(std::chrono::seconds(10)));
}

TEST_CASE("an account source may answer after the proxy is gone", "[loopback]") {
  struct late_source final : account_source {
    std::promise<std::function<void(account_lookup)>> asked;
    void find(std::string_view, std::function<void(account_lookup)> done) override { asked.set_value(std::move(done)); }
  } accounts;
  test::collecting_log log;
  options config;
  config.address = "127.0.0.1:0";
  config.threads = 1;
  std::function<void(account_lookup)> done;
  {
    proxy served(config, accounts, log);
    REQUIRE_FALSE(served.start());
    peer miner = peer::to(served.address());
    miner.say(R"({"id":1,"method":"mining.subscribe","params":[]})"
              "\n"
              R"({"id":2,"method":"mining.authorize","params":["00112233445566aa","x"]})"
              "\n");
    done = accounts.asked.get_future().get();
  }
  done({account_lookup::status::unknown, nullptr});
}

TEST_CASE("an account source may answer from a thread of its own", "[loopback]") {
  struct threaded_source final : account_source {
    std::thread thread;
    void find(std::string_view, std::function<void(account_lookup)> done) override {
      thread = std::thread([done = std::move(done)] { done({account_lookup::status::unknown, nullptr}); });
    }
    ~threaded_source() override { thread.join(); }
  } accounts;
  test::collecting_log log;
  options config;
  config.address = "127.0.0.1:0";
  config.threads = 1;
  proxy served(config, accounts, log);
  REQUIRE_FALSE(served.start());
  peer miner = peer::to(served.address());
  miner.say(R"({"id":1,"method":"mining.subscribe","params":[]})"
            "\n"
            R"({"id":2,"method":"mining.authorize","params":["00112233445566aa","x"]})"
            "\n");
  CHECK(miner.line_with(R"("id":2)").find("24") != std::string::npos);
}
