#include "handover/unix_channel.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace stratumproxyd {
namespace {

using stratumproxy::unique_fd;

constexpr std::size_t most_bytes = 16'384;
constexpr std::chrono::milliseconds pause_without_descriptors{100};
constexpr std::size_t control_bytes = CMSG_SPACE(unix_channel::most_descriptors * sizeof(int));

std::system_error failure(const std::filesystem::path& path) {
  return {errno, std::system_category(), path.string()};
}

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto& text = path.native();
  if (text.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    throw failure(path);
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

unique_fd new_socket() { return unique_fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)); }

std::optional<uid_t> user_at_the_other_end(const unique_fd& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

// The name that a socket has until it takes its place.
std::filesystem::path fresh_name(const std::filesystem::path& path) {
  auto name = path;
  name += ".new";
  return name;
}

}  // namespace

std::optional<unix_channel> unix_channel::to(const std::filesystem::path& path) {
  const auto address = address_of(path);
  auto socket = new_socket();
  if (!socket) throw failure(path);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return unix_channel(std::move(socket));
  if (errno == ECONNREFUSED || errno == ENOENT) return std::nullopt;
  throw failure(path);
}

bool unix_channel::may_ask() const noexcept {
  const auto user = user_at_the_other_end(socket_);
  return user == ::geteuid() || user == uid_t{0};
}

bool unix_channel::may_be_asked() const noexcept { return ::geteuid() == 0 || user_at_the_other_end(socket_) == ::geteuid(); }

void unix_channel::set_patience(std::chrono::milliseconds limit) noexcept {
  const timeval time{.tv_sec = limit.count() / 1000, .tv_usec = limit.count() % 1000 * 1000};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

bool unix_channel::send(std::span<const std::string> words, std::span<const unique_fd> descriptors) noexcept {
  std::string bytes;
  for (const auto& word : words) bytes.append(word).push_back('\0');
  iovec content{bytes.data(), bytes.size()};
  msghdr header{};
  header.msg_iov = &content;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, control_bytes> control{};
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    auto* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    for (std::size_t i = 0; i < descriptors.size(); ++i) {
      const int fd = descriptors[i].get();
      std::memcpy(CMSG_DATA(rights) + i * sizeof fd, &fd, sizeof fd);
    }
  }
  ssize_t sent;
  do sent = ::sendmsg(socket_.get(), &header, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(bytes.size());
}

std::optional<unix_channel::message> unix_channel::receive() {
  std::array<char, most_bytes> bytes;
  alignas(cmsghdr) std::array<char, control_bytes> control{};
  iovec content{bytes.data(), bytes.size()};
  msghdr header{};
  header.msg_iov = &content;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t got;
  do got = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  message read;
  if (got > 0) {
    for (auto* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
      if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
      for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= part->cmsg_len; at += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
        read.descriptors.emplace_back(fd);
      }
    }
  }
  const bool is_whole = got > 0 && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && bytes[static_cast<std::size_t>(got) - 1] == '\0';
  if (!is_whole) return std::nullopt;
  std::string_view text(bytes.data(), static_cast<std::size_t>(got));
  while (!text.empty()) {
    const auto end = text.find('\0');
    read.words.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return read;
}

void unix_channel::end_input() noexcept { ::shutdown(socket_.get(), SHUT_RD); }

void unix_channel::end() noexcept { ::shutdown(socket_.get(), SHUT_RDWR); }

void unix_listener::require_no_other_file(const std::filesystem::path& path) {
  for (const auto& name : {path, fresh_name(path)}) {
    struct stat there{};
    if (::lstat(name.c_str(), &there) != 0 || S_ISSOCK(there.st_mode)) continue;
    throw std::runtime_error(fmt::format("the handover socket cannot be {}: {} is there and is no socket", path.string(), name.string()));
  }
}

unix_listener::unix_listener(std::filesystem::path path) : path_(std::move(path)), socket_(new_socket()) {
  if (!socket_) throw failure(path_);
  require_no_other_file(path_);
  const auto fresh = fresh_name(path_);
  const auto address = address_of(fresh);
  ::unlink(fresh.c_str());
  ::fchmod(socket_.get(), S_IRUSR | S_IWUSR);  // before there is a name by which it could be opened
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(socket_.get(), 8) != 0)
    throw failure(path_);
}

void unix_listener::take_name() {
  if (::rename(fresh_name(path_).c_str(), path_.c_str()) != 0) throw failure(path_);
}

std::optional<unix_channel> unix_listener::accept() {
  for (;;) {
    unique_fd socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket) return unix_channel(std::move(socket));
    const bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    if (is_short) std::this_thread::sleep_for(pause_without_descriptors);
    else if (errno != EINTR && errno != ECONNABORTED) return std::nullopt;
  }
}

void unix_listener::end() noexcept { ::shutdown(socket_.get(), SHUT_RDWR); }

}  // namespace stratumproxyd
