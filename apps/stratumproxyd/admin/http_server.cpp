#include "admin/http_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <httplib.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <regex>
#include <span>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <stratumproxy/scheduling.hpp>
#include <stratumproxy/tls_stream.hpp>
#include <stratumproxy/unique_fd.hpp>

#include "admin/exchange_stream.hpp"
#include "admin/http_routes.hpp"
#include "admin/request_head.hpp"

namespace stratumproxyd {
namespace {

using clock_type = std::chrono::steady_clock;
using stratumproxy::unique_fd;

constexpr std::size_t discard_limit = 4 * 1'048'576;
constexpr std::chrono::seconds linger_time{2};
constexpr std::chrono::milliseconds pause_without_descriptors{100};

endpoint address_of(const sockaddr_storage& bound) {
  char host[INET6_ADDRSTRLEN] = {};
  endpoint found;
  if (bound.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(bound);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
    found.port = ntohs(v6.sin6_port);
  } else {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(bound);
    ::inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
    found.port = ntohs(v4.sin_port);
  }
  found.host = host;
  return found;
}

std::error_code last_error() { return {errno, std::system_category()}; }

struct connection {
  enum class phase : std::uint8_t {
    reading,    ///< the next head
    lingering,  ///< answered and closed by us; what the client still sends is read, or it would lose the answer
  };
  unique_fd socket;
  stratumproxy::tls_stream tls;  // empty: without
  std::string buffer;
  phase state = phase::reading;
  clock_type::time_point deadline;
  unsigned served = 0;
  std::size_t discarded = 0;

