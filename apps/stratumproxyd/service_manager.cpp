#include "service_manager.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace stratumproxyd {
namespace {

using stratumproxy::unique_fd;

constexpr int first_descriptor = 3;

std::optional<int> number(const char* text) {
  if (!text) return std::nullopt;
  int value = 0;
  const auto* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace

inherited_sockets activation_sockets(const char* listen_pid, const char* listen_fds, const char* listen_fdnames, int process) {
  inherited_sockets found;
  if (number(listen_pid) != process) return found;
  const int count = number(listen_fds).value_or(0);
  std::string_view names = listen_fdnames ? listen_fdnames : "";
  for (int i = 0; i < count; ++i) {
    unique_fd socket(first_descriptor + i);
    ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
    const auto name = names.substr(0, names.find(':'));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    if (name == "stratum")
      found.stratum.emplace_back().push_back(std::move(socket));
    else if (name == "web" && !found.web)
      found.web = std::move(socket);
    else
      throw std::runtime_error(fmt::format("socket activation passed a socket \"{}\": name them stratum, and one web, by FileDescriptorName=",
                                           name.substr(0, 100)));
  }
  return found;
}

inherited_sockets take_activation_sockets() {
  auto found = activation_sockets(std::getenv("LISTEN_PID"), std::getenv("LISTEN_FDS"), std::getenv("LISTEN_FDNAMES"), ::getpid());
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  return found;
}

void tell_service_manager(std::string_view state) noexcept {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const auto length = path ? std::strlen(path) : 0;
  if (length < 2 || length > sizeof to.sun_path) return;
  std::memcpy(to.sun_path, path, length);
  if (to.sun_path[0] == '@') to.sun_path[0] = 0;  // not in the file system
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  const unique_fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  (void)::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), size);
}

}  // namespace stratumproxyd
