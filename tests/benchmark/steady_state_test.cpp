// The share path in steady state: 100,000 shares through a real proxy, real sockets, and not one allocation or mutex lock on
// the shards' threads. Jobs come in between (a job is kept as text, which allocates); while one is on its way nothing is
// counted, neither shares nor allocations. Prints what it counted; exits with 1 when that is not nothing.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <thread>

#include <stratumproxy/proxy.hpp>

namespace {

std::atomic<bool> counting{false};
std::atomic<std::uint64_t> allocations{0}, locks{0};

bool is_shard() {
  thread_local int answer = -1;
  if (answer < 0) {
    char name[16] = {};
    ::pthread_getname_np(::pthread_self(), name, sizeof(name));
    answer = std::strncmp(name, "spx-shard", 9) == 0 ? 1 : 0;
  }
  return answer == 1;
}

void note(std::atomic<std::uint64_t>& counter) {
  if (counting.load(std::memory_order_relaxed) && is_shard()) ++counter;
}

}  // namespace

// Not operator new: Asio takes memory for its handlers by aligned_alloc, and RapidJSON by malloc. Whatever is called, it
// ends in one of these.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) noexcept {
  note(allocations);
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  note(allocations);
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
  note(allocations);
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  note(allocations);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  note(allocations);
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
}

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  using function = int (*)(pthread_mutex_t*);
  static const auto original = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  note(locks);
  return original(mutex);
}

namespace {

constexpr std::uint64_t warm_up = 50'000, measured = 100'000, shares_a_job = 2'000, in_flight = 16, settled = 64;

struct quiet_log final : stratumproxy::log_sink {
  void write(const stratumproxy::log_event&) noexcept override {}
};

struct one_account final : stratumproxy::account_source {
  std::shared_ptr<const stratumproxy::account> account;
  void find(std::string_view, std::function<void(stratumproxy::account_lookup)> done) override {
    done({stratumproxy::account_lookup::status::found, account});
  }
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(2);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

[[nodiscard]] bool send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const auto sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// Blocking lines of a socket.
class lines {
 public:
  explicit lines(int socket) : socket_(socket) {}
  bool next(std::string& line) {
    for (;;) {
      const auto end = text_.find('\n');
      if (end != std::string::npos) {
        line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return true;
      }
      char bytes[16'384];
      const auto got = ::recv(socket_, bytes, sizeof(bytes), 0);
      if (got <= 0) return false;
      text_.append(bytes, static_cast<std::size_t>(got));
    }
  }

 private:
  int socket_;
  std::string text_;
};

std::string between(const std::string& text, std::string_view before, char end) {
  const auto at = text.find(before);
  if (at == std::string::npos) return {};
  const auto begin = at + before.size();
  return text.substr(begin, text.find(end, begin) - begin);
}

std::string job(std::uint64_t number) {
  char id[24];
  std::snprintf(id, sizeof(id), "%016llx", static_cast<unsigned long long>(number));
  return std::string(R"({"id":null,"method":"mining.notify","params":["j)") + id + R"(",")" + std::string(48, '0') + id +
         R"(","01000000010000000000","ffffffff",[],"20000000","1d00ffff","66a00000",false]})" + "\n";
}

void pool(int listening) {
  const int socket = ::accept(listening, nullptr, nullptr);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  lines from(socket);
  std::uint64_t shares = 0, jobs = 0;
  for (std::string line; from.next(line);) {
    const auto id = between(line, "\"id\":", ',');
    std::string out = "{\"id\":" + id + ",\"result\":true,\"error\":null}\n";
    if (line.find("mining.subscribe") != std::string::npos) {
      out = "{\"id\":" + id + ",\"result\":[[[\"mining.notify\",\"s\"]],\"a1b2c3d4\",8],\"error\":null}\n";
    } else if (line.find("mining.authorize") != std::string::npos) {
      out += "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[1024]}\n" + job(++jobs);
    } else if (line.find("mining.submit") != std::string::npos && ++shares % shares_a_job == 0) {
      counting = false;
      out += job(++jobs);
    }
    if (!send_all(socket, out)) break;  // the proxy stops first at the end
  }
  ::close(socket);
}

}  // namespace

int main() {
  const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
  auto address = loopback(0);
  if (::bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || ::listen(listening, 8) != 0) die("listen");
  socklen_t size = sizeof(address);
  ::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size);
  std::thread pool_thread(pool, listening);

  quiet_log log;
  one_account accounts;
  auto account = std::make_shared<stratumproxy::account>();
  account->name = "0123456789abcdef";
  stratumproxy::account_route route;
  route.pool.host = "127.0.0.1";
  route.pool.port = ntohs(address.sin_port);
  route.pool.algorithm = "sha256d";
  route.user = "user";
  account->routes.push_back(route);
  accounts.account = account;
  stratumproxy::options config;
  config.address = "127.0.0.1:0";
  config.threads = 1;
  {
    stratumproxy::proxy proxy(config, accounts, log);
    if (const auto error = proxy.start()) {
      std::fprintf(stderr, "%s\n", error.message().c_str());
      return 2;
    }
    const auto bound = proxy.address();
    const int miner = ::socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    ::setsockopt(miner, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    auto there = loopback(static_cast<std::uint16_t>(std::stoi(bound.substr(bound.rfind(':') + 1))));
    if (::connect(miner, reinterpret_cast<sockaddr*>(&there), sizeof(there)) != 0) die("connect");
    const std::string login = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"m\"]}\n"
                    "{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"0123456789abcdef.rig\",\"x\"]}\n";
    if (!send_all(miner, login)) die("login");
    lines from(miner);
    std::string line, current;
    std::uint64_t sent = 0, accepted = 0, refused = 0, counted = 0, since_job = 0;
    const auto submit = [&] {
      char share[200];
      std::snprintf(share, sizeof(share),
                    "{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"0123456789abcdef.rig\",\"%s\",\"%06llx\",\"66a00000\",\"%08llx\"]}\n",
                    current.c_str(), static_cast<unsigned long long>(sent & 0xffffff), static_cast<unsigned long long>(sent));
      ++sent;
      if (!send_all(miner, share)) die("submit");
    };
    while (counted < measured && refused == 0 && from.next(line)) {
      if (line.find("\"method\":\"mining.notify\"") != std::string::npos) {
        current = between(line, "\"params\":[\"", '"');
        since_job = 0;
        if (sent == 0) {
          for (std::uint64_t i = 0; i < in_flight; ++i) submit();
        }
      } else if (line.rfind("{\"id\":4,", 0) == 0) {
        ++(line.find("\"result\":true") != std::string::npos ? accepted : refused);
        if (refused != 0) std::printf("refused: %s\n", line.c_str());
        if (counting) ++counted;
        if (++since_job == settled && accepted > warm_up) counting = true;
        submit();
      }
    }
    counting = false;
    std::printf("%llu shares accepted, %llu refused; of %llu in steady state: %llu allocations, %llu mutex locks on the shard\n",
                static_cast<unsigned long long>(accepted), static_cast<unsigned long long>(refused),
                static_cast<unsigned long long>(counted), static_cast<unsigned long long>(allocations.load()),
                static_cast<unsigned long long>(locks.load()));
    std::fflush(stdout);
    ::close(miner);
    if (counted < measured) std::_Exit(1);
  }
  pool_thread.join();
  ::close(listening);
  return allocations == 0 && locks == 0 ? 0 : 1;
}