  std::ptrdiff_t receive(std::span<char> into) {
    // Whoever lingers has been told that nothing more comes: what it says is only counted.
    if (tls && state == phase::reading) return tls.receive(into);
    return ::recv(socket.get(), into.data(), into.size(), MSG_DONTWAIT);
  }
  std::ptrdiff_t send(std::string_view bytes) {
    return tls ? tls.send(bytes) : ::send(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  /// Of what TLS has read ahead poll() does not tell.
  [[nodiscard]] bool has_unread() const { return tls && state == phase::reading && tls.has_unread(); }
  [[nodiscard]] short waits_for() const {
    return tls && state == phase::reading && tls.reading_waits_for_output() ? POLLOUT : POLLIN;
  }
};

// What this worker thread serves: the library does not hand its stream to the handlers.
thread_local const exchange_stream* served_here = nullptr;
// Who asks for it and what they may, as the guard found out.
thread_local std::string actor_here, role_here;

// Browsers take Brotli as well, and the library prefers it, at its highest level: that takes seconds of a core for the list
// of two thousand workers.
void leave_only_gzip(httplib::Request& request) {
  const auto range = request.headers.equal_range("Accept-Encoding");
  static const std::regex wanted(R"((^|,)\s*gzip\s*(;\s*q=(1|0\.0*[1-9])[^,]*)?(,|$))");
  const bool gzip = std::any_of(range.first, range.second, [](const auto& each) { return std::regex_search(each.second, wanted); });
  request.headers.erase(range.first, range.second);
  if (gzip) request.headers.emplace("Accept-Encoding", "gzip");
}

/// The part of the library that is used: the parser of requests and the table of routes.
class library : public httplib::Server {
 public:
  bool exchange(exchange_stream& stream, bool close) {
    bool closed = false;
    return process_request(stream, close, closed, leave_only_gzip);
  }
};

// Reverse proxies that compress answers weaken their ETags.
std::string strong(std::string etag) {
  if (etag.starts_with("W/")) etag.erase(0, 2);
  return etag;
}

http_request to_request(const httplib::Request& from) {
  http_request out;
  out.method = from.method;
  out.address = from.remote_addr;
  out.actor = actor_here;
  out.role = role_here;
  out.path = from.target.substr(0, from.target.find('?'));
  out.host = from.get_header_value("Host");
  out.origin = from.get_header_value("Origin");
  out.fetch_site = from.get_header_value("Sec-Fetch-Site");
  out.authorization = from.get_header_value("Authorization");
  out.content_type = from.get_header_value("Content-Type");
  out.if_match = strong(from.get_header_value("If-Match"));
  out.if_none_match = from.get_header_value("If-None-Match");
  out.query.assign(from.params.begin(), from.params.end());
  return out;
}

void fill(httplib::Response& out, http_response answer) {
  out.status = answer.status;
  for (auto& [name, value] : answer.headers) out.set_header(name, value);
  out.set_header("Content-Type", answer.content_type);
  out.body = std::move(answer.body);
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 400: return "Bad Request";
    case 408: return "Request Timeout";
    case 411: return "Length Required";
    case 413: return "Payload Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 505: return "HTTP Version Not Supported";
  }
  return "Error";
}

std::string refusal(const head_error& error) {
  const auto answer = http_error(error.status, error.text);
  return "HTTP/1.1 " + std::to_string(error.status) + ' ' + std::string(reason_phrase(error.status)) +
         "\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(answer.body.size()) +
         "\r\n\r\n" + answer.body;
}

}  // namespace

class http_server::impl {
 public:
  explicit impl(http_limits limits) : limits_(limits) {
    library_.set_pre_routing_handler([this](const httplib::Request& from, httplib::Response& out) {
      auto refused = admit(to_request(from));
      if (!refused) return httplib::Server::HandlerResponse::Unhandled;
      fill(out, std::move(*refused));
      return httplib::Server::HandlerResponse::Handled;
    });
    library_.set_exception_handler([](const httplib::Request&, httplib::Response& out, std::exception_ptr) {
      fill(out, http_error(500, "internal error"));
    });
    library_.set_error_handler(httplib::Server::Handler([](const httplib::Request&, httplib::Response& out) {
      if (out.body.empty()) fill(out, http_error(out.status, "the request is malformed"));
    }));
    library_.set_logger([this](const httplib::Request&, const httplib::Response& out) { count(out.status); });
    // One handler for all paths: which route it is, admit() has asked before, of the path as it was sent.
    constexpr const char* any = ".*";
    library_.Get(any, [this](const httplib::Request& from, httplib::Response& out) { serve(to_request(from), out); });
    // As if it read the body: else the library would, before it calls.
    library_.Delete(any, [this](const httplib::Request& from, httplib::Response& out, const httplib::ContentReader&) {
      serve(to_request(from), out);
    });
    const auto with_body = [this](const httplib::Request& from, httplib::Response& out, const httplib::ContentReader& read) {
      serve_with_body(from, out, read);
    };
    library_.Post(any, with_body);
    library_.Put(any, with_body);
    library_.Patch(any, with_body);
    library_.set_keep_alive_max_count(limits.requests);
    library_.set_keep_alive_timeout(std::chrono::duration_cast<std::chrono::seconds>(limits.head).count());
  }

  ~impl() { stop(); }

  void route(const std::string& method, const std::string& path, http_handler handler, std::size_t body_bytes) {
    routes_.add(method, path, std::move(handler), body_bytes);
  }

  void set_guard(http_guard guard) { guard_ = std::move(guard); }

  [[nodiscard]] std::vector<std::pair<std::string, std::string>> routes() const { return routes_.list(); }

  void set_certificate(std::shared_ptr<const stratumproxy::tls_certificate> now_is) {
    const std::lock_guard lock(mutex_);
    certificate_ = std::move(now_is);
  }

  [[nodiscard]] std::vector<std::pair<int, std::uint64_t>> answered() const {
    std::vector<std::pair<int, std::uint64_t>> out;
    for (std::size_t i = 0; i < answered_.size(); ++i)
      if (const auto many = answered_[i].load(std::memory_order_relaxed)) out.emplace_back(static_cast<int>(i), many);
    return out;
  }

  std::error_code bind(const endpoint& where) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &hints, &found) != 0)
      return std::make_error_code(std::errc::address_not_available);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);

    unique_fd socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return last_error();
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket.get(), found->ai_addr, found->ai_addrlen) != 0 || ::listen(socket.get(), 128) != 0) return last_error();

    if (const auto error = adopt(std::move(socket))) return error;
    address_.host = where.host;  // as it was asked for, which may be a name
    return {};
  }

  std::error_code adopt(unique_fd socket) {
    int listens = 0;
    socklen_t size = sizeof listens;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
    sockaddr_storage bound{};
    size = sizeof bound;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) return last_error();
    if (!listens || (bound.ss_family != AF_INET && bound.ss_family != AF_INET6))
      return std::make_error_code(std::errc::invalid_argument);
    ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
    address_ = address_of(bound);
    listener_ = std::move(socket);
    wake_ = unique_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return wake_ ? std::error_code{} : last_error();
  }

  [[nodiscard]] endpoint address() const { return address_; }

  void start() {
    workers_.emplace_back([this] { work(); });
    gatherer_ = std::thread([this] { gather(); });
  }

  [[nodiscard]] unique_fd listener() const {
    unique_fd copy(::fcntl(listener_.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) throw std::system_error(last_error());
    return copy;
  }

  void retire() {
    retiring_ = true;
    wake();
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      for (const int fd : in_work_) ::shutdown(fd, SHUT_RDWR);
    }
    work_.notify_all();
    wake();
    if (gatherer_.joinable()) gatherer_.join();
    for (auto& worker : workers_) worker.join();
    workers_.clear();
    returned_.clear();
    listener_.reset();
  }

 private:
  using connection_ptr = std::unique_ptr<connection>;

  // Called for what admit() has let through.
  void serve(http_request request, httplib::Response& out) const {
    if (auto answer = routes_.serve(std::move(request))) fill(out, std::move(*answer));
  }

  void serve_with_body(const httplib::Request& from, httplib::Response& out, const httplib::ContentReader& read) const {
    // The library would look for parts, with receivers that are not there.
    if (from.is_multipart_form_data()) return fill(out, http_error(415, "multipart bodies are not taken"));
    auto request = to_request(from);
    const auto body_bytes = routes_.body_limit(request.method, request.path);
    bool too_large = false;
    const bool whole = read([&](const char* bytes, std::size_t count) {
      too_large = request.body.size() + count > body_bytes;
      if (!too_large) request.body.append(bytes, count);
      return !too_large;
    });
    if (too_large) fill(out, http_error(413, too_large_text(body_bytes)));
    else if (!whole && served_here->timed_out()) fill(out, http_error(408, "the body took too long"));
    else if (!whole) fill(out, http_error(400, "the body is incomplete or malformed"));
    else serve(std::move(request), out);
  }

  // By the first line of the head.
  [[nodiscard]] std::size_t body_limit(std::string_view head) const {
    const auto line = head.substr(0, head.find('\r'));
    const auto begin = std::min(line.find(' '), line.size());
    const auto target = line.substr(std::min(begin + 1, line.size()));
    return routes_.body_limit(line.substr(0, begin), target.substr(0, target.find_first_of(" ?")));
  }

  std::optional<http_response> admit(http_request request) const {
    if (guard_) {
      auto refused = guard_(request);
      actor_here = std::move(request.actor);
      role_here = std::move(request.role);
      if (refused) return refused;
    }
    return routes_.refuse(request.method, request.path);
  }

  void wake() const {
    const std::uint64_t one = 1;
    if (wake_ && ::write(wake_.get(), &one, sizeof one) < 0) return;  // full: it wakes anyway
  }

  // --- the gathering thread ------------------------------------------------------------------------------------------

  void gather() {
    std::vector<pollfd> entries;
    for (;;) {
      std::size_t busy = 0;
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) break;
        for (auto& back : returned_) idle_.push_back(std::move(back));
        returned_.clear();
        busy = in_work_.size() + queue_.size();
      }
      // A kept connection may have its next request in the buffer already.
      for (auto& each : idle_) dispatch_if_complete(each);
      std::erase(idle_, nullptr);

      if (retiring_) {
        listener_.reset();
        std::erase_if(idle_, [](const auto& each) { return each->served > 0 && says_nothing(*each); });
      }

      const auto now = clock_type::now();
      const bool may_accept = now >= accept_again_;
      entries.assign({{wake_.get(), POLLIN, 0}, {may_accept ? listener_.get() : -1, POLLIN, 0}});
      auto next = may_accept ? now + std::chrono::seconds(60) : accept_again_;
      for (const auto& each : idle_) {
        entries.push_back({each->socket.get(), each->waits_for(), 0});
        next = each->has_unread() ? now : std::min(next, each->deadline);
      }
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
      if (::poll(entries.data(), entries.size(), static_cast<int>(std::max<decltype(left)>(left, 0))) < 0) continue;

      std::uint64_t count = 0;
      if (entries[0].revents && ::read(wake_.get(), &count, sizeof count) < 0) continue;
      const auto later = clock_type::now();
      for (std::size_t i = 0; i < idle_.size(); ++i) {
        if (entries[i + 2].revents || idle_[i]->has_unread()) receive(idle_[i]);
        if (idle_[i] && idle_[i]->deadline <= later) expire(idle_[i]);
      }
      std::erase(idle_, nullptr);
      if (entries[1].revents) accept_one(busy);
    }
    idle_.clear();
  }

  void accept_one(std::size_t busy) {
    unique_fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      const bool nothing_wrong = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
      if (!nothing_wrong) accept_again_ = clock_type::now() + pause_without_descriptors;
      return;
    }
    if (idle_.size() + busy >= limits_.connections) {
      const auto oldest = std::ranges::min_element(idle_, {}, [](const auto& each) { return each->deadline; });
      if (oldest == idle_.end()) return;
      idle_.erase(oldest);
    }
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto fresh = std::make_unique<connection>();
    fresh->socket = std::move(socket);
    {
      const std::lock_guard lock(mutex_);
      if (certificate_) fresh->tls = certificate_->accept(fresh->socket.get());
    }
    fresh->deadline = clock_type::now() + limits_.head;
    idle_.push_back(std::move(fresh));
  }

  void receive(connection_ptr& each) {
    char bytes[16'384];
    const auto count = each->receive(bytes);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
      each.reset();
      return;
    }
    if (each->state == connection::phase::lingering) {
      each->discarded += static_cast<std::size_t>(count);
      if (each->discarded > discard_limit) each.reset();
      return;
    }
    each->buffer.append(bytes, static_cast<std::size_t>(count));
    dispatch_if_complete(each);
  }

  void dispatch_if_complete(connection_ptr& each) {
    if (!each || each->state != connection::phase::reading) return;
    const auto length = head_length(each->buffer);
    if (length == 0 && each->buffer.size() <= max_head_bytes) return;
    if (length == 0 || length > max_head_bytes) {
      if (!refuse(*each, {431, "the headers are too large"})) each.reset();
      return;
    }
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(each));
    if (queue_.size() > waiting_workers_ && workers_.size() < limits_.threads) start_worker();
    work_.notify_one();
  }

  // The system may be out of threads: then a worker that is there takes the request when it is free.
  void start_worker() try {
    workers_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
  }

  static bool says_nothing(const connection& each) {
    char byte;
    return each.state == connection::phase::reading && each.buffer.empty() &&
           ::recv(each.socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }

  void expire(connection_ptr& each) {
    const bool answer = each->state == connection::phase::reading && !each->buffer.empty();
    if (!answer || !refuse(*each, {408, "the request took too long"})) each.reset();
  }

  // So short an answer fits into the socket's buffer; if it does not, the client never read the ones before.
  bool refuse(connection& each, const head_error& error) {
    const auto text = refusal(error);
    count(error.status);
    if (each.send(text) < 0) return false;
    linger(each);
    return true;
  }

  static void linger(connection& each) {
    if (each.tls) each.tls.end();
    ::shutdown(each.socket.get(), SHUT_WR);
    each.state = connection::phase::lingering;
    each.buffer.clear();
    each.deadline = clock_type::now() + linger_time;
  }

  // --- the working threads -------------------------------------------------------------------------------------------

  void work() {
    stratumproxy::stand_back();  // pages of megabytes are made here
    std::unique_lock lock(mutex_);
    for (;;) {
      ++waiting_workers_;
      work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      --waiting_workers_;
      if (stopping_) return;
      auto each = std::move(queue_.front());
      queue_.pop_front();
      const int fd = each->socket.get();
      in_work_.push_back(fd);
      lock.unlock();
      const bool usable = serve(*each);
      lock.lock();
      // Before it is closed: its number may be given to the next connection at once.
      std::erase(in_work_, fd);
      if (!usable) continue;
      returned_.push_back(std::move(each));
      wake();
    }
  }

  // False when the connection is to be closed at once.
  bool serve(connection& each) {
    const auto length = head_length(each.buffer);
    const auto body_bytes = body_limit(std::string_view(each.buffer).substr(0, length));
    const auto parsed = parse_request_head(std::string_view(each.buffer).substr(0, length), body_bytes);
    if (const auto* error = std::get_if<head_error>(&parsed)) return refuse(each, *error);
    const auto& head = std::get<request_head>(parsed);
    each.buffer.erase(0, length);
    ++each.served;
    // After a body the connection is not used again: where an unread body ends would have to be guessed.
    const bool keep = head.keep_alive && !head.has_body && each.served < limits_.requests && !retiring_;
    exchange_stream stream(each.socket.get(), each.tls, head.text, each.buffer, head.has_body,
                           {limits_.body, limits_.answer, 8 * body_bytes});
    served_here = &stream;
    actor_here.clear();
    role_here.clear();
    const bool answered = library_.exchange(stream, !keep);
    served_here = nullptr;
    if (stream.is_broken()) return false;
    if (answered && keep) each.deadline = clock_type::now() + limits_.head;
    else linger(each);
    return true;
  }

  void count(int status) {
    if (status >= 0 && static_cast<std::size_t>(status) < answered_.size())
      answered_[static_cast<std::size_t>(status)].fetch_add(1, std::memory_order_relaxed);
  }

  const http_limits limits_;
  std::array<std::atomic<std::uint64_t>, 600> answered_{};  // by status
  library library_;
  http_guard guard_;
  http_routes routes_;
  endpoint address_;
  unique_fd listener_;
  unique_fd wake_;

  // Of the gathering thread.
  std::vector<connection_ptr> idle_;
  clock_type::time_point accept_again_{};
  std::thread gatherer_;
  std::atomic<bool> retiring_{false};

  std::mutex mutex_;  // guards what follows
  std::condition_variable work_;
  bool stopping_ = false;
  std::shared_ptr<const stratumproxy::tls_certificate> certificate_;
  std::deque<connection_ptr> queue_;
  std::vector<connection_ptr> returned_;
  std::vector<int> in_work_;
  std::size_t waiting_workers_ = 0;
  std::vector<std::thread> workers_;  // one from the start, more by the gathering thread as they are needed
};

http_server::http_server(http_limits limits) : impl_(std::make_unique<impl>(limits)) {}
http_server::~http_server() = default;
void http_server::route(const std::string& method, const std::string& path, http_handler handler, std::size_t body_bytes) {
  impl_->route(method, path, std::move(handler), body_bytes);
}
void http_server::set_guard(http_guard guard) { impl_->set_guard(std::move(guard)); }
std::vector<std::pair<std::string, std::string>> http_server::routes() const { return impl_->routes(); }
void http_server::set_certificate(std::shared_ptr<const stratumproxy::tls_certificate> now_is) {
  impl_->set_certificate(std::move(now_is));
}
std::vector<std::pair<int, std::uint64_t>> http_server::answered() const { return impl_->answered(); }
std::error_code http_server::bind(const endpoint& where) { return impl_->bind(where); }
std::error_code http_server::adopt(unique_fd listening) { return impl_->adopt(std::move(listening)); }
endpoint http_server::address() const { return impl_->address(); }
void http_server::start() { impl_->start(); }
unique_fd http_server::listener() const { return impl_->listener(); }
void http_server::retire() { impl_->retire(); }
void http_server::stop() { impl_->stop(); }

}  // namespace stratumproxyd
